"""Routing: moves the intake into the lanes, in order, by one router at a time (rules 1 to 6).

A turn reads events, judges each by the scopes, and moves them in steps that are all or nothing: operations into
lanes, what is known of segments, the position and the exact trim. A router that dies leaves whole steps behind,
and the next one goes on at the position.
"""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import structs

from workers import failpoints as crashpoints
from workers.errors import MalformedEvent, SegsyncError, Stale
from workers.events.event import BadProfile, Event, Kind, raw_excerpt
from workers.events.parsing import parse
from workers.events.retry_header import RetryHeader, decode
from workers.events.sequence import MAX_MS, MAX_N
from workers.failpoints import reach
from workers.integrations import Segment
from workers.lanes import Lanes, Operation
from workers.lanes.chunks import Retry
from workers.lanes.keys import Keys
from workers.outcomes import Quarantined, new_uid
from workers.routing.routes import Known, Routes, Verdict, restore, store
from workers.routing.transfer import Position, Transfer

if TYPE_CHECKING:
    from redis import Redis

READ_AT_MOST = 4_000
DEATHS_AT_MOST = 3
QUARANTINE_AT_MOST = 100_000
"""Open entries of what never reached an integration that keep their bytes; of more only the beginning is kept."""
BEGINNING_BYTES = 256
KNOWN_AT_MOST = 200_000
"""Segments whose facts a router keeps in memory; beyond that it reads them again."""


class RoutingLost(SegsyncError):
    """Another router has taken over; what this one was moving is left to it."""


class Entry(NamedTuple):
    """One entry of the intake: its id, and the bytes of its fields `event` and `retry` (None if it has none)."""

    id: str
    ms: int
    n: int
    data: bytes | None
    retry: bytes | None = None

    @property
    def ticket(self) -> RetryHeader | None:
        """What an entry of the quarantine that is retried carries."""
        return None if self.retry is None else decode(self.retry)


class Router:
    """Routes by one revision of the configuration. Not for use by two threads at once."""

    def __init__(self, redis: Redis, lanes: Lanes, routes: Routes) -> None:
        self._redis = redis
        self._keys = Keys(lanes.namespace)
        self._lanes = lanes
        self._routes = routes
        self._known: dict[str, Known | None] = {}
        self._only_beginnings = False

    def turn(self, token: str, seconds: float) -> int:
        """Routes until the intake is empty or the time is over; returns the number of events moved.

        0 also while another router is at work. Raises Stale, RoutingLost and redis.RedisError.
        """
        taken = self._lanes.take_route(token)
        if taken is None:
            return 0
        try:
            moved = self._route(*taken, time.monotonic() + seconds)
        except Stale:
            self._lanes.leave_route(token)  # whoever has the new revision need not wait for the lease
            raise
        self._lanes.leave_route(token)
        return moved

    def _route(self, position: str, starts: int, deadline: float) -> int:
        self._known.clear()  # another router may have learned since
        # Nobody can be held for what no integration wants, and ten million such events must not fill Redis.
        self._only_beginnings = int(self._redis.hget(self._keys.intake, "quarantined") or 0) >= QUARANTINE_AT_MOST
        load, moved = Transfer(Position.from_text(position), position), 0
        while entries := self._read(load.position):
            load = self._move(load, entries, set_aside=starts > DEATHS_AT_MOST)
            starts = 0
            moved += len(entries)
            if time.monotonic() >= deadline:
                break
        return moved

    def _read(self, position: Position) -> list[Entry]:
        return [_entry(*row) for row in self._lanes.read(position.last_id, READ_AT_MOST)]

    def _move(self, load: Transfer, entries: list[Entry], *, set_aside: bool) -> Transfer:
        """Moves all these events, in as many steps as their size asks for; returns the next, empty load."""
        read = [_poison(e) if set_aside and i == 0 else _parsed(e) for i, e in enumerate(entries)]
        self._learn({event.segment.id for event in read if isinstance(event, Event)})
        for entry, event in zip(entries, read, strict=True):
            if isinstance(event, Quarantined):
                _set_aside(load, entry, self._shortened(event))
            elif entry.retry is not None and (ticket := entry.ticket) and ticket.integration is not None:
                self._put_again(load, entry, event, ticket, ticket.integration)
            else:
                load = self._put(load, entry, event)
            load.finish(entry.id)
            if load.is_full:
                load = self._send(load)
        return self._send(load)

    def _send(self, load: Transfer) -> Transfer:
        if load.is_empty:
            return load
        reach(crashpoints.BEFORE_APPEND)
        if not self._lanes.append(load.move(self._lanes.owner)):
            raise RoutingLost("another router took over")
        reach(crashpoints.AFTER_APPEND)
        return Transfer(load.position, str(load.position))

    def _put(self, load: Transfer, entry: Entry, event: Event) -> Transfer:
        """Puts an event on the load, sending it whenever it is full."""
        start = load.position.index
        verdict = self._judge(load, event)
        if start == 0:
            for bad in event.bad:
                _set_aside(load, entry, self._shortened(_bad_profile(entry, event, bad)))
        if not verdict.targets:
            load.unwanted(event.segment.id, len(event.profiles) if event.kind <= Kind.REMOVE else 1)
            return load
        if event.kind > Kind.REMOVE:
            operation = Operation(entry.ms, entry.n, 0, event.kind, event.at_us, b"")
            load.add(event.segment.id, verdict.name, verdict.targets, operation)
            return load
        for index, _, body in event.profiles:
            if index < start:
                continue
            if load.is_full:
                load.cut(index)
                load = self._send(load)
            operation = Operation(entry.ms, entry.n, index, event.kind, event.at_us, body)
            load.add(event.segment.id, verdict.name, verdict.targets, operation)
        return load

    def _shortened(self, record: Quarantined) -> Quarantined:
        if not self._only_beginnings:
            return record
        return structs.replace(record, payload=record.payload[:BEGINNING_BYTES])

    def _put_again(self, load: Transfer, entry: Entry, event: Event, ticket: RetryHeader, integration: str) -> None:
        """Puts what comes out of the quarantine on the load, for the one integration (rule 30).

        It is old, so it teaches nothing about its segment. What the integration does not follow goes back.
        """
        segment_id = event.segment.id
        known = self._known.get(segment_id) or self._routes.known(Segment(segment_id))
        bodies = [body for _, _, body in event.profiles] if event.kind <= Kind.REMOVE else [b""]
        if integration not in known.targets:
            reason = f"{integration!r} is not in the applied configuration, or does not follow the segment any more"
            load.resolve(ticket.entry, "open", "not followed", reason)
        elif len(bodies) != 1:
            load.resolve(ticket.entry, "open", "malformed", "the retry holds no proper profile, or several")
        else:
            retry = Retry(ticket.entry, ticket.slot, ticket.retries)
            operation = Operation(entry.ms, entry.n, 0, event.kind, event.at_us, bodies[0], retry)
            load.add(segment_id, known.segment.name, (integration,), operation)

    def _judge(self, load: Transfer, event: Event) -> Verdict:
        segment_id = event.segment.id
        before = self._known.get(segment_id)
        verdict = self._routes.judge(event.kind, event.segment, before)
        self._known[segment_id] = verdict.known
        if verdict.changed:
            load.learn(segment_id, b"" if verdict.known is None else store(verdict.known.segment))
        for integration in verdict.entered:
            load.entered(integration, segment_id)
        return verdict

    def _learn(self, segment_ids: set[str]) -> None:
        """Reads what is known of these segments, where it is not in memory."""
        if len(self._known) > KNOWN_AT_MOST:
            self._known.clear()
        missing = [segment_id for segment_id in segment_ids if segment_id not in self._known]
        if not missing:
            return
        found: Any = self._redis.hmget(self._keys.segments, missing)
        for segment_id, stored in zip(missing, found, strict=True):
            self._known[segment_id] = None if stored is None else self._routes.known(restore(segment_id, stored))


def _entry(entry_id: str, data: bytes | None, retry: bytes | None) -> Entry:
    ms, _, n = entry_id.partition("-")
    return Entry(entry_id, int(ms), int(n), data, retry)


def _parsed(entry: Entry) -> Event | Quarantined:
    """The event, or what goes to quarantine in its place."""
    if entry.data is None:
        return _quarantined(entry, "malformed", "the entry has no field 'event'; expected XADD ... event '{...}'")
    if entry.ms > MAX_MS or entry.n > MAX_N:
        return _quarantined(entry, "id out of range", f"the stream id {entry.id} is beyond {MAX_MS}-{MAX_N}")
    try:
        event = parse(entry.data)
    except MalformedEvent as error:
        code, _, reason = str(error).partition(": ")
        return _quarantined(entry, code, reason)
    return event if entry.retry is None else _dated(entry, event)


def _dated(entry: Entry, event: Event) -> Event | Quarantined:
    """A retried event with the time when it happened."""
    ticket = entry.ticket
    if ticket is None:
        return _quarantined(entry, "malformed", "the field 'retry' is none of ours; expected the field 'event' alone")
    return event if ticket.at_us is None else structs.replace(event, at_us=ticket.at_us)


def _set_aside(load: Transfer, entry: Entry, record: Quarantined) -> None:
    """Into the quarantine, or back: an entry of its own, that of an event that was retried, or the one that it had."""
    ticket = entry.ticket
    if ticket is None:
        load.quarantine(record)
    elif ticket.integration is not None:
        load.resolve(ticket.entry, "open", record.code, record.reason)
    else:
        # The same uid however often the retry is repeated.
        uid = hashlib.sha256(f"{ticket.entry}/{ticket.retries}/{record.sequence[-7:]}".encode()).hexdigest()[:24]
        load.quarantine(structs.replace(record, uid=uid, retries=ticket.retries, replaces=ticket.entry))


def _poison(entry: Entry) -> Quarantined:
    reason = f"routing it ended the router's process {DEATHS_AT_MOST} times; kept as it came"
    return _quarantined(entry, "poison", reason)


def _quarantined(entry: Entry, code: str, reason: str) -> Quarantined:
    data = entry.data or b""
    return Quarantined(
        uid=new_uid(),
        integration=None,
        segment=None,
        event_type=None,
        profile=None,
        sequence=f"{entry.ms:013d}{entry.n:07d}{0:07d}",
        at_ms=time.time_ns() // 1_000_000,
        code=code,
        reason=reason,
        payload=raw_excerpt(data),
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _bad_profile(entry: Entry, event: Event, bad: BadProfile) -> Quarantined:
    return Quarantined(
        uid=new_uid(),
        integration=None,
        segment=event.segment.id,
        event_type=event.kind.label,
        profile=bad.profile_id,
        sequence=f"{entry.ms:013d}{entry.n:07d}{bad.index:07d}",
        at_ms=time.time_ns() // 1_000_000,
        code=bad.code,
        reason=bad.reason,
        payload=raw_excerpt(bad.raw),
        size=len(bad.raw),
        sha256=hashlib.sha256(bad.raw).hexdigest(),
        event_us=entry.ms * 1000 if event.at_us is None else event.at_us,
    )
