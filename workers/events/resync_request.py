"""The event that asks for a resync: no statement answers it, a run does (docs/resync.md)."""

from __future__ import annotations

import msgspec

from workers.events.event import SegmentFacts
from workers.events.profiles import id_problem


class ResyncRequest(msgspec.Struct, frozen=True):
    """What was asked for.

    integration  the only one that is meant; None: all that follow the segment
    """

    segment: SegmentFacts
    integration: str | None


class _WireSegment(msgspec.Struct):
    id: int | str


class _Wire(msgspec.Struct):
    type: str
    segment: _WireSegment
    integration: str | None = None


_decode = msgspec.json.Decoder(_Wire).decode


def request_in(data: bytes) -> ResyncRequest | None:
    """The request in these bytes; None where they are none, or are not well-formed."""
    try:
        wire = _decode(data)
    except (ValueError, RecursionError):  # msgspec's, and UnicodeDecodeError
        return None
    segment = str(wire.segment.id)
    if wire.type != "resync" or id_problem(segment) or not segment.isprintable():
        return None
    return ResyncRequest(SegmentFacts(segment), wire.integration)
