"""The event that nearly all are, read in a fraction of the time: one that says which profiles came or went.

It is an `add` or `remove` of good profiles in a segment of which it tells no more than the id. What is anything else,
or might be, is None here, and left to `parsing.parse`, which alone says what an event is: this is a test that
suffices, and never one that refuses.

Why the same comes out: the event's own fields are read by the decoder that `parse` has, and ids and times are judged
by its functions. A profile is only walked over for its `_id`, without making values of the rest. The walk refuses all
that is no JSON, half of a surrogate pair included. What it does not see is looked for otherwise: UTF-8 in the event as
a whole; too many levels, where there are so many brackets; and an integer of too many digits, where there is room for
one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from workers.events.event import Kind
from workers.events.parsing import MAX_EVENT_BYTES, bare_segment, decode_wire, id_text, time_of
from workers.events.profiles import MAX_DEPTH, MAX_ID_BYTES, SHALLOW_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST_NUMBER = 4_300
"""Digits of an integer beyond which a profile is bad: one with no more bytes has none such."""
SHORT_ID = MAX_ID_BYTES // 4
"""Characters that are not too many bytes, whichever they are."""
PROFILES_AT_MOST = 1_000
"""A longer event is rare, and has work enough in it."""
WHOLE = 2**63
"""Integers below, either side of nothing, have few digits: an `_id` beyond may be too long."""
_KINDS = {kind.label: int(kind) for kind in Kind if kind.is_profile}


class _Named(msgspec.Struct, gc=False):
    id: int | str = msgspec.field(default="", name="_id")


_named = msgspec.json.Decoder(_Named).decode


class UsualEvent(msgspec.Struct, frozen=True, gc=False):
    """What there is to say of one.

    kind     the number of Kind.ADD or Kind.REMOVE: a plain number is quick to compare and to write
    segment  its id as text
    at_us    as in Event
    bodies   each profile's JSON as it came, at least one, by its index in the event
    """

    kind: int
    segment: str
    at_us: int | None
    bodies: list[bytes]


def usual(data: bytes) -> UsualEvent | None:
    """The event in these bytes, if it is a usual one; None says nothing of what it is."""
    if len(data) > MAX_EVENT_BYTES or not (data.isascii() or _is_utf8(data)):
        return None
    try:
        wire = decode_wire(data)
        kind, raws, segment = _KINDS.get(wire.type), wire.profiles, wire.segment
        if kind is None or not raws or len(raws) > PROFILES_AT_MOST or wire.snapshot is not None:
            return None
        if (
            segment.name is not None
            or segment.database is not None
            or segment.groups is not None
            or segment.tags is not None
        ):
            return None
        if wire.id is not None:
            id_text(wire.id, "id")
        at_us = None if wire.at is None else time_of(wire.at)
        bodies = _bodies(raws)
        return None if bodies is None else UsualEvent(kind, bare_segment(segment.id).id, at_us, bodies)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - whatever it is, `parse` meets it, too, and says so
        return None


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _bodies(raws: Iterable[msgspec.Raw]) -> list[bytes] | None:
    """Each as it came, if all are surely good. Raises msgspec.DecodeError for bytes that are none."""
    bodies = []
    for raw in raws:
        body = bytes(raw)
        given = _named(body).id
        if isinstance(given, str):
            if not 0 < len(given) <= SHORT_ID:
                return None
        elif not -WHOLE < given < WHOLE:
            return None
        if len(body) > SHALLOW_BYTES and not _is_plain(body):
            return None
        bodies.append(body)
    return bodies


def _is_plain(body: bytes) -> bool:
    return len(body) <= LONGEST_NUMBER and body.count(b"[") + body.count(b"{") <= MAX_DEPTH
