"""What the router gathers before it moves it: one load becomes one `append` (rules 2, 3).

Operations of one segment for the same integrations and under the same name share a chunk, which is packed once
however many integrations it goes to.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from workers.events.event import Kind
from workers.lanes.chunks import MAX_BYTES, MAX_OPERATIONS, Operation, pack
from workers.lanes.messages import Move, Run
from workers.lanes.store import BUDGET_BYTES
from workers.outcomes import Quarantined, Record, Resolved, encode

LANES_AT_MOST = 400
"""Lanes that one step touches: each costs a handful of keys, and a script should stay near 1,000 (rule 3)."""
OPERATION_OVERHEAD = 24
"""Bytes an operation takes in a chunk besides its body, about."""
_REMOVE, _CLEAR = int(Kind.REMOVE), int(Kind.CLEAR)


@dataclass(frozen=True, slots=True)
class Position:
    """How far the intake has been moved: all of `last_id`, and of the next event the profiles before `index`."""

    last_id: str
    index: int

    @classmethod
    def from_text(cls, text: str) -> Position:
        """From what the script keeps; empty at the very beginning."""
        last_id, _, index = text.partition("|")
        return cls(last_id or "0-0", int(index or 0))

    def __str__(self) -> str:
        return f"{self.last_id}|{self.index}"

    @property
    def trim_to(self) -> str:
        """The first id that must stay in the intake."""
        ms, _, n = self.last_id.partition("-")
        return f"{ms}-{int(n) + 1}"


@dataclass(slots=True)
class _Draft:
    """A run while it grows."""

    segment: str
    name: str | None
    targets: tuple[str, ...]
    operations: list[Operation] = field(default_factory=list)
    size: int = 0
    bar: str = ""
    clear: str = ""
    kept: bool = False

    def packed(self) -> Run:
        return Run(
            segment=self.segment,
            operations=len(self.operations),
            head_ms=self.operations[0].ms,
            bar=self.bar,
            clear=self.clear,
            chunk=pack(self.name, self.operations),
            integrations=self.targets,
            kept=self.kept,
        )


class Transfer:
    """Gathers what one step moves, beginning at `position`, which the caller has read as `read_from`."""

    def __init__(self, position: Position, read_from: str) -> None:
        self.position = position
        self._read_from = read_from
        self._drafts: list[_Draft] = []
        self._open: dict[str, _Draft] = {}
        self._segments: dict[str, bytes] = {}
        self._unwanted: dict[str, int] = {}
        self._resync: list[tuple[str, str]] = []
        self._records: list[bytes] = []
        self._quarantined = 0
        self._events = 0
        self._operations = 0
        self._lanes = 0
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether it must be moved before more is added."""
        return self._bytes >= BUDGET_BYTES or self._lanes >= LANES_AT_MOST

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to move, not even a position."""
        return str(self.position) == self._read_from

    def add(self, segment: str, name: str | None, targets: tuple[str, ...], operation: Operation) -> None:
        """One operation for the segment's lanes of `targets`, which are not none."""
        draft = self._open.get(segment)
        if draft is None or not self._fits(draft, name, targets, operation):
            draft = self._begin(segment, name, targets, kept=operation.retry is not None)
        draft.operations.append(operation)
        size = len(operation.body) + OPERATION_OVERHEAD
        draft.size += size
        self._bytes += size * len(targets)
        if operation.kind > _REMOVE:
            draft.bar = operation.sequence
            # A retried clear is older than what the lane holds: it makes none of that moot.
            if operation.kind == _CLEAR and not draft.kept:
                draft.clear = draft.bar
        self._operations += 1

    @staticmethod
    def _fits(draft: _Draft, name: str | None, targets: tuple[str, ...], operation: Operation) -> bool:
        return (
            draft.targets == targets
            and draft.name == name
            and draft.kept == (operation.retry is not None)
            and len(draft.operations) < MAX_OPERATIONS
            and draft.size + len(operation.body) < MAX_BYTES
        )

    def _begin(self, segment: str, name: str | None, targets: tuple[str, ...], *, kept: bool) -> _Draft:
        draft = _Draft(segment, name, targets, kept=kept)
        self._drafts.append(draft)
        self._open[segment] = draft
        self._lanes += len(targets)
        return draft

    def learn(self, segment: str, facts: bytes) -> None:
        """What is known of a segment from now on; b"" forgets it."""
        self._segments[segment] = facts
        self._bytes += len(facts)

    def unwanted(self, segment: str, operations: int) -> None:
        """Operations that no integration wanted."""
        self._unwanted[segment] = self._unwanted.get(segment, 0) + operations
        self._operations += operations

    def entered(self, integration: str, segment: str) -> None:
        """The segment came into the integration's scope with members it was never told of."""
        self._resync.append((integration, segment))

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
        self._bytes += len(data)

    def cut(self, index: int) -> None:
        """The step ends within an event: before the profile of this index."""
        self.position = Position(self.position.last_id, index)

    def finish(self, entry_id: str) -> None:
        """All of this entry is on the load."""
        self.position = Position(entry_id, 0)
        self._events += 1

    def move(self, owner: str) -> Move:
        """The load as the script takes it."""
        return Move(
            owner=owner,
            read_from=self._read_from,
            position=str(self.position),
            trim_to=self.position.trim_to,
            runs=[draft.packed() for draft in self._drafts],
            segments=list(self._segments.items()),
            unwanted=list(self._unwanted.items()),
            resync=self._resync,
            events=self._events,
            operations=self._operations,
            quarantined=self._quarantined,
            records=self._records,
        )
