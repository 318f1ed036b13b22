"""A source's own list of segments: what there is, seen or not (docs/resync.md)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import msgspec

from workers.errors import MalformedEvent
from workers.events.parsing import parse
from workers.integrations import Segment
from workers.resync.feed_answer import entries
from workers.resync.feed_links import Links
from workers.resync.profiles import UnfitSource, text_of_bytes
from workers.settings.spelling import show

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from workers.connectors.sql.listing import Lister

MOST: Final = 1_000_000
"""Segments of one list, which is held in memory."""
COLUMNS: Final = ("id", "name", "groups", "tags")
EXPECTED: Final = "expected id, and any of name, groups and tags"

_decode = msgspec.json.Decoder(dict[str, object]).decode
_encode = msgspec.json.Encoder().encode


def read_segments(rows: Iterable[dict[str, object]], database: str) -> list[Segment]:
    """All segments of a database, read to the end; TargetError and UnfitSource.

    rows  what `rows_of_database` or `rows_of_answers` gives

    What is left out, and null, say nothing of a segment.
    """
    found: dict[str, Segment] = {}
    for number, row in enumerate(rows, 1):
        segment = _segment(row, database, number)
        if segment.id in found:
            raise UnfitSource(f"`segments` gives one id twice, {show(segment.id)}; expected each segment once")
        if len(found) == MOST:
            raise UnfitSource(f"`segments` gives more than {MOST:,} segments; expected no more")
        found[segment.id] = segment
    return list(found.values())


def rows_of_database(statement: str, open_lister: Callable[[], Lister]) -> Iterator[dict[str, object]]:
    """What a SELECT lists, to its end; TargetError and UnfitSource."""
    lister = open_lister()
    try:
        for page in lister.pages(statement):
            _check(page.columns)
            for row in page.rows:
                yield dict(zip(page.columns, row, strict=True))
    finally:
        lister.close()


def rows_of_answers(ask: Callable[[Links], Generator[bytes]]) -> Iterator[dict[str, object]]:
    """What a source lists by itself, to the proven end of its last answer; TargetError and UnfitSource.

    ask  gives the bytes of the answer at a link, and notes the next one
    """
    links, number = Links(), 0
    while True:
        for entry in entries(ask(links)):
            number += 1
            try:
                row = _decode(entry)
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
                shown = show(entry.decode(errors="replace"))
                raise UnfitSource(
                    f"`segments` gives what is no object in row {number:,}: {shown}; {EXPECTED}"
                ) from None
            _check(tuple(row))
            yield row
        if not links.go_on():
            return


def facts_of(segment: Segment) -> dict[str, Any]:
    """What is known of a segment, as an event has it."""
    facts = {
        "name": segment.name,
        "database": segment.database,
        "groups": None if segment.groups is None else sorted(segment.groups),
        "tags": None if segment.tags is None else sorted(segment.tags),
    }
    return {name: value for name, value in facts.items() if value is not None}


def event_of(segment: Segment) -> bytes:
    """The event that tells of a segment, as the platform's own would."""
    return _encode({"type": "segment_upsert", "segment": {"id": segment.id, **facts_of(segment)}})


def _check(columns: tuple[str, ...]) -> None:
    if "id" not in columns or set(columns) - set(COLUMNS):
        shown = ", ".join(show(each) for each in columns[:20])
        raise UnfitSource(f"`segments` gives the columns {shown}; {EXPECTED}")


def _segment(row: dict[str, object], database: str, number: int) -> Segment:
    id_ = row["id"]
    if not isinstance(id_, (int, str)) or isinstance(id_, bool):
        what = f"{show(id_)} is {type(id_).__name__}; expected a whole number or a text"
        raise UnfitSource(f"`segments` gives an id that is none in row {number:,}: {what}")
    groups, tags = (_names(row.get(each), each, number) for each in ("groups", "tags"))
    segment = Segment(str(id_), _name(row.get("name"), number), database, groups, tags)
    try:
        # What no event could say would be taken into the intake, and then into the quarantine.
        parse(event_of(segment))
    except (MalformedEvent, UnicodeEncodeError) as error:
        what = "it is no text" if isinstance(error, UnicodeEncodeError) else str(error).partition(": ")[2]
        raise UnfitSource(
            f"`segments` gives what is no segment in row {number:,}, {show(segment.id)}: {what}"
        ) from None
    return segment


def _name(given: object, number: int) -> str | None:
    if given is None:
        return None
    if isinstance(given, bytes):
        return text_of_bytes(given)
    if isinstance(given, (int, str)) and not isinstance(given, bool):
        return str(given)
    raise UnfitSource(f"`segments` gives a name that is none in row {number:,}: {show(given)}; expected a text")


def _names(given: object, column: str, number: int) -> frozenset[str] | None:
    value = given
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = object()
    if value is None:
        return None
    if isinstance(value, (list, tuple)) and all(type(each) in (int, str) for each in value):
        return frozenset(map(str, value))
    raise UnfitSource(
        f"`segments` gives {column} that are no list in row {number:,}: {show(given)}; "
        'expected an array, or a JSON text like ["a", "b"]'
    )
