"""What the router gathers before it moves it: one load becomes one `append` (rules 2, 3).

Operations of one segment for the same integrations and under the same name share a chunk, which is packed once
however many integrations it goes to.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from workers.events.event import Kind
from workers.lanes.chunks import MARK, MARK_INDEX, MAX_BYTES, MAX_OPERATIONS, Operation, pack
from workers.lanes.moves import Move, Run
from workers.lanes.store import BUDGET_BYTES
from workers.outcomes import Quarantined, Record, Resolved, encode
from workers.routing.position import Position

if TYPE_CHECKING:
    from workers.events.sequence import Sequence
    from workers.routing.routes import Wanted

LANES_AT_MOST = 2_000
"""Lanes that one step touches, if it is not one event that more integrations want (rule 3): each takes Redis about 10
us, and others wait meanwhile. With fewer, events of many segments in turn would each become a chunk of its own."""
COPIES_AT_MOST = 64 * 1024 * 1024
"""Bytes that one step writes, about: a chunk goes to Redis once, and is written once for each integration."""
OPERATION_OVERHEAD = 24
"""Bytes an operation takes in a chunk besides its body, about."""
LANE_OVERHEAD = 800
"""Bytes that a lane takes in Redis besides its chunks, about."""
_CLEAR = int(Kind.CLEAR)


@dataclass(slots=True)
class _Draft:
    """A run while it grows."""

    wanted: Wanted
    operations: list[Operation] = field(default_factory=list)
    size: int = 0
    bar: str = ""
    clear: str = ""
    kept: bool = False
    mark: str = ""

    def packed(self) -> Run:
        return Run(
            segment=self.wanted.segment,
            operations=len(self.operations),
            head_ms=self.operations[0].ms,
            bar=self.bar,
            clear=self.clear,
            chunk=pack(self.wanted.name, self.operations),
            integrations=self.wanted.targets,
            kept=self.kept,
            mark=self.mark,
        )


class Transfer:
    """Gathers what one step moves, beginning at `position`, which the caller has read as `read_from`.

    budget  bytes that a step takes on its way to Redis, about
    """

    def __init__(self, position: Position, read_from: str, budget: int = BUDGET_BYTES) -> None:
        self._position = position
        self._finished = ""
        self.sequence = position.sequence
        self.size = 0
        self._before = position.sequence
        self._budget = budget
        self._copies = max(budget, COPIES_AT_MOST) if budget >= BUDGET_BYTES else budget
        self._read_from = read_from
        self._drafts: list[_Draft] = []
        self._open: dict[str, _Draft] = {}
        self._segments: dict[str, bytes] = {}
        self._unwanted: dict[str, int] = {}
        self._scopes: dict[tuple[str, str], str] = {}
        self.asked: list[tuple[str, str, str]] = []
        """(integration, segment, who asks) of resyncs: asked for before the step that moves past the request."""
        self._records: list[bytes] = []
        self._quarantined = 0
        self._events = 0
        self._operations = 0
        self._ignored = 0
        self._lanes = 0
        self._bytes = 0

    @property
    def position(self) -> Position:
        """How far the intake will have been moved."""
        return Position(self._finished, self.sequence) if self._finished else self._position

    @property
    def is_full(self) -> bool:
        """Whether it must be moved before another event is added."""
        return self._bytes >= self._budget or self.size >= self._budget or self._lanes >= LANES_AT_MOST

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to move, not even a position."""
        return str(self.position) == self._read_from

    def has_room_for(self, wanted: Wanted, operation: Operation) -> bool:
        """Whether one more profile of an event can be added: one at least, however many want it.

        The lanes that the event goes to are touched already: more of its profiles touch no other.
        """
        if not self._drafts:
            return True
        size = len(operation.body) + OPERATION_OVERHEAD
        if self._bytes + size > self._budget or self.size + size * len(wanted.targets) > self._copies:
            return False
        draft = self._open.get(wanted.segment)
        if draft is not None and self._fits(draft, wanted, operation):
            return True
        return self._has_lanes_for(wanted)

    def _has_lanes_for(self, wanted: Wanted) -> bool:
        return self._lanes + len(wanted.targets) <= LANES_AT_MOST

    def add_all(self, wanted: Wanted, operations: list[Operation]) -> bool:
        """All operations of an event at once, if they are profiles' and fit as a whole; else nothing is added."""
        size, count = OPERATION_OVERHEAD * len(operations), len(operations)
        for operation in operations:
            size += len(operation.body)
        if self._drafts and (
            self._bytes + size > self._budget or self.size + size * len(wanted.targets) > self._copies
        ):
            return False
        draft = self._open.get(wanted.segment)
        if (
            draft is None
            or draft.kept
            or len(draft.operations) + count > MAX_OPERATIONS
            or draft.size + size > MAX_BYTES
            or (draft.wanted is not wanted and draft.wanted != wanted)
        ):
            if count > MAX_OPERATIONS or size > MAX_BYTES or (self._drafts and not self._has_lanes_for(wanted)):
                return False
            draft = self._begin(wanted, kept=False)
        draft.operations += operations
        draft.size += size
        self._bytes += size
        self.size += size * len(wanted.targets)
        self._operations += count
        return True

    def add(self, wanted: Wanted, operation: Operation) -> None:
        """One operation for the segment's lanes."""
        draft = self._open.get(wanted.segment)
        if draft is None or not self._fits(draft, wanted, operation):
            draft = self._begin(wanted, kept=operation.retry is not None)
        draft.operations.append(operation)
        size = len(operation.body) + OPERATION_OVERHEAD
        draft.size += size
        self._bytes += size
        self.size += size * len(wanted.targets)
        if not operation.is_profile:
            draft.bar = operation.sequence
            # A retried clear is older than what the lane holds: it makes none of that moot.
            if operation.kind == _CLEAR and not draft.kept:
                draft.clear = draft.bar
        self._operations += 1

    def mark(self, wanted: Wanted, mark: str) -> None:
        """The mark of a resync's run ("RUN NONCE"), which is one integration's and shares its chunk with nothing."""
        ms, n, _ = self.sequence
        draft = self._begin(wanted, kept=True)
        draft.mark = mark
        draft.operations.append(Operation(ms, n, MARK_INDEX, MARK, None, b""))
        draft.bar = draft.operations[0].sequence
        del self._open[wanted.segment]
        self._takes(OPERATION_OVERHEAD)
        self._operations += 1

    @staticmethod
    def _fits(draft: _Draft, wanted: Wanted, operation: Operation) -> bool:
        return (
            draft.wanted == wanted
            and draft.kept == (operation.retry is not None)
            and len(draft.operations) < MAX_OPERATIONS
            and draft.size + len(operation.body) < MAX_BYTES
        )

    def _begin(self, wanted: Wanted, *, kept: bool) -> _Draft:
        draft = _Draft(wanted, kept=kept)
        self._drafts.append(draft)
        self._open[wanted.segment] = draft
        self._lanes += len(wanted.targets)
        self.size += LANE_OVERHEAD * len(wanted.targets)
        return draft

    def learn(self, segment: str, facts: bytes) -> None:
        """What is known of a segment from now on; b"" forgets it."""
        self._segments[segment] = facts
        self._takes(len(facts))

    def unwanted(self, segment: str, operations: int) -> None:
        """Operations that no integration wanted."""
        self._unwanted[segment] = self._unwanted.get(segment, 0) + operations
        self._operations += operations

    def entered(self, integration: str, segment: str) -> None:
        """The segment came into the integration's scope with members it was never told of."""
        self._scopes[integration, segment] = str(self.sequence)

    def left(self, integration: str, segment: str) -> None:
        """A segment has left an integration's scope: whatever it lacks there, nobody brings it any more."""
        self._scopes[integration, segment] = ""

    def quarantine(self, record: Quarantined) -> None:
        """Something that cannot be delivered, kept with its reason."""
        self._quarantined += 1
        self._record(record)
        if record.replaces:
            self.resolve(record.replaces, "replaced")

    def resolve(self, entry: str, state: str, code: str = "", reason: str = "") -> None:
        """What became of an entry of the quarantine that was retried."""
        self._record(Resolved(entry, state, time.time_ns() // 1_000_000, code, reason))

    def _record(self, record: Record) -> None:
        data = encode(record)
        self._records.append(data)
        self._takes(len(data))

    def _takes(self, size: int) -> None:
        self._bytes += size
        self.size += size

    def ignore(self, fields: int) -> None:
        """So many fields of an entry mean nothing."""
        self._ignored += fields

    def begin(self, sequence: Sequence) -> None:
        """The next event has this sequence."""
        self._before, self.sequence = self.sequence, sequence

    def cut(self, entry_id: str, part: int, index: int) -> None:
        """The step ends within an event of this entry: before the profile of this index; 0: before the event."""
        sequence = self.sequence if index else self._before
        self._position = replace(self.position, within=entry_id, part=part, index=index, sequence=sequence)
        self._finished = ""

    def finish(self, entry_id: str, events: int = 1) -> None:
        """All of this entry is on the load, so many events."""
        self._finished = entry_id
        self._events += events

    def move(self, owner: str) -> Move:
        """The load as the script takes it."""
        return Move(
            owner=owner,
            read_from=self._read_from,
            position=str(self.position),
            last_id=self.position.last_id,
            runs=[draft.packed() for draft in self._drafts],
            segments=list(self._segments.items()),
            unwanted=list(self._unwanted.items()),
            resync=[(*pair, since) for pair, since in self._scopes.items() if since],
            left=[pair for pair, since in self._scopes.items() if not since],
            events=self._events,
            operations=self._operations,
            ignored=self._ignored,
            quarantined=self._quarantined,
            records=self._records,
        )
