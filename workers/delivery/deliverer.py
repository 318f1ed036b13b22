"""Delivery: the page to read first.

A wake-up names a connector. It claims the connector's next due lane, serves it for a turn, takes the next, and ends
when nothing is due or its time is over (docs/architecture.md). Serving a lane is one batch after the other:

    cut the batch (batching.py), try it on its target (attempt.py), tell the lane what came of it (settlement.py)

Whatever fails comes to `_failed`, which asks decide.py what follows.
"""

from __future__ import annotations

import random
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from redis import RedisError

from workers import failpoints
from workers.connectors.contract import Rejection, Unfit
from workers.delivery.asking import Inquiries
from workers.delivery.attempt import Attempts
from workers.delivery.beginning import Turns, given_back, policy_of
from workers.delivery.deaths import after_deaths
from workers.delivery.decide import PROBE_MS, AskOthers, FailedTry, Halve, Hold, SetAside, decide
from workers.delivery.failures import (
    ALREADY_THERE,
    NOT_COUNTED,
    NoMemory,
    NoRoom,
    UnreadableLane,
    counted_as,
    kind_of,
    may_be_ours,
    surely_undone,
    told_of_one,
    unusable,
)
from workers.delivery.leases import Lease, now
from workers.delivery.probing import try_to_connect
from workers.delivery.records import Took
from workers.delivery.room import only_counted
from workers.delivery.settlement import CLOSING_IN, Settlements
from workers.delivery.together import Together
from workers.delivery.turn import Failed, NothingDue, Over, Result, TimeOver
from workers.delivery.unsettled import Unsettled
from workers.errors import TargetError
from workers.failpoints import reach
from workers.lanes import Claimed, Idle, Probe
from workers.lanes.chunks import UnreadableChunk
from workers.lanes.messages import Release

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from workers.connectors.contract import Receipt, Session
    from workers.delivery.batch import Batch
    from workers.delivery.failures import Counts
    from workers.delivery.leases import Heartbeat
    from workers.delivery.orderings import Orderings
    from workers.delivery.turn import Turn
    from workers.events.event import Kind
    from workers.integrations import Integration
    from workers.lanes import Lanes


class Deliverer:
    """Serves the lanes of one connector, for one process working by one revision.

    connector    its key
    open_session gives a session with it, or raises TargetError
    connect      connects anew and asks the smallest question, or raises TargetError
    orderings    what may pass what within a batch, where the target's tables tell
    parallelism  lanes of it served at once, over all workers
    patience     seconds to wait for a lane's session lock; also what a statement may take
    lock_prefix  names the installation in session locks, which a whole server shares (rule 19)
    overlapping  whether a batch may be sent before the one in front of it is settled: not where statements are rationed
    """

    def __init__(
        self,
        connector: str,
        open_session: Callable[[], Session],
        connect: Callable[[], None],
        orderings: Orderings,
        integrations: Mapping[str, Integration],
        lanes: Lanes,
        heartbeat: Heartbeat,
        *,
        parallelism: int,
        patience: float,
        lock_prefix: str,
        overlapping: bool = True,
    ) -> None:
        self._connector = connector
        self._connect = connect
        self._lanes = lanes
        self._heartbeat = heartbeat
        self._parallelism = parallelism
        self._overlapping = overlapping
        self._attempts = Attempts(open_session, lanes, patience=patience, lock_prefix=lock_prefix)
        self._inquiries = Inquiries(self._attempts, lanes, patience=patience)
        self._settlements = Settlements(connector, lanes)
        self._turns = Turns(integrations, orderings)
        self._together = Together(connector, self._turns, self._attempts, self._settlements, lanes, heartbeat)

    def work(self, token: str, seconds: float) -> Result:
        """Serves due lanes until none is left, the time is over or a try fails. Raises Stale and redis.RedisError."""
        self._settlements.settled, ends = 0, time.monotonic() + seconds
        try:
            while True:
                reach(failpoints.BEFORE_CLAIM)
                sent = now()
                claimed = self._claim(token)
                if isinstance(claimed, Idle):
                    return NothingDue(self._settlements.settled)
                if isinstance(claimed, Probe):
                    failure = try_to_connect(self._connector, self._connect, self._lanes, claimed)
                else:
                    failure = self._serve_due(claimed, token, sent)
                if failure is not None:
                    return replace(failure, batches=self._settlements.settled)
                if time.monotonic() >= ends:
                    return TimeOver(self._settlements.settled)
        finally:
            self._attempts.close()

    def _claim(self, token: str) -> Claimed | Idle | Probe:
        claim = self._lanes.new_claim()
        try:
            return self._lanes.claim(self._connector, token, self._parallelism, claim)
        except RedisError:
            # It may have come through: then nobody knows of it but the lane, and this takes it back.
            self._heartbeat.give_back(Release("", "", claim))
            raise

    def _serve_due(self, claimed: Claimed, token: str, sent: float) -> Failed | None:
        """The lane that was claimed, and more with it where that owes little (together.py)."""
        together = self._together
        if not together.suits(claimed):
            return self._serve(claimed, token, sent)
        began, joined_at = time.monotonic(), now()
        others = together.join(claimed, token)
        if others:
            sent_at = [sent, *[joined_at] * len(others)]
            failure = together.serve([claimed, *others], token, sent_at, self._batch_after_batch)
        else:
            failure = self._serve(claimed, token, sent)
        together.pace.took(time.monotonic() - began)
        return failure

    def _serve(self, claimed: Claimed, token: str, sent: float) -> Failed | None:
        reach(failpoints.AFTER_CLAIM)
        queue = f"deliver.{self._connector}"
        lease = Lease(claimed.integration, claimed.segment, claimed.claim, queue, token, sent)
        self._heartbeat.watch(lease)
        turn = None
        try:
            turn = self._turns.begin(claimed, lease)
            over = self._look_at_deaths(turn, claimed.deaths) if claimed.deaths else None
            return self._batch_after_batch(turn) if over is None else over.failure
        except RedisError:
            # Redis cannot be told now. As failed: what was tried may have come through.
            self._heartbeat.give_back(given_back(lease, turn))
            raise
        except UnreadableChunk as error:
            return self._hold_unreadable(lease, turn, UnreadableLane(str(error)))
        finally:
            self._heartbeat.drop(lease)

    def _look_at_deaths(self, turn: Turn, deaths: int) -> Over | None:
        """What ended others must not end all of us: before it is touched, a shorter batch is next, or it is known."""
        batch = turn.buffer.cut(policy_of(turn), turn.limit)
        if batch is None:
            return None
        follows = after_deaths(deaths, batch.counted, closing_in=CLOSING_IN in turn.passed)
        if isinstance(follows, Halve):
            return self._settlements.close_in(turn, batch, follows.limit)
        turn.deadly = isinstance(follows, SetAside)
        return None

    def _batch_after_batch(self, turn: Turn) -> Failed | None:
        policy = policy_of(turn)
        while True:
            # Only where the lane has entries can any of what is retried still stand (rule 30).
            retries = turn.buffer.retries if turn.open else []
            found = self._lanes.still_open(turn.lease.integration, turn.lease.segment, retries)
            turn.buffer.still_open, turn.buffer.overtaken = found.since, found.overtaken
            batch = turn.buffer.cut(policy, turn.limit)
            if batch is None:
                return None
            over = self._deliver(turn, batch)
            if over is not None:
                return over.failure

    def _deliver(self, turn: Turn, batch: Batch) -> Over | None:
        """One batch, and those that are sure to follow it (rule 18); None where the lane is still ours."""
        before: Unsettled | None = None
        while True:
            started = time.time()
            receipt: Receipt | TargetError | MemoryError
            try:
                receipt = self._try(turn, batch, before)
            except (TargetError, MemoryError) as failure:
                receipt = failure
            if before is not None and (over := before.settle()) is not None:
                self._attempts.discard()
                if over.stopped:
                    self._settlements.undone(turn)
                return over
            if isinstance(receipt, Exception):
                return self._went_wrong(turn, batch, started, receipt)
            overlaps = self._overlapping and self._attempts.takes_several
            follows = turn.follows(batch, receipt) if overlaps else None
            took = Took(started, time.time())
            settle = partial(self._settlements.settle, turn, batch, receipt, took, under_way=follows is not None)
            if follows is None:
                return settle()
            before, batch = Unsettled(settle), follows

    def _try(self, turn: Turn, batch: Batch, before: Unsettled | None) -> Receipt:
        if refused := self._unusable(turn, batch):
            raise Unfit(refused)
        # What ends whoever touches it, and is there already, is not touched again.
        shown = batch.bare if turn.deadly else batch
        return self._attempts.deliver(turn, shown, lambda: turn.batch_after(batch, policy_of(turn)), before)

    def _went_wrong(self, turn: Turn, batch: Batch, started: float, error: TargetError | MemoryError) -> Over | None:
        if isinstance(error, Unfit):
            return self._set_aside(turn, batch, started, error.rejected)
        if isinstance(error, MemoryError):
            return self._failed(turn, batch, started, NoMemory(turn.attempts))
        return self._failed(turn, batch, started, error)

    def _unusable(self, turn: Turn, batch: Batch) -> list[Rejection]:
        """What can be given to no target, but what it has: by an earlier revision it could, and nobody heard of it."""
        refused = unusable(batch, deadly=turn.deadly)
        reached = self._attempts.reached(turn, batch) if refused else ""
        return [each for each in refused if each.sequence > reached]

    def _failed(self, turn: Turn, batch: Batch, started: float, error: TargetError) -> Over | None:
        """Does what an error leads to."""
        self._attempts.discard()
        turn.undone = turn.undone and surely_undone(error)
        kind = kind_of(error, batch)
        tried = self._tried(turn, batch, error, kind)
        outcome = decide(error, tried, chance=random.random())  # noqa: S311 - jitter, no secret
        if isinstance(outcome, AskOthers):
            error, outcome, passes = self._inquiries.judge(turn, batch, kind, error, tried, outcome)
            if passes:
                turn.others_pass(batch, kind.label)
        if isinstance(outcome, SetAside):
            return self._refused(turn, batch, started, error, unasked=outcome.unasked)
        return self._settlements.give_back(turn, batch, started, error, outcome)

    def _tried(self, turn: Turn, batch: Batch, error: TargetError, kind: Kind) -> FailedTry:
        ours = error.already_there and batch.first <= turn.maybe_there_to
        return FailedTry(
            operations=batch.counted,
            alone=batch.alone is not None,
            is_profile=batch.event is None,
            attempts=turn.attempts,
            limit=turn.limit,
            searching=bool(turn.suspect),
            passed=ours or kind.label in turn.passed,
            again=turn.tries_at_once(batch),
            told=batch.runs_something,
            tolerant=turn.integration.tolerance == "data",
        )

    def _refused(self, turn: Turn, batch: Batch, started: float, error: TargetError, *, unasked: bool) -> Over | None:
        """The batch has come down to one operation, which is the one at fault."""
        operation = batch.alone
        assert operation is not None  # noqa: S101 - only what is alone is set aside
        ours = may_be_ours(operation, error, turn.maybe_there_to)
        code = ALREADY_THERE if ours else error.code
        rejection = Rejection(operation.sequence, code, told_of_one(error), error.detail)
        if ours:
            return self._set_aside(turn, batch, started, [rejection])
        alone = batch.members[0].key if unasked and batch.members else None
        return self._set_aside(turn, batch, started, [rejection], counted_as(operation, kind_of(error, batch), alone))

    def _set_aside(
        self, turn: Turn, batch: Batch, started: float, refused: Sequence[Rejection], counts: Counts = NOT_COUNTED
    ) -> Over | None:
        """Writes down what goes to the quarantine; holds the lane where that has no room: nothing is thrown away.

        But for what a resync tells, which its source still has.
        """
        if turn.no_room and len(only_counted(self._lanes, turn, [one.sequence for one in refused])) < len(refused):
            error = NoRoom(turn.integration.max_quarantine)
            return self._settlements.give_back(turn, batch, started, error, Hold(error.level))
        return self._settlements.set_aside(turn, batch, refused, started, counts)

    def _hold_unreadable(self, lease: Lease, turn: Turn | None, error: UnreadableLane) -> Failed:
        release = replace(given_back(lease, turn), how="failed", delay_ms=PROBE_MS)
        self._lanes.release(replace(release, level=error.level.value, code=error.code, reason=error.reason))
        return Failed(lease.integration, lease.segment, error.code, error.reason, PROBE_MS / 1000, needs_help=True)
