"""Delivery: the page to read first.

A wake-up names a connector. It claims the connector's next due lane, serves it for a turn, takes the next, and ends
when nothing is due or its time is over (DESIGN.md, "The way of the data"). Serving a lane is one batch after the other:

    cut the batch, render its statements, execute them in one transaction, commit while the lease lasts, settle

A step that fails raises; `_failed` alone decides what happens then, and says it in the lane.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workers import retrying
from workers.batches import Batch, Cut, Hand
from workers.errors import ErrorClass, TargetError
from workers.lanes import Claimed, Idle, Lanes, Lost, More
from workers.lanes.store import Release, Settlement
from workers.leases import Heartbeat, Lease, now
from workers.outcomes import QueryRun, encode
from workers.records import delivered, failed, quarantined
from workers.rendering import Rendered, render

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workers.connectors.contract import Session
    from workers.integrations import Integration

log = logging.getLogger(__name__)

TURN_SECONDS = 1.0
"""How long one lane is served before others get their turn."""
COMMIT_MARGIN = 2.0
"""Seconds a lease must have left for a COMMIT to be sent."""


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
    """

    integration: str
    segment: str
    code: str
    reason: str
    retry_in_s: float
    needs_help: bool

    def __str__(self) -> str:
        return f"{self.integration}/{self.segment}: {self.code}: {self.reason}"


Result = NothingDue | TimeOver | Failed


@dataclass(slots=True)
class Turn:
    """One lane while it is served."""

    integration: Integration
    lease: Lease
    hand: Hand
    attempts: int
    halved: int
    ends: float


class LeaseOver(TargetError):
    """The lease has not enough time left for a COMMIT: another may take the lane, so nothing was committed."""

    def __init__(self) -> None:
        super().__init__(ErrorClass.RETRY, "segsync lease", "the lease ran out before COMMIT; nothing was committed")


class Deliverer:
    """Serves the lanes of one connector, for one process working by one revision.

    connector    its key
    open_session gives a session with it, or raises TargetError
    parallelism  lanes of it served at once, over all workers
    patience     seconds to wait for a lane's session lock; also what a statement may take
    lock_prefix  names the installation in session locks, which a whole server shares (RULES.md 19)
    """

    def __init__(
        self,
        connector: str,
        open_session: Callable[[], Session],
        integrations: Mapping[str, Integration],
        lanes: Lanes,
        heartbeat: Heartbeat,
        *,
        parallelism: int,
        patience: float,
        lock_prefix: str,
    ) -> None:
        self._connector = connector
        self._open_session = open_session
        self._integrations = integrations
        self._lanes = lanes
        self._heartbeat = heartbeat
        self._parallelism = parallelism
        self._patience = patience
        self._lock_prefix = lock_prefix
        self._batches = 0
        self._session: Session | None = None

    def work(self, token: str, seconds: float) -> Result:
        """Serves due lanes until none is left, the time is over or a try fails. Raises Stale and redis.RedisError."""
        self._batches, ends = 0, time.monotonic() + seconds
        try:
            while True:
                sent = now()
                claimed = self._lanes.claim(self._connector, token, self._parallelism)
                if isinstance(claimed, Idle):
                    return NothingDue(self._batches)
                failure = self._serve(claimed, token, sent)
                if failure is not None:
                    return failure
                if time.monotonic() >= ends:
                    return TimeOver(self._batches)
        finally:
            self._close()

    def _serve(self, claimed: Claimed, token: str, sent: float) -> Failed | None:
        turn = self._begin_turn(claimed, token, sent)
        self._heartbeat.watch(turn.lease)
        try:
            return self._batch_after_batch(turn)
        finally:
            self._heartbeat.drop(turn.lease)

    def _begin_turn(self, claimed: Claimed, token: str, sent: float) -> Turn:
        lease = Lease(claimed.integration, claimed.segment, f"deliver.{self._connector}", token, sent)
        hand = Hand(claimed.done, claimed.to, claimed.clear, claimed.chunks)
        integration = self._integrations[claimed.integration]
        return Turn(integration, lease, hand, claimed.attempts, claimed.halved, time.monotonic() + TURN_SECONDS)

    def _batch_after_batch(self, turn: Turn) -> Failed | None:
        cut = Cut(turn.integration.batch_size, turn.integration.key_fields, turn.integration.batched)
        while (batch := turn.hand.cut(cut, turn.halved)) is not None:
            started = time.time()
            rendered = render(turn.integration, turn.lease.segment, batch)
            try:
                runs = self._execute(turn, rendered)
            except TargetError as error:
                return self._failed(turn, batch, started, error)
            if not self._settle(turn, batch, rendered, runs, started):
                return None
        return None

    def _execute(self, turn: Turn, rendered: Rendered) -> list[QueryRun]:
        """Runs a batch's statements in one transaction and commits it."""
        if not rendered.queries:
            return []
        turn.lease.allow(self._patience * (rendered.statements + 2) + 10)
        session = self._open()
        session.begin(f"{self._lock_prefix}/{turn.integration.key}/{turn.lease.segment}", self._patience)
        self._check_lease(turn.lease)
        runs = [_run(session, query.event_type, query.profiles, query.statements) for query in rendered.queries]
        self._check_lease(turn.lease)
        session.commit()
        return runs

    @staticmethod
    def _check_lease(lease: Lease) -> None:
        if lease.left() < COMMIT_MARGIN:
            raise LeaseOver

    def _settle(self, turn: Turn, batch: Batch, rendered: Rendered, runs: list[QueryRun], started: float) -> bool:
        """Trims the lane up to the batch and records it; False when the turn is over."""
        before = turn.hand.settled
        turn.hand.settle(batch)
        records = [encode(delivered(self._connector, turn.lease, batch, rendered, runs, turn.attempts, started))]
        records += [encode(quarantined(turn.lease, rejected)) for rejected in rendered.rejected]
        sent = now()
        answer = self._lanes.settle(
            Settlement(
                integration=turn.lease.integration,
                segment=turn.lease.segment,
                settled_before=before,
                settled=batch.last,
                operations=batch.taken,
                next_ms=turn.hand.next_ms,
                held_operations=len(turn.hand),
                held_chunks=turn.hand.chunks,
                go_on=time.monotonic() < turn.ends,
                records=records,
            )
        )
        self._batches += 1
        turn.attempts = 0
        if isinstance(answer, Lost):
            log.warning("%s/%s was taken over before it was settled", turn.lease.integration, turn.lease.segment)
        if not isinstance(answer, More):
            return False
        turn.lease.extend(sent)
        turn.hand.receive(answer.to, answer.clear, answer.chunks)
        return True

    def _failed(self, turn: Turn, batch: Batch, started: float, error: TargetError) -> Failed:
        """Gives the lane back with its next try's time; the only place that decides what an error leads to."""
        self._discard()
        plan = retrying.plan(error, turn.attempts, batch.taken)
        record = failed(self._connector, turn.lease, batch, turn.attempts, started, error, held=bool(plan.level))
        self._lanes.release(
            Release(
                integration=turn.lease.integration,
                segment=turn.lease.segment,
                how="failed",
                delay_ms=plan.delay_ms,
                halve=plan.halve,
                level=plan.level.value if plan.level else "",
                code=error.code,
                reason=error.reason,
                records=[encode(record)],
            )
        )
        failure = Failed(
            turn.lease.integration,
            turn.lease.segment,
            error.code,
            error.reason,
            plan.delay_ms / 1000,
            needs_help=plan.level is not None,
        )
        log.warning("%s, next try in %.1f s", failure, failure.retry_in_s)
        return failure

    def _open(self) -> Session:
        if self._session is None:
            self._session = self._open_session()
        return self._session

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _discard(self) -> None:
        if self._session is not None:
            self._session.discard()
            self._session = None


def _run(session: Session, event_type: str, profiles: int, statements: list[str]) -> QueryRun:
    started = time.perf_counter()
    rows = sum(session.execute(statement) for statement in statements)
    return QueryRun(event_type, profiles, len(statements), rows, round((time.perf_counter() - started) * 1e6))
