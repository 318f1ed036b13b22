"""ClickHouse, as others see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.connectors.sql.clickhouse.options import OPTIONS, PORT, SECURE_PORT
from workers.connectors.sql.clickhouse.preset import PRESET
from workers.connectors.sql.extras import require
from workers.connectors.sql.vendor import TlsOptions, Traits, Vendor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from socket import socket

    from workers.connectors.contract import Target
    from workers.connectors.inspection import Examined
    from workers.connectors.sql.link import Link
    from workers.connectors.sql.listing import Lister


def _link(target: Target) -> Link:
    require("clickhouse", "clickhouse_connect")
    from workers.connectors.sql.clickhouse.link import connect  # noqa: PLC0415 - see `vendor`

    return connect(target)


def _examine(target: Target) -> Examined:
    require("clickhouse", "clickhouse_connect")
    from workers.connectors.sql.clickhouse.catalog import ClickhouseExamined  # noqa: PLC0415 - see `vendor`

    return ClickhouseExamined(target)


def _lister(target: Target) -> Lister:
    require("clickhouse", "clickhouse_connect")
    from workers.connectors.sql.clickhouse.listing import open_lister  # noqa: PLC0415 - see `vendor`

    return open_lister(target)


def _what_stays(_target: Target, _statements: Iterable[str]) -> str:
    return "ClickHouse has no transactions"


def _before_tls(_link: socket, options: Mapping[str, str]) -> bool:
    return options.get("secure") == "true"


CLICKHOUSE = Vendor(
    name="ClickHouse",
    scheme="clickhouse",
    aliases=("clickhousedb", "ch"),
    port=PORT,
    secure_port=SECURE_PORT,
    options=OPTIONS,
    tls=TlsOptions(
        off={"secure": ("false", None)},
        wanted={"ca_cert": (), "client_cert": (), "client_cert_key": (), "server_host_name": ()},
        remedy="secure=true",
    ),
    files=("ca_cert", "client_cert", "client_cert_key"),
    before_tls=_before_tls,
    link=_link,
    examine=_examine,
    lister=_lister,
    what_stays=_what_stays,
    position=None,
    traits=Traits(
        reader="clickhouse",
        upsert="ReplacingMergeTree",
        upsert_whole="a table of ReplacingMergeTree(version) that is ordered by what names the row",
        exact_text="String",
        quoted_names_keep_case=True,
        number_in_text="ClickHouse then reads a fraction as a double, and writes 0.10 as 0.1",
    ),
    preset=PRESET,
)
