"""Compaction: a lane that waits for long keeps the last operations of each key, and is bounded by its segment.

An integration that is paused, held or whose target is away for days would otherwise owe every change of those days,
although a batch merges them anyhow (rules 15, 31). `append` notes lanes that have grown long and old; upkeep takes
them from there. Walked from the end to the head: an operation whose key comes again before the next segment event is
merged, as far as the integration's order allows (rule 15), and counted in the ledger as delivery counts it. The last
one before it that says something else stays, too: where the target refuses what came last, as it would refuse the same
again, that is what the row falls back to. What a clear would make moot stays, since it may never run. Nothing up to a
written batch end is touched, nor the first chunk, nor what comes out of the quarantine.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from workers.delivery.key_folding import fold_key
from workers.events.event import Kind
from workers.events.profiles import profile
from workers.integrations import Ordering
from workers.lanes.chunks import HEADER, MARK, MAX_BYTES, MAX_OPERATIONS, Operation, pack, unpack
from workers.lanes.messages import Compaction, Waiting
from workers.log import LANE_COMPACTED, tell
from workers.outcomes import Delivery, encode, new_uid
from workers.templates import RowProblem, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from workers.integrations import Integration
    from workers.lanes.store import Lanes

WINDOW_BYTES = 2**20
"""What is replaced at once, about, and read at once: a script that handles more keeps others waiting."""
MOST_CHUNKS = 1_000
"""Chunks that are replaced at once, however small they are: a script touches each of them."""
PAGE = 32
"""Chunks that are read at once, of up to 256 KB each."""
MOST_KEYS = 1_000_000
"""Keys that are remembered, at about 210 bytes each; of a larger segment some operations stay that could go."""

_KINDS = {int(kind): bytes([kind]) for kind in Kind}
_Named = tuple[str | None, Operation]


@dataclass(frozen=True, slots=True)
class Thinned:
    """What is left of some chunks.

    merged  operations whose key comes again: they went
    """

    chunks: list[bytes]
    merged: int


class Thinner:
    """Thins a lane that it is given window by window, from the end to the head. Pure.

    key       the fields that identify the row
    ordering  EXACT or FOLDED: the others merge nothing
    """

    def __init__(self, key: tuple[str, ...], ordering: Ordering) -> None:
        self._key = key
        self._folds = ordering is Ordering.FOLDED
        self._later: dict[bytes, bytes] = {}

    def thin(self, chunks: Sequence[bytes]) -> Thinned:
        """The same operations without those that need not be delivered, in chunks as full as they may be."""
        kept: list[_Named] = []
        merged = 0
        for name, operations in map(unpack, reversed(chunks)):
            for operation in reversed(operations):
                if self._comes_again(operation):
                    merged += 1
                else:
                    kept.append((name, operation))
        kept.reverse()
        return Thinned([pack(name, group) for name, group in _groups(kept)], merged)

    def _comes_again(self, operation: Operation) -> bool:
        """Notes the key. What is retried is older than it stands: it supersedes nothing, and is looked up later."""
        if not operation.is_profile:
            self._later.clear()
            return False
        if operation.retry is not None:
            return False
        try:
            key = key_of(profile(operation.body), self._key)
        except RowProblem:
            return False  # it goes to the quarantine in its turn
        return self._is_needless(key, operation)

    def _is_needless(self, key: tuple[str, ...], operation: Operation) -> bool:
        """As a batch merges (delivery/batching.py): by the very same spelling, and no removal before an add."""
        row = _mark(fold_key(key) if self._folds else key)
        spelled = _mark(key)[:8] if self._folds else b""
        says = hashlib.blake2b(operation.body, digest_size=8, key=_KINDS[operation.kind]).digest()
        later = self._later.get(row)
        if later is None:
            if len(self._later) < MOST_KEYS:
                self._later[row] = _Later(spelled, operation.kind, says, falls_back=False).packed()
            return False
        known = _Later.of(later)
        if known.spelled != spelled:
            # Two spellings: which of them is stored depends on each operation.
            self._later[row] = known._replace(spelled=b"").packed()
            return False
        comes_anew = self._folds and known.kind == Kind.ADD and operation.kind == Kind.REMOVE
        if not comes_anew and (known.falls_back or known.says == says):
            return True
        self._later[row] = _Later(spelled, operation.kind, says, falls_back=True).packed()
        return False


class _Later(NamedTuple):
    """What is known of a row from behind: of the last operation that was kept of it.

    spelled     how its key is spelled, hashed; "" where it does not matter, or differs
    kind, says  what it does, and its profile with that, hashed
    falls_back  whether it stands before another: then it is what the row falls back to
    """

    spelled: bytes
    kind: int
    says: bytes
    falls_back: bool

    def packed(self) -> bytes:
        return bytes([self.kind, self.falls_back]) + self.says + self.spelled

    @classmethod
    def of(cls, packed: bytes) -> _Later:
        return cls(packed[10:], packed[0], packed[2:10], bool(packed[1]))


def _mark(key: tuple[str, ...]) -> bytes:
    return hashlib.blake2b("\0".join(f"{len(part)}:{part}" for part in key).encode(), digest_size=16).digest()


def _groups(kept: Sequence[_Named]) -> Iterator[tuple[str | None, list[Operation]]]:
    """Neighbours under one name, as many as a chunk may hold (rule 3); a mark stands alone (rule 45)."""
    group: list[Operation] = []
    group_name, size = None, 0
    for name, operation in kept:
        is_full = len(group) == MAX_OPERATIONS or size + len(operation.body) > MAX_BYTES
        if group and (name != group_name or is_full or MARK in (operation.kind, group[-1].kind)):
            yield group_name, group
            group, size = [], 0
        group_name = name
        group.append(operation)
        size += len(operation.body)
    if group:
        yield group_name, group


class Compactor:
    """Compacts lanes that were noted, in slices of time; remembers the lane that it has not come to the end of.

    Any number of processes may do it at once. What is not done is noted again when the lane has grown.

    ordering_of  what may pass what within a batch; CATALOG counts as STRICT
    """

    def __init__(
        self, lanes: Lanes, integrations: Mapping[str, Integration], ordering_of: Callable[[Integration], Ordering]
    ) -> None:
        self._lanes = lanes
        self._integrations = integrations
        self._ordering_of = ordering_of
        self._walk: _Walk | None = None

    def run(self, seconds: float) -> int:
        """Until no lane is left, or the time is over; returns operations taken away. Stale, redis.RedisError."""
        ends = time.monotonic() + seconds
        less = 0
        while time.monotonic() < ends and (walk := self._next()) is not None:
            less += walk.go(self._lanes, ends)
            self._walk = None if walk.is_over or walk.is_lost else walk
            if not walk.is_over:
                self._lanes.note_waiting(walk.waiting)  # for whoever has the next slice
        return less

    def _next(self) -> _Walk | None:
        """The lane that was begun here, if it is still ours to go on with; else another, from its end."""
        walk, self._walk = self._walk, None
        if walk is not None and self._lanes.take_waiting(walk.waiting):
            return walk
        while (waiting := self._lanes.next_waiting()) is not None:
            integration = self._integrations.get(waiting.integration)
            if integration is None or not integration.batched:
                continue
            ordering = self._ordering_of(integration)
            if ordering.merges:
                return _Walk(integration, ordering, waiting)
        return None


class _Walk:
    """One lane's, from its end to its head; stops where its deliverer has come to what was read."""

    def __init__(self, integration: Integration, ordering: Ordering, waiting: Waiting) -> None:
        self.waiting = waiting
        self.is_over = False
        self.is_lost = False  # where it paused the lane has changed since: it must be walked from its end once more
        self._paused = False
        self._integration = integration
        self._thinner = Thinner(integration.key_fields, ordering)
        self._started = time.time()
        self._after = waiting.chunks
        self._behind = ""  # first sequence of what is thinned already
        self._merged = 0

    def go(self, lanes: Lanes, ends: float) -> int:
        """Goes on until `ends`, a time.monotonic(); returns operations taken away."""
        before, resumed = self._merged, self._paused
        while self._after > 1:
            if time.monotonic() >= ends:
                self._paused = True
                return self._merged - before
            if not self._thin_next(lanes):
                self.is_lost = resumed
                break
            resumed = False
        if self.is_lost:
            return self._merged - before
        self.is_over = True
        lanes.compact(Compaction(self.waiting.integration, self.waiting.segment))
        integration, segment = self.waiting.integration, self.waiting.segment
        tell(LANE_COMPACTED, integration=integration, segment=segment, operations=self._merged)
        return self._merged - before

    def _thin_next(self, lanes: Lanes) -> bool:
        first, chunks = _window(lanes, self.waiting, self._after)
        if len(chunks) != self._after - first:
            return False
        held = sum(chunk[:27].decode() <= self.waiting.untouchable for chunk in chunks)
        first, chunks = first + held, chunks[held:]
        if not chunks:
            return False
        # Chunks may have gone at the head since: then what stands here has been thinned, and every operation of it
        # would seem to come again.
        if self._behind and chunks[-1][27:54].decode() >= self._behind:
            return False
        thinned = self._thinner.thin(chunks)
        if len(thinned.chunks) < len(chunks) or thinned.merged:
            done = _compaction(self._integration, self.waiting, first, chunks, thinned, self._started)
            if not lanes.compact(done):
                return False
            self._merged += thinned.merged
        self._after, self._behind = first, chunks[0][:27].decode()
        return True


def _window(lanes: Lanes, waiting: Waiting, after: int) -> tuple[int, list[bytes]]:
    """The chunks before index `after` that make a window, and the first one's index; never the lane's first."""
    chunks: list[bytes] = []
    first, size = after, 0
    while first > 1 and size < WINDOW_BYTES and len(chunks) < MOST_CHUNKS:
        end, first = first, max(1, first - PAGE)
        page = lanes.chunks(waiting, first, end)
        chunks = page + chunks
        size += sum(map(len, page))
        if len(page) != end - first:
            break
    return first, chunks


def _compaction(
    integration: Integration, waiting: Waiting, first: int, chunks: Sequence[bytes], thinned: Thinned, started: float
) -> Compaction:
    record = Delivery(
        uid=new_uid(),
        integration=integration.key,
        connector=integration.connector,
        segment=waiting.segment,
        outcome="delivered",
        first=chunks[0][:27].decode(),
        last=chunks[-1][27:54].decode(),
        operations=thinned.merged,
        merged=thinned.merged,
        moot=0,
        quarantined=0,
        attempt=1,
        started_ms=round(started * 1000),
        duration_us=round((time.time() - started) * 1e6),
        waited_ms=0,
    )
    return Compaction(
        waiting.integration,
        waiting.segment,
        first,
        [chunk[:HEADER] for chunk in chunks],
        thinned.chunks,
        thinned.merged,
        [encode(record)] if thinned.merged else [],
    )
