"""Routing: moves the intake into the lanes, in order, by one router at a time (rules 1 to 6).

A turn reads events, judges each by the scopes, and moves them in steps that are all or nothing: operations into
lanes, what is known of segments, the position and the exact trim. A router that dies leaves whole steps behind,
and the next one goes on at the position.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from workers import failpoints as crashpoints
from workers.errors import SegsyncError
from workers.events.resync_request import ResyncRequest
from workers.events.usual import UsualEvent, usual
from workers.failpoints import reach
from workers.integrations import Segment
from workers.lanes import Operation, store
from workers.lanes.chunks import Retry
from workers.lanes.lease import ROUTE
from workers.lanes.runs import ResyncRuns
from workers.log import FIELDS_IGNORED, ROUTER_RESTS, tell
from workers.routing.entry import Entry, Part, Read, UnreadableEvent, entry_of, read, segments_of
from workers.routing.losses import Losses
from workers.routing.position import Position, place
from workers.routing.refusals import bad_profile, poison, refused, set_aside, shortened
from workers.routing.room import Room
from workers.routing.routes import Known, Routes, Wanted, restore, says_nothing_new
from workers.routing.teaching import clear_behind, teach
from workers.routing.transfer import Transfer
from workers.routing.usual import put_usual

if TYPE_CHECKING:
    from workers.events.event import Event
    from workers.events.mark import Mark
    from workers.events.retry_header import RetryHeader
    from workers.events.sequence import Sequence
    from workers.lanes import Lanes
    from workers.lanes.lease import Held, Leases
    from workers.lanes.moves import InEntry, Reading
    from workers.outcomes import Quarantined
    from workers.routing.routes import Judgement

READ_AT_MOST = 10_000
"""Entries that are read at once; their bytes are bounded besides."""
DEATHS_AT_MOST = 3
"""Processes that may end over one event before it goes to the quarantine unread."""
QUARANTINE_AT_MOST = 100_000
"""Open entries of what never reached an integration that keep their bytes; of more only the beginning is kept."""
KNOWN_AT_MOST = 200_000
"""Segments whose facts a router keeps in memory; beyond that it reads them again."""
REST_SECONDS = 0.5
"""How long the router rests before it looks again whether Redis has room."""
ASKED_BY = "an event"
"""Who asks for a resync that came through the intake."""


class RoutingLost(SegsyncError):
    """Another router has taken over; what this one was moving is left to it."""


class NoRoomLeft(SegsyncError):
    """Redis is above its limit: what is owed must be delivered first."""


class Router:
    """Routes by one revision of the configuration. Not for use by two threads at once."""

    def __init__(self, lanes: Lanes, routes: Routes, leases: Leases) -> None:
        self._lanes = lanes
        self._routes = routes
        self._leases = leases
        self._room = Room(lanes)
        self._runs = ResyncRuns(lanes)
        self._losses = Losses()
        self._known: dict[str, Known | None] = {}
        self._owner = ""
        self._now_ms = 0
        self._only_beginnings = False

    def turn(self, token: str, seconds: float) -> int:
        """Routes until the intake is empty or the time is over; returns the number of events moved.

        0 also while another router is at work. Raises Stale, RoutingLost and redis.RedisError.
        """
        ends = time.monotonic() + seconds
        with self._leases.hold(ROUTE, token) as held:
            return 0 if held is None else self._route(held, ends)

    def _route(self, held: Held, ends: float) -> int:
        self._known.clear()  # another router may have learned since
        self._owner = held.owner
        self._room.look()
        moved, deaths = 0, held.deaths
        try:
            while (reading := self._lanes.read(READ_AT_MOST, self._room.step_bytes(store.BUDGET_BYTES))).entries:
                self._move(reading, deaths)
                deaths = 0
                moved += len(reading.entries)
                if time.monotonic() >= ends:
                    break
        except NoRoomLeft as error:
            tell(ROUTER_RESTS, reason=error)
            held.rest(REST_SECONDS, str(error))
        return moved

    def _move(self, reading: Reading, deaths: int) -> None:
        """Moves all these entries, in as many steps as their size asks for."""
        self._now_ms = reading.now_ms
        # Nobody can be held for what no integration wants, and ten million such events must not fill Redis.
        self._only_beginnings = reading.quarantined >= QUARANTINE_AT_MOST
        load = self._load(Position.from_text(reading.position), reading.position)
        # Who died may have died over any of them: each goes by itself, and the next to die has its killer at the head.
        for some in [[each] for each in reading.entries] if deaths else [reading.entries]:
            load, deaths = self._move_together(load, some, unread_for=deaths if deaths >= DEATHS_AT_MOST else 0), 0

    def _move_together(self, load: Transfer, entries: list[tuple[bytes, InEntry]], *, unread_for: int) -> Transfer:
        """Moves these; `unread_for`: so many processes have died over the only one of them, and it is not read."""
        events = [self._read(*each, unread_for) for each in entries]
        self._learn(segments_of(events))
        at, (first, index) = 0, load.position.start_of(entries[0][0].decode())
        if first or index:
            load, at = self._put_entry(load, self._in_full(*entries[0], events[0]), first, index), 1
        while at < len(entries):
            reached = put_usual(load, entries, events, at, self._known, self._now_ms)
            if reached == at:
                load, reached = self._put_entry(load, self._in_full(*entries[at], events[at])), at + 1
            elif load.is_full:
                load = self._send(load)
            at = reached
        return self._send(load)

    def _read(self, entry_id: bytes, given: InEntry, unread_for: int) -> UsualEvent | Read:
        if unread_for:
            entry = entry_of(entry_id, given, self._lanes.installation)
            return Read(entry, [unread_for] * len(entry.parts))
        event = usual(given) if isinstance(given, bytes) else None
        return self._in_full(entry_id, given, event) if event is None else event

    def _in_full(self, entry_id: bytes, given: InEntry, event: UsualEvent | Read | None) -> Read:
        """For the general way."""
        return event if isinstance(event, Read) else read(entry_of(entry_id, given, self._lanes.installation))

    def _put_entry(self, load: Transfer, whole: Read, first: int = 0, index: int = 0) -> Transfer:
        """Puts an entry on the load from its part `first` on, and of that from profile `index` on."""
        entry, parts = whole
        for part in range(first, len(parts)):
            load = self._put_part(load, entry, part, index, parts[part])
            index = 0
        if entry.mark is not None:
            self._put_mark(load, entry, entry.mark)
        if entry.ignored:
            load.ignore(len(entry.ignored))
            tell(FIELDS_IGNORED, entry=entry.id, fields=len(entry.ignored))
        load.finish(entry.id, len(parts))
        return self._send(load) if load.is_full else load

    def _load(self, position: Position, text: str) -> Transfer:
        return Transfer(position, text, self._room.step_bytes(store.BUDGET_BYTES))

    def _send(self, load: Transfer) -> Transfer:
        if load.is_empty:
            return load
        if not self._room.take(load.size):
            raise NoRoomLeft("Redis is above its maxmemory; routing goes on as lanes are delivered")
        for asked in load.asked:
            self._runs.ask(*asked)
        reach(crashpoints.BEFORE_APPEND)
        moved = self._lanes.append(load.move(self._owner))
        if moved is None:
            raise RoutingLost("another router took over")
        reach(crashpoints.AFTER_APPEND)
        self._losses.tell(moved.dropped)
        return self._load(load.position, str(load.position))

    def _put_part(self, load: Transfer, entry: Entry, part: int, index: int, event: Part) -> Transfer:
        """Puts one event of an entry on the load, sending it whenever it is full.

        index  of its first profile that has not been moved
        event  as it was read; or how many processes have died over it
        """
        if index == 0:
            load.begin(self._place(load.sequence, entry, part))
        sequence = load.sequence
        if isinstance(event, int):
            set_aside(load, entry, poison(entry.parts[part], sequence, event))
        elif isinstance(event, UnreadableEvent):
            record = refused(entry.parts[part], sequence, event.code, event.reason)
            set_aside(load, entry, self._kept(record))
        elif isinstance(event, ResyncRequest):
            self._put_request(load, entry, part, event)
        elif (header := entry.header) is not None and header.integration is not None:
            self._put_again(load, event, header, header.integration)
        else:
            return self._put(load, entry, part, index, event)
        return load

    def _place(self, last: Sequence, entry: Entry, part: int) -> Sequence:
        return place(last, entry.ms, entry.n, self._now_ms) if part == 0 else last.next_event()

    def _put(self, load: Transfer, entry: Entry, part: int, start: int, event: Event) -> Transfer:
        (wanted, verdict), sequence = self._judge(event), load.sequence
        operations = _operations(event, sequence) if wanted.targets else []
        if not start and not event.bad and event.kind.is_profile and operations and load.add_all(wanted, operations):
            teach(load, wanted.segment, verdict)
            clear_behind(load, wanted, event, verdict)
            return load
        if start:
            operations = [each for each in operations if each.index >= start]
        elif operations and not load.has_room_for(wanted, operations[0]):
            load.cut(entry.id, part, 0)
            load = self._send(load)
            load.begin(sequence)
        teach(load, wanted.segment, verdict)
        for bad in () if start else event.bad:
            set_aside(load, entry, self._kept(bad_profile(event, bad, sequence)))
        if not wanted.targets:
            load.unwanted(event.segment.id, len(event.profiles) if event.kind.is_profile else 1)
        for operation in operations[:1]:  # there is room: see above, and a step that goes on in an event begins with it
            load.add(wanted, operation)
        clear_behind(load, wanted, event, verdict)
        for operation in operations[1:]:
            if not load.has_room_for(wanted, operation):
                load.cut(entry.id, part, operation.index)
                load = self._send(load)
            load.add(wanted, operation)
        return load

    def _kept(self, record: Quarantined) -> Quarantined:
        return shortened(record) if self._only_beginnings else record

    def _put_again(self, load: Transfer, event: Event, header: RetryHeader, integration: str) -> None:
        """Puts what comes out of the quarantine on the load, for the one integration (rule 30).

        It is old, so it teaches nothing about its segment. What the integration does not follow goes back.
        """
        segment_id, sequence = event.segment.id, load.sequence
        known = self._known.get(segment_id) or self._routes.known(Segment(segment_id))
        bodies = [body for _, _, body in event.profiles] if event.kind.is_profile else [b""]
        if integration not in known.targets:
            reason = f"{integration!r} is not in the applied configuration, or does not follow the segment any more"
            load.resolve(header.entry, "open", "not followed", reason)
        elif len(bodies) != 1:
            load.resolve(header.entry, "open", "malformed", "the retry holds no proper profile, or several")
        else:
            retry = Retry(header.entry, header.slot, header.retries)
            operation = Operation(sequence.ms, sequence.n, 0, event.kind, event.at_us, bodies[0], retry)
            load.add(Wanted(segment_id, known.segment.name, (integration,)), operation)

    def _put_request(self, load: Transfer, entry: Entry, part: int, request: ResyncRequest) -> None:
        """Asks for runs; one that is asked for twice, since a step was lost, is the same run."""
        segment_id = request.segment.id
        known = self._known.get(segment_id) or self._routes.known(Segment(segment_id))
        targets = [each for each in known.targets if request.integration in {None, each}]
        if request.integration is not None and not targets:
            reason = f"resync: {request.integration[:60]!r} is not applied, or does not follow the segment"
            set_aside(load, entry, self._kept(refused(entry.parts[part], load.sequence, "not followed", reason)))
        load.asked += [(integration, segment_id, ASKED_BY) for integration in targets]

    def _put_mark(self, load: Transfer, entry: Entry, mark: Mark) -> None:
        """Puts the mark of a resync's run on the load; one that no run waits for goes nowhere (append.lua)."""
        load.begin(place(load.sequence, entry.ms, entry.n, self._now_ms))
        known = self._known.get(mark.segment) or self._routes.known(Segment(mark.segment))
        if mark.integration in known.targets:
            load.mark(Wanted(mark.segment, known.segment.name, (mark.integration,)), f"{mark.run} {mark.nonce}")

    def _judge(self, event: Event) -> tuple[Wanted, Judgement | None]:
        """Where it goes, and what it teaches about its segment; None: nothing."""
        segment_id = event.segment.id
        before = self._known.get(segment_id)
        if before is not None and says_nothing_new(event.kind, event.segment, before):
            return before.wanted, None
        verdict = self._routes.judge(event.kind, event.segment, before)
        self._known[segment_id] = verdict.known
        return Wanted(segment_id, verdict.name, verdict.targets), verdict

    def _learn(self, segment_ids: set[str]) -> None:
        """Reads what is known of these segments, where it is not in memory."""
        if len(self._known) > KNOWN_AT_MOST:
            self._known.clear()
        missing = [segment_id for segment_id in segment_ids if segment_id not in self._known]
        if not missing:
            return
        for segment_id, stored in zip(missing, self._lanes.segments(missing), strict=True):
            self._known[segment_id] = None if stored is None else self._routes.known(restore(segment_id, stored))


def _operations(event: Event, sequence: Sequence) -> list[Operation]:
    # A plain number: an enum's member is slow to write.
    (ms, n, _), kind, at_us = sequence, int(event.kind), event.at_us
    if not event.kind.is_profile:
        return [Operation(ms, n, 0, kind, at_us, b"")]
    return [Operation(ms, n, index, kind, at_us, body) for index, _, body in event.profiles]
