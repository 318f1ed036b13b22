"""What an event is, once it has been read. Frozen values."""

from __future__ import annotations

from enum import IntEnum

import msgspec

WHOLE_EXCERPT_BYTES = 64 * 1024
EXCERPT_BYTES = 4 * 1024
LAST_OF_PROFILES = 2
"""The largest number of a kind that happens to profiles."""


class Kind(IntEnum):
    """What happened; stored as its number."""

    ADD = 1
    REMOVE = 2
    CLEAR = 3
    SEGMENT_UPSERT = 4
    SEGMENT_DELETE = 5

    def __init__(self, number: int) -> None:
        self.is_profile = number <= LAST_OF_PROFILES
        """Whether it happened to profiles, and not to the segment as a whole. Asked for every event: no property."""

    @property
    def label(self) -> str:
        """The event's `type`, as in "segment_upsert"."""
        return self.name.lower()


class SegmentFacts(msgspec.Struct, frozen=True, gc=False):
    """What one event says of its segment; None where it says nothing.

    (A Struct, as all values here: made five times as fast as a frozen dataclass, which a router feels.)
    """

    id: str
    name: str | None = None
    database: str | None = None
    groups: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None


class BadProfile(msgspec.Struct, frozen=True, gc=False):
    """A profile that cannot be used, for the quarantine.

    index       0-based place in the event
    raw         its JSON as it came
    profile_id  its `_id`, where that can be read
    code        "bad id" or "malformed profile"
    reason      what is wrong, where, and what was expected; never a value
    """

    index: int
    raw: bytes
    profile_id: str | None
    code: str
    reason: str


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event, parsed.

    at_us     microseconds since 1970 in UTC, where the event says when it happened
    profiles  the good ones: (index in the event, `_id` as text, the profile's JSON as it came)
    bad       the others
    """

    kind: Kind
    segment: SegmentFacts
    at_us: int | None
    profiles: list[tuple[int, str, bytes]]
    bad: list[BadProfile]


def raw_excerpt(data: bytes) -> bytes:
    """What the quarantine keeps of bytes that are no event: all of up to 64 KiB, else the first 4 KiB."""
    return data if len(data) <= WHOLE_EXCERPT_BYTES else data[:EXCERPT_BYTES]
