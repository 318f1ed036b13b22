"""Cuts batches from what a lane handed out (rules 10, 14, 15, 17). Pure.

The cut depends on nothing but the operations handed out, the size, the key, the limit and what is set aside, so every
retry cuts the same batch. What a later `clear` makes moot is decided here, when it is looked at, and never by changing
the lane.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from workers.delivery.batch import Batch, Beyond, Keyed, Rejected
from workers.delivery.hand import Hand
from workers.delivery.merging import Merger
from workers.delivery.plain_cut import plain_batch
from workers.events.event import Kind
from workers.events.profiles import profile
from workers.lanes.chunks import unpack
from workers.templates import Row, RowProblem, key_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from workers.connectors.contract import Rejection
    from workers.delivery.batch import BatchPolicy, Key
    from workers.lanes.chunks import Operation, Retry

# Looked up once: an enum's members are slow to look up, and this is done for every operation.
_REMOVE = int(Kind.REMOVE)


class Buffer:
    """The operations that a deliverer holds of a lane, beyond what is settled.

    done   last settled sequence
    to     last sequence handed out: what lies behind it in a chunk was not
    clear  sequence of the last clear that makes what is before it moot, or ''

    still_open  entries of retried operations that nothing came after, as looked up before each cut, with the sequence
                that each had first: the others are not delivered. They change what a batch delivers, and never where
                it ends
    overtaken   entries of others: something came later that may have been for their row
    aside       operations that the lane says are to go to the quarantine, by sequence: nobody is told of them
    passed_over  operations before those that the lane has set aside
    """

    def __init__(self, done: str, to: str, clear: str, chunks: Sequence[bytes], passed_over: int = 0) -> None:
        self.settled = done
        self.to, self.clear = to, clear
        self.still_open: Mapping[str, str] = {}
        self.overtaken: Collection[str] = ()
        self.aside: Mapping[str, Rejection] = {}
        self.passed_over = passed_over
        self._moot_after: str | None = None
        self._hand = Hand()
        self._ahead: tuple[str, BatchPolicy, int, Batch] | None = None
        self._chunk_ends: deque[str] = deque()
        self.receive(to, clear, chunks)

    def receive(self, to: str, clear: str, chunks: Sequence[bytes]) -> None:
        """Takes more of the lane into the buffer. Raises UnreadableChunk."""
        self.to = to
        self.clear = clear
        for chunk in chunks:
            name, operations = unpack(chunk)
            self._chunk_ends.append(operations[-1].sequence)
            if operations[0].sequence <= self.settled or operations[-1].sequence > to:
                operations = [o for o in operations if self.settled < o.sequence <= to]
            self._hand.add(name, operations)
        self._moot_after = self._last_event_before_clear() if clear else None

    def _last_event_before_clear(self) -> str | None:
        """What stands between it and the clear is moot; None where the clear is not held, and so nothing is moot.

        A clear may fail for ever, or be taken away by a revision: what it makes moot goes with it or not at all, and
        a segment event between them ends a batch.
        """
        last = ""
        for operation, _ in self._hand:
            if operation.sequence >= self.clear:
                return last
            if not operation.is_profile:
                last = operation.sequence
        return None

    def __len__(self) -> int:
        return len(self._hand)

    def settle(self, batch: Batch) -> None:
        """The batch at the head is done with."""
        self._hand.drop(batch.taken)
        self.passed_over += sum(each <= batch.last for each in self.aside)
        self.settled = batch.last
        while self._chunk_ends and self._chunk_ends[0] <= self.settled:
            self._chunk_ends.popleft()

    def cut(self, how: BatchPolicy, limit: int | None = None) -> Batch | None:
        """The next batch, of at most `limit` operations; None when the buffer is empty. Does not change it."""
        if not self._hand:
            return None
        size = how.size if limit is None else min(limit, how.size)
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[:3] == (self.settled, how, size) and not self.clear and not self.aside:
            return ahead[3]
        # A clear that is set aside will not run, and so nothing is moot on its word.
        runs = self._moot_after is not None and self.clear not in self.aside
        moot = (self._moot_after or "", self.clear) if runs else ("", "")
        plain = None if runs or self.aside else plain_batch(self._hand, how, size)
        return plain or _Cutter(self._hand, how, size, moot, self.still_open, self.aside).batch()

    def cut_ahead(self, batch: Batch, how: BatchPolicy) -> Batch | None:
        """The batch that will be cut when this one is settled, if that is sure: a full one of profiles alone.

        Nothing that is handed out meanwhile changes it; a clear might, and then it is cut anew.
        """
        ahead = None if self.clear or self.aside else plain_batch(self._hand, how, how.size, batch.taken)
        if ahead is None or ahead.taken < how.size:
            return None
        self._ahead = (batch.last, how, how.size, ahead)
        return ahead

    def made_ahead(self, batch: Batch) -> Batch | None:
        """What `cut_ahead` has found behind this one, if that is still sure."""
        ahead, self._ahead = self._ahead, None
        return ahead[3] if ahead is not None and ahead[0] == batch.last and not self.clear and not self.aside else None

    @property
    def retries(self) -> list[Retry]:
        """What the operations held carry that come out of the quarantine."""
        return [operation.retry for operation, _ in self._hand if operation.retry is not None]

    def fingerprint(self, sequence: str) -> str:
        """Of the operation held that has this sequence, as `Positions.known` has it; "" where none has."""
        passed_over = self.passed_over + sum(each <= sequence for each in self.aside)
        return next((each.fingerprint(passed_over) for each, _ in self._hand if each.sequence == sequence), "")

    def between(self, after: str, up_to: str) -> int:
        """Operations held behind a sequence up to another."""
        return sum(after < operation.sequence <= up_to for operation, _ in self._hand) if up_to else 0

    def behind(self, batch: Batch) -> list[tuple[Operation, str | None]]:
        """What is held beyond a batch, each with the segment's name there."""
        return list(islice(self._hand, batch.taken, None))

    def beyond(self, batch: Batch) -> Beyond:
        """What will be held when the batch is settled."""
        next_one = self._hand.after(batch.taken)
        return {
            "next_ms": next_one.ms if next_one is not None else None,
            "held_operations": len(self._hand) - batch.taken,
            "held_chunks": sum(end > batch.last for end in self._chunk_ends),
        }


class _Cutter:
    """Walks the operations from the head until the batch ends."""

    def __init__(
        self,
        operations: Hand,
        how: BatchPolicy,
        size: int,
        moot: tuple[str, str],
        still_open: Mapping[str, str],
        aside: Mapping[str, Rejection],
    ) -> None:
        self._operations = operations
        self._how = how
        self._room = size
        self._moot_after, self._clear = moot
        self._still_open = still_open
        self._aside = aside
        self._refused = _entries(operations, aside) if aside else frozenset()
        first, name = next(iter(operations))
        self._batch = Batch(first.sequence, first.sequence, first.ms, name)
        self._found: list[Keyed] = []
        self._merger = Merger(how.ordering)
        self._of_now: set[Key] = set()
        self._again: set[str] = set()

    def batch(self) -> Batch:
        last = None
        for operation, name in self._operations:
            if not (self._takes_event if operation.kind > _REMOVE else self._takes)(operation, name):
                break
            self._batch.taken += 1
            last = operation
            if operation.retry is not None:
                self._batch.retried.append(operation)
            if operation.kind > _REMOVE:
                break
        if last is not None:
            self._batch.last = last.sequence
        for member in self._oldest_first():
            self._keep(member)
        self._batch.members = self._merger.members()
        self._batch.merged += self._merger.merged
        return self._batch

    def _oldest_first(self) -> list[Keyed]:
        """What is retried is older than all that the lane still holds (rule 30)."""
        if not self._batch.retried:
            return self._found
        self._of_now = {each.key for each in self._found if _is_no_retry(each)}
        return sorted(self._found, key=_is_no_retry)

    def _takes_event(self, event: Operation, name: str | None) -> bool:
        """With a clear goes what it makes moot, and nothing else with any event."""
        batch = self._batch
        if batch.taken > (batch.moot if event.sequence == self._clear else 0):
            return False
        batch.counted = 1
        batch.name = name
        if self._is_gone(event):
            batch.moot += 1
        elif event.sequence in self._aside:
            batch.aside.append(Rejected.of(event, self._aside[event.sequence], None))
        else:
            batch.event = event
        return True

    def _takes(self, operation: Operation, name: str | None) -> bool:
        """Puts one profile's operation into the batch; False if the batch ends before it."""
        batch = self._batch
        if self._clear and self._moot_after < operation.sequence < self._clear:
            batch.moot += 1
            return True
        if self._room == 0 or (name != batch.name and batch.taken > batch.moot):
            return False
        batch.name = name
        self._room -= 1
        batch.counted += 1
        row = Row(profile(operation.body), operation.event_time_us, operation.number)
        refused = self._aside.get(operation.sequence) if self._aside else None
        try:
            key = key_of(row.profile, self._how.key)
        except RowProblem as problem:
            if self._is_gone(operation) or self._comes_twice(operation):
                batch.moot += 1
            elif refused is None:
                batch.rejected.append(Rejected.unusable(operation, problem))
            else:
                batch.aside.append(Rejected.of(operation, refused, None))
            return True
        if refused is not None and not self._is_gone(operation):
            batch.aside.append(Rejected.of(operation, refused, key))
        else:
            self._found.append(Keyed(operation, key, row))
        return True

    def _keep(self, member: Keyed) -> None:
        """Leaves out what is retried and something came after; merges the rest."""
        if self._is_gone(member.operation):
            self._batch.moot += 1
            return
        if self._still_open and self._loses(member):
            self._batch.merged += 1
            return
        self._merger.take(member)

    def _loses(self, member: Keyed) -> bool:
        """Whether the batch has a later word for the key, or the same entry already.

        What is retried is older than all that the lane holds; and who retries twice wants it once.
        """
        if member.operation.retry is None:
            return False
        return self._comes_twice(member.operation) or member.key in self._of_now

    def _comes_twice(self, operation: Operation) -> bool:
        """Whether it is a retry of an entry of which the batch has had one; notes it."""
        retry = operation.retry
        if retry is None:
            return False
        found = retry.entry in self._again
        self._again.add(retry.entry)
        return found

    def _is_gone(self, operation: Operation) -> bool:
        """Whether something came after what it was retried for, or the same entry has been refused once more."""
        retry = operation.retry
        if retry is None:
            return False
        return retry.entry not in self._still_open or (
            retry.entry in self._refused and operation.sequence not in self._aside
        )


def _is_no_retry(member: Keyed) -> bool:
    return member.operation.retry is None


def _entries(operations: Iterable[tuple[Operation, str | None]], aside: Mapping[str, Rejection]) -> frozenset[str]:
    """The entries of the quarantine that are set aside again."""
    return frozenset(each.retry.entry for each, _ in operations if each.retry is not None and each.sequence in aside)
