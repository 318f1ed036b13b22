"""A source's own list of segments: what there is, seen or not (docs/resync.md)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from workers.events.profiles import id_problem
from workers.integrations import Segment
from workers.resync.profiles import UnfitSource

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
    lister, found = open_lister(), {}
    try:
        for page in lister.pages(statement):
            _check(page.columns)
            for row in page.rows:
                segment = _segment(dict(zip(page.columns, row, strict=True)), database)
                if segment.id in found:
                    raise UnfitSource("`segments` gives one id twice; expected each segment once")
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


def _segment(row: dict[str, object], database: str) -> Segment:
    id_, name = row["id"], row.get("name")
    if not isinstance(id_, (int, str)) or isinstance(id_, bool) or (why := id_problem(str(id_))):
        told = why if isinstance(id_, (int, str)) and not isinstance(id_, bool) else f"it is {type(id_).__name__}"
        raise UnfitSource(f"`segments` gives an id that is none: {told}")
    groups, tags = (_names(row.get(each), each) for each in ("groups", "tags"))
    return Segment(str(id_), None if name is None else str(name), database, groups, tags)


def _names(value: object, column: str) -> frozenset[str] | None:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = object()
    if value is None:
        return None
    if isinstance(value, (list, tuple)) and all(isinstance(each, (int, str)) for each in value):
        return frozenset(map(str, value))
    raise UnfitSource(f'`segments` gives {column} that are no list; expected an array, or a JSON text like ["a", "b"]')
