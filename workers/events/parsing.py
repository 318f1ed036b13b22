"""What happened on the platform: bytes from the intake, parsed once.

The rules, in full (docs/events.md, rule 6):

- One JSON object in UTF-8, at most 8 MiB. `type` and `segment.id` are always there. Unknown keys are ignored, of a
  key that stands twice the last one counts, and null is the same as an absent key.
- Ids (segment, `_id`, the event's own `id`, groups, tags) are strings or integers, and text from here on: 7 and "7"
  are one. At most 255 bytes of UTF-8, never empty. A segment's id becomes part of Redis keys, so it holds no control
  characters; nor do databases, groups and tags, which are written in configurations.
- `add` and `remove` need `profiles`; `[]` does nothing. Profiles in any other event would silently do nothing, so
  they are refused.
- A profile that cannot be used (no object, no proper `_id`, a lone surrogate, an integer of more than 4,300 digits,
  nested more than 100 levels deep) is a `BadProfile`; the others of its event are good. Bytes that are not JSON take
  the whole event.
- `at` is an ISO 8601 date and time; UTC where it names no zone. Digits beyond microseconds are cut off.

`segsync.py`, which platforms copy, checks the same; `tests/unit/events/table.py` holds both to one table.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import NoReturn

import msgspec

from workers.errors import MalformedEvent
from workers.events.event import Event, Kind, SegmentFacts
from workers.events.iso8601 import since_1970
from workers.events.numerals import Numeral
from workers.events.profiles import id_problem, no_constant, sorted_out, syntax
from workers.events.salvage import BLANKS, cut_out

MAX_EVENT_BYTES = 8 * 1024 * 1024
MAX_NAME_BYTES = 4096
MAX_FACTS = 1000
"""Groups, and tags, of one segment: what is known of segments is read on every routing."""
MAX_PROFILES = 1_000_000
"""Profiles in one event: more than 8 MiB of good ones can hold, so only junk is refused, before it fills memory."""


class _WireSegment(msgspec.Struct, gc=False):
    id: int | str
    name: str | None = None
    database: str | None = None
    groups: list[int | str] | None = None
    tags: list[int | str] | None = None


class _Wire(msgspec.Struct, gc=False):
    type: str
    segment: _WireSegment
    id: int | str | None = None
    at: str | None = None
    profiles: list[msgspec.Raw] | None = None
    snapshot: object = None


_KINDS = {kind.label: kind for kind in Kind}
decode_wire = msgspec.json.Decoder(_Wire).decode

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def parse(data: bytes) -> Event:
    """The event in these bytes.

    Raises MalformedEvent for bytes that are no event. Its text begins with a code and a colon: "too large",
    "not utf-8", "not json", "reserved" or "malformed"; then comes what was wrong, where, and what was expected.
    """
    _check_bytes(data)
    wire, raws = _read(data)
    kind = _kind(wire)
    _check_profiles(kind, raws)
    if wire.id is not None:
        id_text(wire.id, "id")
    segment = _segment(wire.segment)
    at_us = None if wire.at is None else time_of(wire.at)
    profiles, bad = sorted_out(raws or ())
    return Event(kind, segment, at_us, profiles, bad)


def _check_profiles(kind: Kind, raws: list[bytes] | list[msgspec.Raw] | None) -> None:
    if raws is not None and len(raws) > MAX_PROFILES:
        _refuse(f"profiles: expected at most {MAX_PROFILES:,}, got {len(raws):,}")
    if not kind.is_profile:
        if raws:
            _refuse(f"profiles: {kind.label} takes none, got {len(raws)}")
    elif raws is None:
        _refuse(f"profiles: {kind.label} needs them, found none; expected a list ([] does nothing)")


def _refuse(reason: str, code: str = "malformed") -> NoReturn:
    raise MalformedEvent(f"{code}: {reason}")


def _check_bytes(data: bytes) -> None:
    if len(data) > MAX_EVENT_BYTES:
        _refuse(f"{len(data):,} bytes; an event is at most {MAX_EVENT_BYTES:,} (8 MiB)", "too large")
    if data.isascii():
        return
    try:
        data.decode()
    except UnicodeDecodeError as error:
        reason = f"byte {error.start} is 0x{data[error.start]:02x}; expected JSON in UTF-8"
        raise MalformedEvent(f"not utf-8: {reason}") from None


def _read(data: bytes) -> tuple[_Wire, list[bytes] | list[msgspec.Raw] | None]:
    """The event's own fields, and its profiles as they came."""
    try:
        wire = decode_wire(data)
    except msgspec.ValidationError as error:
        _refuse(_where_and_what(error))
    except (msgspec.DecodeError, RecursionError):
        return _read_apart(data.decode())
    return wire, wire.profiles


def _where_and_what(error: msgspec.ValidationError) -> str:
    """'segment.id: expected `int | str`, got `float`': msgspec names types and our fields, never a value."""
    what, _, where = str(error).partition(" - at `$")
    what = what[:1].lower() + what[1:]
    return f"{where.strip('.`')}: {what}" if where else what


def _kind(wire: _Wire) -> Kind:
    if wire.snapshot is not None:
        _refuse("the key 'snapshot' is kept for later; expected an event without it", "reserved")
    kind = _KINDS.get(wire.type)
    if kind is None:
        if wire.type == "resync":
            _refuse("the type 'resync' takes segment.id, perhaps integration, and runs no statements", "reserved")
        _refuse(f"type: {_shown(wire.type)} is none; expected one of {', '.join(_KINDS)}")
    return kind


def time_of(text: str) -> int:
    """An event's `at` in microseconds since 1970. Raises MalformedEvent for text that is no time."""
    moment = since_1970(text)
    if moment is None:
        expected = "expected ISO 8601 with a time of day, years 1 to 9999, as in '2026-11-21T18:30:00.123Z'"
        _refuse(f"at: {_shown(text)} is no time; {expected}")
    return moment


def _shown(value: str) -> str:
    return repr(value if len(value) <= 40 else value[:40] + "…")  # noqa: PLR2004 - the only line that cuts texts


# --- The segment -------------------------------------------------------------------------------------------------


def _segment(wire: _WireSegment) -> SegmentFacts:
    # Most events say no more than which one it is.
    if wire.name is None and wire.database is None and wire.groups is None and wire.tags is None:
        return bare_segment(wire.id)
    return SegmentFacts(
        _plain_id(wire.id, "segment.id"),
        None if wire.name is None else _name(wire.name),
        None if wire.database is None else _plain_id(wire.database, "segment.database"),
        None if wire.groups is None else _facts(wire.groups, "segment.groups"),
        None if wire.tags is None else _facts(wire.tags, "segment.tags"),
    )


@lru_cache(10_000)
def bare_segment(segment_id: int | str) -> SegmentFacts:
    """A segment of which no more is said than its id. Raises MalformedEvent for an id that is none."""
    return SegmentFacts(_plain_id(segment_id, "segment.id"))


def _name(name: str) -> str:
    if "\0" in name or len(name.encode()) > MAX_NAME_BYTES:
        _refuse(f"segment.name: {_shown(name)} holds NUL, or more than {MAX_NAME_BYTES:,} bytes")
    return name


def _facts(values: list[int | str], place: str) -> tuple[str, ...]:
    if len(values) > MAX_FACTS:
        _refuse(f"{place}: expected at most {MAX_FACTS:,}, got {len(values):,}")
    return tuple(dict.fromkeys(_plain_id(value, f"{place}[{index}]") for index, value in enumerate(values)))


def _plain_id(value: int | str, place: str) -> str:
    text = id_text(value, place)
    if not text.isprintable() and _CONTROL.search(text):
        _refuse(f"{place}: {_shown(text)} holds a control character; expected plain text")
    return text


def id_text(value: int | str, place: str) -> str:
    """An id as text. Raises MalformedEvent, which names the place, for one that is none."""
    text = str(value)
    problem = id_problem(text)
    if problem:
        _refuse(f"{place}: {problem}")
    return text


# --- An event that does not decode in one piece ------------------------------------------------------------------


def _read_apart(text: str) -> tuple[_Wire, list[bytes] | list[msgspec.Raw] | None]:
    head, raws = cut_out(text)
    try:
        wire = decode_wire(head.encode())
    except msgspec.ValidationError as error:
        _refuse(_where_and_what(error))
    except (msgspec.DecodeError, RecursionError):
        _explain_syntax(text)
    if wire.profiles:  # their key was written with escapes, and so not found
        return wire, wire.profiles
    return wire, None if wire.profiles is None else raws


def _explain_syntax(text: str) -> NoReturn:
    if not text.strip(BLANKS):
        _refuse("nothing but blanks; expected an object", "not json")
    try:
        json.loads(text, parse_int=Numeral, parse_constant=no_constant)
    except json.JSONDecodeError as error:
        raise MalformedEvent(f"not json: {syntax(error)}") from None
    except RecursionError:
        raise MalformedEvent("malformed: nested too deeply") from None
    _refuse("half of a surrogate pair outside of the profiles")
