"""What real servers make of random templates: each that they run with a harmless value they run with any other.

Where a server stands on the same side of a quote as the compiler, the value comes back in its column, and
a statement that was no syntax error is none. The templates are those that the second lexers judge, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.proof import draws, seeded
from tests.servers.clickhouse import ClickhouseEngine
from tests.servers.rows import Database
from tests.unit.templates.odd_templates import MARK, odd_template, odd_value, storable
from workers.templates import BadRows, Query, QueryKind, Row, SegmentView, TemplateErrors, compile_query

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.proof import Recorder
    from workers.connectors.contract import Target

    Run = Callable[[str], list[Any]]

TEMPLATES = draws(800, 100_000)

pytestmark = pytest.mark.proof


def query(source: str, dialect: str) -> Query | None:
    try:
        return compile_query(source, dialect=dialect, kind=QueryKind.ADD, batch=False)
    except TemplateErrors:
        return None


def statement(found: Query, text: str) -> str | None:
    """The one SELECT for a profile with that text everywhere; None where there is another."""
    profile = {"F": text, "G": 1, "L": [text]}
    try:
        statements = found.render([Row(profile, 0, 1)], SegmentView("s", text, 0, 1))
    except BadRows:
        return None
    return statements[0] if len(statements) == 1 else None


def cells(answer: list[Any], expected: list[Any], text: str) -> list[tuple[str, str]]:
    """The cells with a value in them, as they are and as they must be; but lists, which are written with escapes."""
    alike = zip(answer, expected, strict=True)
    both = [(str(got), str(want)) for row, like in alike for got, want in zip(row, like, strict=True)]
    return [(got, want.replace(MARK, text)) for got, want in both if MARK in want and not want.startswith("[")]


def judge(run: Run, dialect: str, record: Recorder) -> None:
    """Each template that the server runs it runs with the value that went in."""
    (dice, seed), ran = seeded(11), 0
    for _ in range(TEMPLATES):
        source, text = odd_template(dice), storable(odd_value(dice), dialect)
        found = query(source, dialect)
        harmless = found and statement(found, MARK)
        hostile = found and statement(found, text + MARK)
        if not harmless or not hostile:
            continue
        try:
            expected = run(harmless)
        except Exception:  # noqa: BLE001, S112 - most of the soup is no SQL
            continue
        ran += 1
        answer = run(hostile)
        for got, want in cells(answer, expected, text + MARK):
            assert got == want, (seed, source, text)
    record("drew", f"{TEMPLATES:,} templates, of which {ran:,} run (seed {seed})")
    assert ran > TEMPLATES / 100, "too few templates run to show anything"


def test_sqlite_runs_what_it_would_run_anyway(sqlite_target: Target, record_property: Recorder) -> None:
    with Database(sqlite_target) as database:
        judge(database.rows, "sqlite", record_property)


def test_mariadb_runs_what_it_would_run_anyway(mariadb_target: Target, record_property: Recorder) -> None:
    with Database(mariadb_target) as database:
        judge(database.rows, "mysql", record_property)


def test_postgresql_runs_what_it_would_run_anyway(postgresql_target: Target, record_property: Recorder) -> None:
    with Database(postgresql_target) as database:
        judge(database.rows, "postgresql", record_property)


def test_clickhouse_runs_what_it_would_run_anyway(record_property: Recorder) -> None:
    engine = ClickhouseEngine()
    try:
        judge(engine.rows, "clickhouse", record_property)
    finally:
        engine.close()
