"""SQLite, as others see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.connectors.sql.sqlite.options import OPTIONS
from workers.connectors.sql.sqlite.preset import PRESET
from workers.connectors.sql.vendor import Explain, PositionTable, Traits, Vendor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.connectors.contract import Target
    from workers.connectors.inspection import Examined
    from workers.connectors.sql.link import Link
    from workers.connectors.sql.listing import Lister
    from workers.connectors.sql.page_plan import AskedPage, PagePlan


def _link(target: Target) -> Link:
    from workers.connectors.sql.sqlite.link import connect  # noqa: PLC0415 - see `vendor`

    return connect(target)


def _examine(target: Target) -> Examined:
    from workers.connectors.sql.sqlite.catalog import SqliteExamined  # noqa: PLC0415 - see `vendor`

    return SqliteExamined(target)


def _page_plan(lines: Sequence[str], asked: AskedPage) -> PagePlan:
    from workers.connectors.sql.sqlite.page_plan import page_plan  # noqa: PLC0415 - see `vendor`

    return page_plan(lines, asked)


def _lister(target: Target) -> Lister:
    from workers.connectors.sql.sqlite.listing import open_lister  # noqa: PLC0415 - see `vendor`

    return open_lister(target)


SQLITE = Vendor(
    name="SQLite",
    scheme="sqlite",
    aliases=("sqlite3",),
    port=None,
    options=OPTIONS,
    link=_link,
    explain=Explain("EXPLAIN QUERY PLAN ", _page_plan),
    examine=_examine,
    lister=_lister,
    position=PositionTable(
        create="CREATE TABLE segsync_position (lane text PRIMARY KEY, integration text NOT NULL,"
        " position text NOT NULL)",
        make="INSERT INTO segsync_position (lane, integration, position) VALUES ('{lane}', '{integration}', '')"
        " ON CONFLICT DO NOTHING",
        lock="",  # the transaction has the whole file
    ),
    traits=Traits(
        reader="sqlite",
        upsert="ON CONFLICT",
        upsert_whole="ON CONFLICT (…) DO UPDATE",
        exact_text="text with COLLATE BINARY",
        ignoring="passes over rows that break a constraint, without a word",
        number_in_text="SQLite then keeps fifteen digits of a fraction, and writes 0.10 as 0.1",
        names_may_be_texts=True,
    ),
    preset=PRESET,
)
