"""PostgreSQL, as others see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.connectors.sql.postgresql.options import OPTIONS
from workers.connectors.sql.postgresql.preset import PRESET
from workers.connectors.sql.vendor import Explain, PositionTable, TlsOptions, Traits, Vendor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from socket import socket

    from workers.connectors.contract import Target
    from workers.connectors.inspection import Examined
    from workers.connectors.sql.link import Link
    from workers.connectors.sql.listing import Lister
    from workers.connectors.sql.page_plan import AskedPage, PagePlan


def _link(target: Target) -> Link:
    from workers.connectors.sql.postgresql.link import connect  # noqa: PLC0415 - see `vendor`

    return connect(target)


def _examine(target: Target) -> Examined:
    from workers.connectors.sql.postgresql.catalog import PostgresqlExamined  # noqa: PLC0415 - see `vendor`

    return PostgresqlExamined(target)


def _page_plan(lines: Sequence[str], asked: AskedPage) -> PagePlan:
    from workers.connectors.sql.postgresql.page_plan import page_plan  # noqa: PLC0415 - see `vendor`

    return page_plan(lines, asked)


def _lister(target: Target) -> Lister:
    from workers.connectors.sql.postgresql.listing import open_lister  # noqa: PLC0415 - see `vendor`

    return open_lister(target)


def _before_tls(link: socket, options: Mapping[str, str]) -> bool:
    # SSLRequest: https://www.postgresql.org/docs/current/protocol-message-formats.html
    if options.get("sslmode") == "disable":
        return False
    link.sendall(bytes([0, 0, 0, 8, 4, 210, 22, 47]))
    return link.recv(1) == b"S"


POSTGRESQL = Vendor(
    name="PostgreSQL",
    scheme="postgresql",
    aliases=("postgres", "pgsql", "psql", "psycopg"),
    port=5432,
    options=OPTIONS,
    tls=TlsOptions(
        off={"sslmode": ("disable",)},
        wanted={"sslrootcert": (), "sslcrl": (), "sslcert": (), "sslkey": (), "channel_binding": ("require",)},
        remedy="sslmode=verify-full",
    ),
    files=("sslrootcert", "sslcert", "sslkey", "sslcrl"),
    before_tls=_before_tls,
    link=_link,
    explain=Explain("EXPLAIN ", _page_plan),
    examine=_examine,
    lister=_lister,
    position=PositionTable(
        create="CREATE TABLE segsync_position (lane char(32) PRIMARY KEY, integration varchar(63) NOT NULL,"
        " position varchar(27) NOT NULL)",
        make="INSERT INTO segsync_position (lane, integration, position) VALUES ('{lane}', '{integration}', '')"
        " ON CONFLICT DO NOTHING",
        lock=" FOR UPDATE",
    ),
    traits=Traits(
        reader="postgres",
        upsert="ON CONFLICT",
        upsert_whole="ON CONFLICT (…) DO UPDATE",
        exact_text='varchar or text with COLLATE "C"',
        quoted_names_keep_case=True,
    ),
    preset=PRESET,
)
