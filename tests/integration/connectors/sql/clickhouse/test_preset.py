"""What `init` writes for ClickHouse: rows that come late, again or out of order lose in the table itself."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, TypeAlias

import pytest

from workers.connectors.sql.clickhouse.vendor import CLICKHOUSE
from workers.templates import QueryKind, Row, SegmentView, compile_query

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.clickhouse import ClickhouseServer

    Run: TypeAlias = Callable[[str], str]


WINDOW = "SETTINGS non_replicated_deduplication_window = 1000"
"""Left out here: with it the server would pass over what comes again, and the table would not be asked."""


@pytest.fixture
def run(clickhouse_server: ClickhouseServer, clickhouse_url: str) -> Run:
    database = clickhouse_url.rpartition("/")[2]

    def run(statement: str) -> str:
        return clickhouse_server.run(statement, database)

    tables = f"{CLICKHOUSE.preset.members};{CLICKHOUSE.preset.segments}"
    for statement in tables.replace(WINDOW, "").split(";"):
        run(statement)
    return run


def rendered(kind: QueryKind, number: int, *keys: str, name: str | None = None) -> list[str]:
    """The statements of one event, which has this place in the order."""
    text = getattr(CLICKHOUSE.preset.queries, kind.value)
    query = compile_query(text, dialect="clickhouse", kind=kind, batch=kind.has_profiles, key=("CustomID",))
    rows = [Row({"CustomID": key}, number * 1_000_000, number) for key in keys]
    return query.render(rows, SegmentView("7", name, number * 1_000_000, number))


def members(run: Run) -> set[str]:
    return set(run("SELECT client_id FROM segment_member_now WHERE segment_id = 7").split())


ADDS = [
    *rendered(QueryKind.ADD, 1, "a", "b", "c"),
    *rendered(QueryKind.REMOVE, 2, "a", "b"),
    *rendered(QueryKind.ADD, 3, "a", "d"),
    *rendered(QueryKind.REMOVE, 4, "d"),
]


@pytest.mark.parametrize("seed", range(4))
def test_adds_and_removes_in_any_order_and_again_end_alike(run: Run, seed: int) -> None:
    statements = ADDS * 2
    random.Random(seed).shuffle(statements)
    for statement in statements:
        run(statement)
    assert members(run) == {"a", "c"}
    run("OPTIMIZE TABLE segment_member FINAL")
    assert members(run) == {"a", "c"}


def test_a_clear_that_comes_again_leaves_those_who_came_after_it(run: Run) -> None:
    clear = rendered(QueryKind.CLEAR, 2)
    for statement in (*rendered(QueryKind.ADD, 1, "a", "b"), *clear, *rendered(QueryKind.ADD, 3, "a"), *clear):
        run(statement)
    assert members(run) == {"a"}


def test_a_row_that_comes_again_after_its_clear_stays_cleared(run: Run) -> None:
    add = rendered(QueryKind.ADD, 1, "a", "b")
    for statement in (*add, *rendered(QueryKind.CLEAR, 2), *add):
        run(statement)
    assert members(run) == set()


def test_an_old_name_does_not_come_back(run: Run) -> None:
    old, new = (rendered(QueryKind.SEGMENT_UPSERT, n, name=name) for n, name in ((1, "old"), (2, "new")))
    for statement in (*old, *new, *old):
        run(statement)
    assert run("SELECT name FROM segment FINAL") == "new\n"
    for statement in (*rendered(QueryKind.SEGMENT_DELETE, 3), *new):
        run(statement)
    assert run("SELECT name FROM segment FINAL") == ""
