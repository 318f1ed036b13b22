"""Which integrations an event goes to, and what it teaches about its segment (rule 4). Pure.

Only `segment_upsert` changes what is known of a segment; every other event fills gaps. What leaves a scope is told
by the upsert that takes it out, then nothing; what enters is told from then on and needs a resync. After
`segment_delete` the segment is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from workers.events.event import Kind, SegmentFacts
from workers.integrations import Integration, Segment

if TYPE_CHECKING:
    from collections.abc import Mapping


class Wanted(NamedTuple):
    """Where operations go: a segment, its name by now, and the integrations that are told."""

    segment: str
    name: str | None
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Known:
    """A segment that was seen, and the integrations whose scope it is in."""

    segment: Segment
    targets: tuple[str, ...]

    @cached_property
    def wanted(self) -> Wanted:
        """Where its events go that say nothing new of it, which are most: made once."""
        return Wanted(self.segment.id, self.segment.name, self.targets)


class Judgement(NamedTuple):
    """What follows from one event.

    targets   integrations to tell
    name      the segment's name as the lanes know it from this event on
    known     what is known afterwards; None: forget the segment
    changed   whether that differs from what is stored
    entered   integrations whose scope the segment came into with members they were never told of
    left      integrations whose scope it has left
    asks      of those entered, the ones that ask for a resync of it at once
    clears    of those left, the ones that clear it, too
    """

    targets: tuple[str, ...]
    name: str | None
    known: Known | None
    changed: bool
    entered: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    clears: tuple[str, ...] = ()


class Routes:
    """The routing table of one revision."""

    def __init__(self, integrations: Mapping[str, Integration], default_database: str) -> None:
        self._integrations = list(integrations.values())
        self._default_database = default_database
        self._asking = {each.key for each in self._integrations if each.on_enter == "resync"}
        self._clearing = {each.key for each in self._integrations if each.on_leave == "clear"}

    def known(self, segment: Segment) -> Known:
        """The segment with the integrations that follow it."""
        wanting = (i.key for i in self._integrations if i.scope.wants(segment, self._default_database))
        return Known(segment, tuple(wanting))

    def judge(self, kind: Kind, facts: SegmentFacts, before: Known | None) -> Judgement:
        """What an event means; `before` is None for a segment never seen (or forgotten since)."""
        if before is not None and says_nothing_new(kind, facts, before):
            return Judgement(before.targets, before.segment.name, before, changed=False)
        after = self.known(_merged(kind, facts, before))
        name = after.segment.name
        told_before = before.targets if before is not None else ()
        if kind is Kind.SEGMENT_DELETE:
            return Judgement(_union(told_before, after.targets), name, None, changed=before is not None)
        # What was never seen has not been left, and has no members that anyone misses.
        entered = tuple(k for k in after.targets if k not in told_before) if before is not None else ()
        targets = _union(told_before, after.targets) if kind is Kind.SEGMENT_UPSERT else after.targets
        changed = before is None or after.segment != before.segment
        left = tuple(k for k in told_before if k not in after.targets)
        asks = tuple(k for k in entered if k in self._asking)
        clears = tuple(k for k in left if k in self._clearing)
        return Judgement(targets, name, after, changed, entered, left, asks, clears)


def says_nothing_new(kind: Kind, facts: SegmentFacts, known: Known) -> bool:
    """Whether an event goes where the last one went, and teaches nothing: asked for every event."""
    return kind <= Kind.CLEAR and not _fills(known.segment, facts)


def _union(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def _fills(segment: Segment, facts: SegmentFacts) -> bool:
    """Whether the facts say anything that is not known yet."""
    return (
        (facts.name is not None and segment.name is None)
        or (facts.database is not None and segment.database is None)
        or (facts.groups is not None and segment.groups is None)
        or (facts.tags is not None and segment.tags is None)
    )


def _merged(kind: Kind, facts: SegmentFacts, before: Known | None) -> Segment:
    told = Segment(
        id=facts.id,
        name=facts.name,
        database=facts.database,
        groups=None if facts.groups is None else frozenset(facts.groups),
        tags=None if facts.tags is None else frozenset(facts.tags),
    )
    if before is None:
        return told
    first, second = (told, before.segment) if kind is Kind.SEGMENT_UPSERT else (before.segment, told)
    return Segment(
        id=facts.id,
        name=second.name if first.name is None else first.name,
        database=second.database if first.database is None else first.database,
        groups=second.groups if first.groups is None else first.groups,
        tags=second.tags if first.tags is None else first.tags,
    )


class _Stored(msgspec.Struct, omit_defaults=True):
    """A segment's facts as they stand in Redis."""

    name: str | None = None
    database: str | None = None
    groups: list[str] | None = None
    tags: list[str] | None = None


_stored = msgspec.json.Decoder(_Stored)


def kept_bytes(segment: Segment) -> bytes:
    """What is kept of a segment; groups and tags sorted, so that equal facts are equal bytes."""
    return msgspec.json.encode(
        _Stored(
            segment.name,
            segment.database,
            None if segment.groups is None else sorted(segment.groups),
            None if segment.tags is None else sorted(segment.tags),
        )
    )


def restore(segment_id: str, data: bytes) -> Segment:
    """The segment back from what was kept."""
    kept = _stored.decode(data)
    return Segment(
        segment_id,
        kept.name,
        kept.database,
        None if kept.groups is None else frozenset(kept.groups),
        None if kept.tags is None else frozenset(kept.tags),
    )
