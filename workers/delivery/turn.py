"""A lane while it is served, and how that can end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers.connectors.contract import Receipt, Rejection
    from workers.delivery.batch import Batch, BatchPolicy
    from workers.delivery.batching import Buffer
    from workers.delivery.leases import Lease
    from workers.integrations import Integration
    from workers.lanes import More


@dataclass(frozen=True, slots=True)
class NothingDue:
    """No lane of the connector is due; the permit has been given back."""

    batches: int


@dataclass(frozen=True, slots=True)
class TimeOver:
    """The wake-up has had its time; more may be due. The permit has not been given back."""

    batches: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A try failed; the lane knows when to try again.

    retry_in_s  seconds until the next try
    needs_help  whether someone must mend something first; it is tried again all the same
    batches     settled before it failed
    """

    integration: str
    segment: str
    code: str
    reason: str
    retry_in_s: float
    needs_help: bool
    batches: int = 0

    def __str__(self) -> str:
        return f"{self.integration}/{self.segment}: {self.code}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Over:
    """The lane is not ours any more; `failure` where a try failed.

    stopped  it is still, until what is under way is undone
    """

    failure: Failed | None = None
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Lacking:
    """This process lacks a secret of the connector, and has claimed nothing.

    The permit has not been given back, and runs out by itself: given back, the next wake-up would come at once.
    """

    connector: str
    reason: str

    def __str__(self) -> str:
        return f"{self.connector} is not served by this process: {self.reason}"


Result = NothingDue | TimeOver | Failed | Lacking


@dataclass(frozen=True, slots=True)
class Following:
    """What shapes the batch after one that is settled; as in Turn."""

    limit: int | None
    suspect: str
    passed: frozenset[str]
    aside: dict[str, Rejection]


@dataclass(slots=True)
class Turn:
    """One lane while it is served.

    attempts  failed tries of the batch at the head
    limit     the most operations the next batch may have; None: as many as configured
    suspect   end of the batch in which the one at fault is looked for, or ""
    passed    event types of which something passed since it began to fail
    tried_to  last sequence that somebody may have tried before this turn, or ""
    undone    whether all tries of what stands at the head are known to have left nothing in the target
    deadly    whether the head of the lane has ended every process that touched it
    probing   id of the integration's hold that this turn is the probe of, or ""
    ends      time.monotonic() at which others get their turn
    once_more sequence of what is tried again at once since others pass, or ""
    at_once   how many times in a row
    others_passed leases.now() at which others passed who were asked last
    aside     what the lane says is to go to the quarantine, by sequence
    open      its entries in the quarantine
    no_room   whether the quarantine has no room for more of the integration's
    """

    integration: Integration
    lease: Lease
    buffer: Buffer
    ends: float
    attempts: int = 0
    limit: int | None = None
    suspect: str = ""
    passed: frozenset[str] = frozenset()
    tried_to: str = ""
    undone: bool = False
    deadly: bool = False
    probing: str = ""
    once_more: str = ""
    at_once: int = 0
    others_passed: float = 0.0
    aside: dict[str, Rejection] = field(default_factory=dict)
    open: int = 0
    no_room: bool = False

    @property
    def maybe_there_to(self) -> str:
        """The last sequence that an earlier try may have brought into the target, or ""."""
        return "" if self.undone else self.tried_to

    def set_aside(self, aside: dict[str, Rejection]) -> None:
        """The lane says so now."""
        self.aside, self.buffer.aside = aside, aside

    def batch_after(self, batch: Batch, how: BatchPolicy) -> Batch | None:
        """The one behind this one, if it is sure which that will be once this one is settled."""
        return None if self.limit is not None or self.open else self.buffer.cut_ahead(batch, how)

    def others_pass(self, batch: Batch, kind: str) -> None:
        """For the first time since it began to fail: tries before that say nothing of who stands alone."""
        if batch.alone is not None and kind not in self.passed:
            self.attempts = 0
        self.passed |= {kind}

    def tries_at_once(self, batch: Batch) -> int:
        """How many in a row this one's is, of what stands alone; 0 for the first try."""
        return self.at_once if batch.alone is not None and batch.alone.sequence == self.once_more else 0

    def follows(self, batch: Batch, receipt: Receipt) -> Batch | None:
        """What may be told before this batch, which is in the target, is settled; None where anything is unusual."""
        odd = self.attempts or self.limit is not None or self.suspect or self.passed or self.probing or self.deadly
        if odd or self.open or self.no_room or receipt.rejected or time.monotonic() >= self.ends:
            return None
        behind = self.buffer.made_ahead(batch)
        return behind if behind is not None and behind.first > self.tried_to else None

    def halve(self, batch: Batch, limit: int) -> None:
        """A shorter head of the batch is next."""
        alone = batch.alone.sequence if batch.alone is not None else ""
        self.once_more, self.at_once = alone, self.tries_at_once(batch) + 1
        self.suspect, self.limit = batch.last, limit
        self.attempts += 1

    def goes_on_after(self, batch: Batch, more: More, following: Following, *, lifted: bool) -> None:
        """The batch is settled, and the lane still ours; `lifted`: what it was the probe of is held no longer."""
        self.buffer.settle(batch)
        self.buffer.receive(more.to, more.clear, more.chunks)
        self.attempts, self.deadly = 0, False
        self.limit, self.suspect, self.passed = following.limit, following.suspect, following.passed
        self.set_aside(following.aside)
        self.probing = "" if lifted else self.probing
        self.open, self.no_room = more.open, more.no_room
