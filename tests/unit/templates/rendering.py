"""What the template tests share: compile in one line, render in one line, and the documents' own examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from workers.templates import BadRows, Query, QueryKind, Row, RowError, SegmentView, TemplateErrors, compile_query

if TYPE_CHECKING:
    from collections.abc import Mapping

NOON = 1_795_262_400_000_000
"""2026-11-21 12:00:00 UTC in microseconds."""

SEGMENT = SegmentView("7", "VIP", NOON, 900)

ADD = """INSERT INTO mysegment (segId, clientId, updated)
VALUES
{for $index, $lead = $batch}
({segment_id}, "{$lead.CustomID}", NOW()){autocomma}
{end}
ON DUPLICATE KEY UPDATE
updated = NOW();"""

REMOVE = """DELETE FROM mysegment
WHERE segment_id = {segment_id}
AND clientId IN ({batch_in "CustomID"})"""

CLEAR = """DELETE FROM mysegment
WHERE segment_id = {segment_id}"""

SEGMENT_UPSERT = """INSERT INTO segments (segment_id,name,updated)
VALUES
({segment_id}, "{segment_name}", NOW())
ON DUPLICATE KEY UPDATE
name = "{segment_name}",
updated = NOW();"""

SEGMENT_DELETE = """DELETE FROM segments
WHERE segment_id = {segment_id}
LIMIT 1"""


def compiled(
    source: str,
    dialect: str = "mysql",
    kind: QueryKind = QueryKind.ADD,
    *,
    batch: bool = True,
    key: tuple[str, ...] = (),
    timezone: str = "UTC",
    allow: frozenset[str] = frozenset(),
) -> Query:
    """A compiled query, as most tests want it."""
    return compile_query(
        source, dialect=dialect, kind=kind, batch=batch, key=key, timezone=timezone, allow=allow, where="add"
    )


def rows(*profiles: Mapping[str, object]) -> list[Row]:
    """Profiles as rows: each a second later than the one before, sequences from 100."""
    return [Row(dict(profile), NOON + index * 1_000_000, 100 + index) for index, profile in enumerate(profiles)]


def one(expression: str, profile: dict[str, object], dialect: str = "postgresql", **options: object) -> str:
    """What `expression` becomes in `SELECT …` for one profile."""
    query = compiled(f"SELECT {expression}", dialect, batch=False, **options)  # type: ignore[arg-type]
    (statement,) = query.render(rows(profile), SEGMENT)
    return statement.removeprefix("SELECT ")


def each(body: str, *profiles: dict[str, object], dialect: str = "postgresql", key: tuple[str, ...] = ()) -> list[str]:
    """What `body` becomes in a loop over a batch, after `VALUES `."""
    query = compiled(f"INSERT INTO t VALUES {{for $i, $lead = $batch}}{body}{{end}}", dialect, key=key)
    return [text.removeprefix("INSERT INTO t VALUES ") for text in query.render(rows(*profiles), SEGMENT)]


def mistakes(source: str, dialect: str = "mysql", kind: QueryKind = QueryKind.ADD, **options: object) -> list[str]:
    """The mistakes of a query, as `line:column: what`."""
    with pytest.raises(TemplateErrors) as caught:
        compiled(source, dialect, kind, **options)  # type: ignore[arg-type]
    return [str(mistake).removeprefix("add:") for mistake in caught.value.mistakes]


def bad_rows(query: Query, *profiles: Mapping[str, object]) -> list[RowError]:
    """The errors of the rows that cannot be rendered."""
    with pytest.raises(BadRows) as caught:
        query.render(rows(*profiles), SEGMENT)
    return caught.value.errors
