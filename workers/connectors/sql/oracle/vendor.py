"""Oracle Database, as others see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.connectors.sql.extras import require
from workers.connectors.sql.oracle.options import OPTIONS, PORT
from workers.connectors.sql.oracle.preset import PRESET
from workers.connectors.sql.vendor import PositionTable, TlsOptions, Traits, Vendor

if TYPE_CHECKING:
    from collections.abc import Mapping
    from socket import socket

    from workers.connectors.contract import Target
    from workers.connectors.inspection import Examined
    from workers.connectors.sql.link import Link
    from workers.connectors.sql.listing import Lister


def _link(target: Target) -> Link:
    require("oracle", "oracledb")
    from workers.connectors.sql.oracle.link import connect  # noqa: PLC0415 - see `vendor`

    return connect(target)


def _lister(target: Target) -> Lister:
    require("oracle", "oracledb")
    from workers.connectors.sql.oracle.listing import open_lister  # noqa: PLC0415 - see `vendor`

    return open_lister(target)


def _examine(target: Target) -> Examined:
    require("oracle", "oracledb")
    from workers.connectors.sql.oracle.catalog import OracleExamined  # noqa: PLC0415 - see `vendor`

    return OracleExamined(target)


def _before_tls(_link: socket, options: Mapping[str, str]) -> bool:
    return options.get("protocol") == "tcps"


ORACLE = Vendor(
    name="Oracle",
    scheme="oracle",
    aliases=("oracledb",),
    port=PORT,
    options=OPTIONS,
    tls=TlsOptions(
        off={"protocol": ("tcp", None)},
        wanted={"ca_file": (), "cert_file": (), "key_file": (), "ssl_server_cert_dn": ()},
        remedy="protocol=tcps",
    ),
    files=("ca_file", "cert_file", "key_file"),
    before_tls=_before_tls,
    link=_link,
    examine=_examine,
    lister=_lister,
    position=PositionTable(
        # `position` may be null: that is what Oracle makes of ''.
        create="CREATE TABLE segsync_position (lane CHAR(32) PRIMARY KEY, integration VARCHAR2(63) NOT NULL,"
        " position VARCHAR2(27))",
        make="INSERT INTO segsync_position (lane, integration, position) SELECT '{lane}', '{integration}', '' FROM dual"
        " WHERE NOT EXISTS (SELECT 1 FROM segsync_position WHERE lane = '{lane}')",
        lock=" FOR UPDATE",
    ),
    traits=Traits(
        reader="oracle",
        upsert="MERGE",
        upsert_whole="MERGE INTO … USING (SELECT … FROM dual UNION ALL …) … WHEN MATCHED … WHEN NOT MATCHED …",
        exact_text="varchar2, in sessions that compare binary as segsync's do",
    ),
    preset=PRESET,
)
