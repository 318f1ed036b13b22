"""Cuts batches from what a lane handed out (rules 10, 14, 15, 17). Pure.

The cut depends on nothing but the operations handed out, the size, the key and the limit, so every retry cuts the
same batch. What a later `clear` makes moot is decided here, when it is looked at, and never by changing the lane.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from workers.events.event import Kind
from workers.events.profiles import profile
from workers.lanes.chunks import Operation, Retry, unpack
from workers.templates import Row, RowProblem, key_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.templates import RowError

Key = tuple[str, ...]

# Looked up once: an enum's members are slow to look up, and this is done for every operation.
_REMOVE, _ADD = int(Kind.REMOVE), int(Kind.ADD)


@dataclass(frozen=True, slots=True)
class Rejected:
    """An operation that no target can take, and why; for the quarantine."""

    operation: Operation
    code: str
    reason: str
    detail: str = ""

    @classmethod
    def unusable(cls, operation: Operation, problem: RowProblem | RowError) -> Rejected:
        """For what no literal, or no key, can be made of; the reason names the field and never its value."""
        field = f"{problem.field}: " if problem.field else ""
        return cls(operation, problem.code, field + problem.reason)


class Member(NamedTuple):
    """An operation of a batch with its row, as templates see it."""

    operation: Operation
    row: Row


@dataclass(slots=True)
class Batch:
    """What is delivered in one transaction.

    taken        operations it takes from the lane, everything below included
    counted      of these: count towards the size
    first, last  sequences of the first and last of them
    head_ms      stream time of the first
    name         the segment's name as the lane knew it
    event        the segment event that this batch is, if it is one
    removes      in the order of their keys; run first
    adds         in the order of their keys; run second
    rejected     operations without a usable key
    merged       operations superseded within the batch by a later one of their key
    moot         operations that the clear which the batch ends with makes pointless, and retried ones that something
                 came after
    live         the surviving add or remove of each key
    retried      what it takes that comes out of the quarantine, whatever came of it
    """

    first: str
    last: str
    head_ms: int
    name: str | None
    taken: int = 0
    counted: int = 0
    event: Operation | None = None
    removes: list[Member] = field(default_factory=list)
    adds: list[Member] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    merged: int = 0
    moot: int = 0
    live: dict[Key, Member] = field(default_factory=dict)
    retried: list[Operation] = field(default_factory=list)

    def after(self, sequence: str) -> Batch:
        """What is left of it once everything up to `sequence` is in the target already (rule 22)."""
        return replace(
            self,
            removes=[member for member in self.removes if member.operation.sequence > sequence],
            adds=[member for member in self.adds if member.operation.sequence > sequence],
        )

    @property
    def clears(self) -> bool:
        """Whether operations are moot on the word of the clear that it ends with."""
        return self.event is not None and self.moot > 0

    @property
    def alone(self) -> Operation | None:
        """The one operation that the targets are to be told of, if it is only one."""
        if self.event is not None:
            return self.event
        members = (*self.removes, *self.adds) if len(self.removes) + len(self.adds) == 1 else ()
        return members[0].operation if members else None


@dataclass(frozen=True, slots=True)
class BatchPolicy:
    """How an integration's batches are cut.

    size    operations in a batch, counted before merging
    key     profile fields that identify the row
    merges  False in one-at-a-time mode, where nothing is merged
    """

    size: int
    key: Key
    merges: bool


class Buffer:
    """The operations that a deliverer holds of a lane, beyond what is settled.

    done   last settled sequence
    to     last sequence handed out: what lies behind it in a chunk was not
    clear  sequence of the last clear that makes what is before it moot, or ''

    still_open  entries of retried operations that nothing came after, as looked up before each cut: the others are
                not delivered. They change what a batch delivers, and never where it ends
    """

    def __init__(self, done: str, to: str, clear: str, chunks: Sequence[bytes]) -> None:
        self.settled = done
        self.to = to
        self.clear = clear
        self.still_open: frozenset[str] = frozenset()
        self._moot_after: str | None = None
        self._operations: deque[tuple[Operation, str | None]] = deque()
        self._chunk_ends: deque[str] = deque()
        self.receive(to, clear, chunks)

    def receive(self, to: str, clear: str, chunks: Sequence[bytes]) -> None:
        """Takes more of the lane into the hand."""
        self.to = to
        self.clear = clear
        for chunk in chunks:
            name, operations = unpack(chunk)
            self._chunk_ends.append(operations[-1].sequence)
            if operations[0].sequence <= self.settled or operations[-1].sequence > to:
                operations = [o for o in operations if self.settled < o.sequence <= to]
            self._operations.extend((operation, name) for operation in operations)
        self._moot_after = self._last_event_before_clear() if clear else None

    def _last_event_before_clear(self) -> str | None:
        """What stands between it and the clear is moot; None where the clear is not held, and so nothing is moot.

        A clear may fail for ever, or be taken away by a revision: what it makes moot goes with it or not at all, and
        a segment event between them ends a batch.
        """
        last = ""
        for operation, _ in self._operations:
            if operation.sequence >= self.clear:
                return last
            if not operation.is_profile:
                last = operation.sequence
        return None

    def deliver_all(self) -> None:
        """Nothing that is held is moot any more: the clear cannot be run."""
        self._moot_after = None

    def __len__(self) -> int:
        return len(self._operations)

    @property
    def chunks(self) -> int:
        """Chunks of the lane that hold something of the hand."""
        while self._chunk_ends and self._chunk_ends[0] <= self.settled:
            self._chunk_ends.popleft()
        return len(self._chunk_ends)

    @property
    def next_ms(self) -> int | None:
        """Stream time of the next operation held."""
        return self._operations[0][0].ms if self._operations else None

    def settle(self, batch: Batch) -> None:
        """The batch at the head is done with."""
        for _ in range(batch.taken):
            self._operations.popleft()
        self.settled = batch.last

    def cut(self, how: BatchPolicy, limit: int | None = None) -> Batch | None:
        """The next batch, of at most `limit` operations; None when the hand is empty. Does not change the hand."""
        if not self._operations:
            return None
        size = how.size if limit is None else min(limit, how.size)
        moot = (self._moot_after, self.clear) if self._moot_after is not None else ("", "")
        return _Cutter(self._operations, how, size, moot, self.still_open).batch()

    @property
    def retries(self) -> list[Retry]:
        """What the operations held carry that come out of the quarantine."""
        return [operation.retry for operation, _ in self._operations if operation.retry is not None]

    def up_to(self, sequence: str) -> int:
        """Operations held up to a sequence."""
        return sum(operation.sequence <= sequence for operation, _ in self._operations) if sequence else 0


class _Cutter:
    """Walks the operations from the head until the batch ends."""

    def __init__(
        self,
        operations: deque[tuple[Operation, str | None]],
        how: BatchPolicy,
        size: int,
        moot: tuple[str, str],
        still_open: frozenset[str],
    ) -> None:
        self._operations = operations
        self._how = how
        self._room = size
        self._moot_after, self._clear = moot
        self._still_open = still_open
        self._spellings: dict[Key, Key] = {}
        first, name = operations[0]
        self._batch = Batch(first.sequence, first.sequence, first.ms, name)
        self._live = self._batch.live

    def batch(self) -> Batch:
        last = None
        for operation, name in self._operations:
            if not self._takes(operation, name):
                break
            self._batch.taken += 1
            last = operation
            if operation.retry is not None:
                self._batch.retried.append(operation)
            if not operation.is_profile:
                break
        if last is not None:
            self._batch.last = last.sequence
        self._sort()
        return self._batch

    def _takes(self, operation: Operation, name: str | None) -> bool:
        """Puts one operation into the batch; False if the batch ends before it."""
        batch = self._batch
        if not operation.is_profile:
            # With a clear goes what it makes moot, and nothing else with any event.
            if batch.taken > (batch.moot if operation.sequence == self._clear else 0):
                return False
            batch.counted = 1
            batch.name = name
            if self._is_gone(operation):
                batch.moot += 1
            else:
                batch.event = operation
            return True
        if self._moot_after < operation.sequence < self._clear:
            batch.moot += 1
            return True
        if self._room == 0 or (name != batch.name and batch.taken > batch.moot):
            return False
        batch.name = name
        row = Row(profile(operation.body), operation.event_time_us, operation.number)
        try:
            key = key_of(row.profile, self._how.key)
        except RowProblem as problem:
            batch.rejected.append(Rejected.unusable(operation, problem))
        else:
            if not self._admits(key, Member(operation, row)):
                return False
        self._room -= 1
        batch.counted += 1
        return True

    def _admits(self, key: Key, member: Member) -> bool:
        """A key that differs from an earlier one only in case or trailing blanks may be the same to the target."""
        folded = (key[0].rstrip().casefold(),) if len(key) == 1 else tuple(part.rstrip().casefold() for part in key)
        if self._spellings.setdefault(folded, key) != key:
            return False
        if self._is_gone(member.operation):
            self._batch.moot += 1
            return True
        before = self._live.get(key)
        if before is not None:
            self._batch.merged += 1
            # What is retried is older than all that the lane still holds (rule 30).
            if member.operation.retry is not None and before.operation.retry is None:
                return True
        self._live[key] = member
        return True

    def _is_gone(self, operation: Operation) -> bool:
        return operation.retry is not None and operation.retry.entry not in self._still_open

    def _sort(self) -> None:
        """Removes before adds, each by key: two deliverers on one table then lock rows in one order."""
        for _, member in sorted(self._live.items(), key=lambda item: item[0]):
            rows = self._batch.adds if member.operation.kind == _ADD else self._batch.removes
            rows.append(member)
