"""Real servers give back, byte by byte, whatever stood in a profile (the promise that no data becomes code)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.servers.rows import Database
from workers.templates import QueryKind, Row, SegmentView, compile_query

if TYPE_CHECKING:
    from workers.connectors.contract import Target

VALUES = "INSERT INTO t VALUES {for $i, $x = $batch}({$i}, '{$x.F}', {$x.F}, 'p-{$x.F}-s'){autocomma}{end}"
DOUBLE = 'INSERT INTO t VALUES {for $i, $x = $batch}({$i}, "{$x.F}", {$x.F}, "p-{$x.F}-s"){autocomma}{end}'
FOUND = 'SELECT COUNT(*) FROM t WHERE b IN ({batch_in "F"})'
TABLES = {
    "postgresql": "CREATE TABLE t (n int, a text, b text, c text)",
    "mysql": "CREATE TABLE t (n int, a longtext, b longtext, c longtext) COLLATE utf8mb4_nopad_bin",
}
SEGMENT = SegmentView("7", "VIP", 0, 1)
HOSTILE = st.text(st.sampled_from("'\"\\`\0\x1a\n\r%_-*/#;$:?@[](){}=aN0é\u2018\u2019\u02bc\u00a0😀"), max_size=12)
ATTACKS = [
    "' OR 1=1 -- ",
    "\\",
    "\\'",
    "x', 1), ('y",
    "'; DROP TABLE t; --",
    '"',
    "''",
    "*/",
    "$$",
    "\\\n'",
    "%s",
    ":x",
]

many = settings(
    max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def round_trip(target: Target, values: list[str], insert: str) -> None:
    """Writes the values and reads them; finds them by their own lists."""
    rows = [Row({"F": value}, 0, 1) for value in values]
    kept = [row for row in rows if row.profile["F"]]
    writing = compile_query(insert, dialect=target.dialect, kind=QueryKind.ADD, batch=True)
    finding = compile_query(FOUND, dialect=target.dialect, kind=QueryKind.REMOVE, batch=True)
    with Database(target) as database:
        database.run("DROP TABLE IF EXISTS t", TABLES[target.dialect], *writing.render(rows, SEGMENT))

        assert database.rows("SELECT a, b, c FROM t ORDER BY n") == [(v, v, f"p-{v}-s") for v in values]
        for statement in finding.render(kept, SEGMENT):
            assert database.rows(statement) == [(len(kept),)]


@many
@given(values=st.lists(st.one_of(HOSTILE, st.text(max_size=12)), min_size=1, max_size=20, unique=True))
@example(values=ATTACKS)
def test_postgresql_gives_back_what_it_got(postgresql_target: Target, values: list[str]) -> None:
    round_trip(postgresql_target, list(dict.fromkeys(value.replace("\0", "") for value in values)), VALUES)


@pytest.mark.parametrize("insert", [VALUES, DOUBLE])
@many
@given(values=st.lists(st.one_of(HOSTILE, st.text(max_size=12)), min_size=1, max_size=20, unique=True))
@example(values=ATTACKS)
def test_mariadb_gives_back_what_it_got(mariadb_target: Target, insert: str, values: list[str]) -> None:
    round_trip(mariadb_target, values, insert)
