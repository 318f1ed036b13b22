"""Where a profile's operations are at this moment: in the intake, or in a lane, and at which place.

Looks and changes nothing; what it tells may have moved a moment later.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from workers.events.event import Event, Kind
from workers.events.profiles import profile as decode
from workers.lanes.answers import fields_of, length_of, score_of
from workers.lanes.chunks import MARK, UnreadableChunk, unpack
from workers.lanes.walking import chunks, entries
from workers.monitoring.ages import moment_of
from workers.routing.entry import Entry, UnreadableEvent, entry_of, read_part
from workers.templates import RowProblem
from workers.templates.query import key_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from redis import Redis

    from workers.lanes.chunks import Operation
    from workers.lanes.keys import Keys

SECONDS: Final = 3.0
"""How long the intake, and a lane, are searched: about a million operations."""
MOST_TOLD: Final = 20
"""Operations that are told of one profile in one place."""


@dataclass(frozen=True, slots=True)
class Sought:
    """A profile of one segment.

    profile  its `_id`, or the text of one of its key fields; None: only what concerns the whole segment
    """

    segment: str
    profile: str | None
    key_fields: tuple[str, ...]

    def names(self, raw: bytes) -> bool:
        """Whether this profile's JSON is the one that is sought."""
        if self.profile is None:
            return False
        try:
            decoded = decode(raw)
        except msgspec.DecodeError:
            return False
        if str(decoded.get("_id")) == self.profile:
            return True
        try:
            return self.profile in key_of(decoded, self.key_fields)
        except RowProblem:
            return False


@dataclass(frozen=True, slots=True)
class Met:
    """An operation that was found.

    what   its event's type
    at     when it came in: its stream's time
    place  from 1: its place among the events of the intake, or among the operations that the lane owes
    """

    what: str
    at: datetime | None
    place: int


@dataclass(frozen=True, slots=True)
class Head:
    """The operation that a lane fails with, by itself.

    what     its event's type
    at       when it came in
    profile  the profile's `_id`; None where it has none, or is a segment's event
    """

    what: str
    at: datetime | None
    profile: str | None


@dataclass(slots=True)
class Sight:
    """What was found in one place.

    total     events or operations there
    looked    how many of them were looked at: all, if time sufficed
    segment   of these, events of the segment
    met       the profile's, in order, at most MOST_TOLD; where no profile is sought, the segment's own events
    whole     the segment's own events, likewise: a clear behind an add makes it moot
    """

    total: int = 0
    looked: int = 0
    segment: int = 0
    met: list[Met] = field(default_factory=list)
    whole: list[Met] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether all of it was looked at."""
        return self.looked >= self.total

    def note(self, what: str, ms: int) -> None:
        """Adds an operation of the profile, at the place that is looked at."""
        if len(self.met) < MOST_TOLD:
            self.met.append(Met(what, moment_of(ms), self.looked))

    def note_whole(self, what: str, ms: int, sought: Sought) -> None:
        """Adds an event of the segment itself."""
        if len(self.whole) < MOST_TOLD:
            self.whole.append(Met(what, moment_of(ms), self.looked))
        if sought.profile is None:
            self.note(what, ms)


@dataclass(frozen=True, slots=True)
class LaneSight:
    """What a lane says of itself.

    owes      operations
    oldest    when the first of them came in; None where there is none
    due       when it is to be served: its lease's end while it is being served; None where nothing is due
    full      whether it goes at once, as a full batch or with a segment event
    owner     who serves it now; "" where nobody does
    attempts  failed tries of the batch at its head, the last of which failed for `why`
    hold      why it waits for someone; "" where it does not
    """

    owes: int
    oldest: datetime | None
    due: datetime | None
    full: bool
    owner: str
    attempts: int
    why: str
    hold: str


def read_lane(redis: Redis, keys: Keys, integration: str, segment: str, now: int) -> LaneSight:
    """The lane at `now`, in Redis milliseconds. redis.RedisError."""
    fields = fields_of(redis, keys.lane(integration, segment))
    full = score_of(redis, keys.full(integration), segment)
    timed = score_of(redis, keys.timed(integration), segment)
    due = timed if full is None else full
    served = float(fields.get("until", 0)) > now
    return LaneSight(
        owes=int(float(fields.get("count", 0))),
        oldest=moment_of(fields.get("head")),
        due=None if due is None else moment_of(str(due)),
        full=full is not None,
        owner=fields.get("owner", "") if served else "",
        attempts=int(float(fields.get("attempts", 0))),
        why=fields.get("why", ""),
        hold=fields.get("hold", ""),
    )


def read_head(redis: Redis, keys: Keys, integration: str, segment: str, *, single: bool) -> Head | None:
    """The operation that a lane fails with, where that is a single one; `single`: profiles go one at a time.

    None where it is one of many, or nothing fails. redis.RedisError.
    """
    fields = fields_of(redis, keys.lane(integration, segment))
    if not (fields.get("hold") or fields.get("attempts")) or not (single or fields.get("limit") == "1"):
        return None
    first = next(_owed(redis, keys.chunks(integration, segment), fields.get("done", "")), None)
    if first is None:
        return None
    return Head(Kind(first.kind).label, moment_of(first.ms), _id_in(first.body) if first.is_profile else None)


def _id_in(raw: bytes) -> str | None:
    try:
        found = decode(raw).get("_id")
    except msgspec.DecodeError:
        return None
    return None if found is None else str(found)


def in_lane(redis: Redis, keys: Keys, integration: str, sought: Sought) -> Sight:
    """What of the sought stands in the integration's lane. redis.RedisError."""
    fields = fields_of(redis, keys.lane(integration, sought.segment))
    sight = Sight(total=int(float(fields.get("count", 0))))
    for operation in _owed(redis, keys.chunks(integration, sought.segment), fields.get("done", "")):
        sight.looked += 1
        sight.segment += 1
        if not operation.is_profile:
            sight.note_whole(Kind(operation.kind).label, operation.ms, sought)
        elif sought.names(operation.body):
            sight.note(Kind(operation.kind).label, operation.ms)
    return sight


def _owed(redis: Redis, key: str, done: str) -> Iterator[Operation]:
    """A lane's operations behind the last settled one, for as long as there is time."""
    ends = time.monotonic() + SECONDS
    for chunk in chunks(redis, key):
        try:
            _, operations = unpack(chunk)
        except UnreadableChunk:
            return  # its deliverer says so
        yield from (each for each in operations if each.sequence > done and each.kind != MARK)
        if time.monotonic() > ends:
            return


def in_intake(redis: Redis, keys: Keys, installation: str, sought: Sought) -> Sight:
    """What of the sought waits to be routed; what cannot be read is nobody's. redis.RedisError."""
    sight, ends = Sight(total=length_of(redis, keys.events)), time.monotonic() + SECONDS
    for each in entries(redis, keys.events):
        sight.looked += 1
        _look_into(entry_of(each.id.encode(), list(each.fields), installation), sought, sight)
        if time.monotonic() > ends:
            break
    return sight


def _look_into(entry: Entry, sought: Sought, sight: Sight) -> None:
    for part in range(len(entry.parts)):
        try:
            event = read_part(entry, part)
        except UnreadableEvent:
            continue
        if isinstance(event, Event) and event.segment.id == sought.segment:
            sight.segment += 1
            _note_event(event, entry.ms, sought, sight)


def _note_event(event: Event, ms: int, sought: Sought, sight: Sight) -> None:
    if not event.kind.is_profile:
        sight.note_whole(event.kind.label, ms, sought)
    elif sought.profile is not None:
        for _ in (raw for _, _, raw in event.profiles if sought.names(raw)):
            sight.note(event.kind.label, ms)
