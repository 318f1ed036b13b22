"""SQL Server and Azure SQL, as others see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.connectors.sql.extras import require
from workers.connectors.sql.mssql.options import OPTIONS, PORT
from workers.connectors.sql.mssql.preset import PRESET
from workers.connectors.sql.vendor import PositionTable, TlsOptions, Traits, Vendor

if TYPE_CHECKING:
    from workers.connectors.contract import Target
    from workers.connectors.inspection import Examined
    from workers.connectors.sql.link import Link
    from workers.connectors.sql.listing import Lister


def _link(target: Target) -> Link:
    require("mssql", "pytds")
    from workers.connectors.sql.mssql.link import connect  # noqa: PLC0415 - see `vendor`

    return connect(target)


def _lister(target: Target) -> Lister:
    require("mssql", "pytds")
    from workers.connectors.sql.mssql.listing import open_lister  # noqa: PLC0415 - see `vendor`

    return open_lister(target)


def _examine(target: Target) -> Examined:
    require("mssql", "pytds")
    from workers.connectors.sql.mssql.catalog import MssqlExamined  # noqa: PLC0415 - see `vendor`

    return MssqlExamined(target)


MSSQL = Vendor(
    name="SQL Server",
    scheme="mssql",
    aliases=("sqlserver", "tds"),
    port=PORT,
    options=OPTIONS,
    tls=TlsOptions(
        off={"encrypt": ("false",)},
        wanted={"ca_file": (), "cert_file": (), "key_file": (), "host_name_in_certificate": ()},
        remedy="encrypt=true",
    ),
    files=("ca_file", "cert_file", "key_file"),
    link=_link,
    examine=_examine,
    lister=_lister,
    position=PositionTable(
        create="CREATE TABLE segsync_position (lane char(32) COLLATE Latin1_General_BIN2 NOT NULL PRIMARY KEY,"
        " integration varchar(63) NOT NULL, position varchar(27) NOT NULL)",
        # The UPDATE locks the row until the transaction ends: a SELECT has its hints behind the table's name.
        make="UPDATE segsync_position SET position = position WHERE lane = '{lane}';"
        " IF @@ROWCOUNT = 0 INSERT INTO segsync_position (lane, integration, position)"
        " VALUES ('{lane}', '{integration}', '')",
        lock="",
    ),
    traits=Traits(
        reader="tsql",
        upsert="MERGE",
        upsert_whole="MERGE INTO … WITH (HOLDLOCK) … WHEN MATCHED … WHEN NOT MATCHED …",
        rights_are_not_explained=True,
        exact_text="varbinary: every collation of texts, BIN2 too, ignores trailing blanks",
    ),
    preset=PRESET,
)
