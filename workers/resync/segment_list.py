"""A source's own list of segments: what there is, seen or not (docs/resync.md)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from workers.events.profiles import id_problem
from workers.integrations import Segment
from workers.resync.profiles import UnfitSource
from workers.settings.spelling import show

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.connectors.sql.listing import Lister

MOST: Final = 1_000_000
"""Segments of one list, which is held in memory."""
COLUMNS: Final = ("id", "name", "groups", "tags")


def read_segments(statement: str, database: str, open_lister: Callable[[], Lister]) -> list[Segment]:
    """All segments of a database, read to the end; TargetError and UnfitSource.

    A column that is left out, and null, say nothing of a segment.
    """
    lister, found, read = open_lister(), {}, 0
    try:
        for page in lister.pages(statement):
            _check(page.columns)
            for row in page.rows:
                read += 1
                segment = _segment(dict(zip(page.columns, row, strict=True)), database, read)
                if segment.id in found:
                    raise UnfitSource(f"`segments` gives one id twice, {show(segment.id)}; expected each segment once")
                found[segment.id] = segment
            if len(found) > MOST:
                raise UnfitSource(f"`segments` gives more than {MOST:,} rows")
    finally:
        lister.close()
    return list(found.values())


def _check(columns: tuple[str, ...]) -> None:
    if "id" not in columns or set(columns) - set(COLUMNS):
        shown = ", ".join(map(repr, columns[:20]))
        raise UnfitSource(f"`segments` gives the columns {shown}; expected id, and any of name, groups and tags")


def _segment(row: dict[str, object], database: str, number: int) -> Segment:
    id_, name = row["id"], row.get("name")
    is_one = isinstance(id_, (int, str)) and not isinstance(id_, bool)
    if why := id_problem(str(id_)) if is_one else f"is {type(id_).__name__}; expected a whole number or a text":
        raise UnfitSource(f"`segments` gives an id that is none in row {number:,}: {show(id_)} {why}")
    groups, tags = (_names(row.get(each), each, number) for each in ("groups", "tags"))
    return Segment(str(id_), None if name is None else str(name), database, groups, tags)


def _names(given: object, column: str, number: int) -> frozenset[str] | None:
    value = given
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = object()
    if value is None:
        return None
    if isinstance(value, (list, tuple)) and all(isinstance(each, (int, str)) for each in value):
        return frozenset(map(str, value))
    raise UnfitSource(
        f"`segments` gives {column} that are no list in row {number:,}: {show(given)}; "
        'expected an array, or a JSON text like ["a", "b"]'
    )
