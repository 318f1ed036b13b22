"""Lanes that owe little, several in one transaction: a COMMIT for each would cost more than all that it commits.

    join more lanes to the one that was claimed, deliver all in one transaction, settle each

Each lane has a claim, a lock and a settlement of its own, as when it is served alone; only the transaction is one. What
fails together tells nothing of any of them: all are given back, and the next ones are served one by one.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from redis import RedisError

from workers import failpoints
from workers.delivery.beginning import given_back, policy_of
from workers.delivery.decide import Later, backoff_ms
from workers.delivery.failures import NoMemory, surely_undone
from workers.delivery.leases import Lease
from workers.errors import TargetError
from workers.failpoints import reach
from workers.lanes.chunks import UnreadableChunk, operations_in
from workers.lanes.messages import Release

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workers.delivery.attempt import Attempts
    from workers.delivery.batch import Batch
    from workers.delivery.beginning import Turns
    from workers.delivery.leases import Heartbeat
    from workers.delivery.settlement import Settlements
    from workers.delivery.turn import Failed, Turn
    from workers.lanes import Claimed, Lanes

LANES_AT_MOST = 50
"""In one transaction: all locks and rows are held until the last lane is told, and one script hands out so many."""
OWED_AT_MOST = 20
"""Operations of a lane that is small enough."""
FIRST = 1
"""Lanes that go together before it is known how long one takes."""
PACE_SECONDS = 0.1
"""What one transaction may take: where lanes take longer, others should serve them meanwhile."""


class Pace:
    """How many lanes go together: twice as many as before while that is fast, one where a lane by itself is slow."""

    def __init__(self) -> None:
        self.most = FIRST
        self._alone = 0

    def took(self, seconds: float) -> None:
        """What claimed lanes that owe little have taken, together or one alone."""
        self._alone = max(0, self._alone - 1)
        if seconds > PACE_SECONDS:
            self.most = max(1, self.most // 2)
        elif seconds < PACE_SECONDS / 2 and not self._alone:
            self.most = min(LANES_AT_MOST, 2 * self.most)

    def failed(self, lanes: int) -> None:
        """So many failed together: as many are served one by one, so that the one at fault is found."""
        self.most, self._alone = 1, lanes


class Together:
    """Serves several small lanes of one connector at once; its parts are those of the deliverer."""

    def __init__(
        self,
        connector: str,
        turns: Turns,
        attempts: Attempts,
        settlements: Settlements,
        lanes: Lanes,
        heartbeat: Heartbeat,
    ) -> None:
        self._connector = connector
        self._turns = turns
        self._attempts = attempts
        self._settlements = settlements
        self._lanes = lanes
        self._heartbeat = heartbeat
        self.pace = Pace()

    def suits(self, claimed: Claimed) -> bool:
        """Whether nothing is known of the lane but that it owes little: what join.lua looks for in others."""
        integration = self._turns.integration(claimed)
        return (
            sum(operations_in(chunk) for chunk in claimed.chunks) <= min(OWED_AT_MOST, integration.batch_size)
            and not integration.exactly_once
            and not (claimed.tried_to or claimed.deaths or claimed.attempts or claimed.limit or claimed.suspect)
            and not (claimed.passed or claimed.probing or claimed.open or claimed.no_room or claimed.aside)
            and not claimed.clear
        )

    def join(self, first: Claimed, token: str) -> list[Claimed]:
        """Other lanes that go with this one, which is given back if Redis cannot be asked."""
        if self.pace.most == 1 or not self._attempts.takes_several:
            return []
        owner, _, nonce = first.claim.rpartition("/")
        claims = [f"{owner}/{number}/{nonce}" for number in range(1, self.pace.most)]
        try:
            return self._lanes.join(first, self._connector, token, claims, OWED_AT_MOST)
        except RedisError:
            for claim in [first.claim, *claims]:
                self._heartbeat.give_back(Release("", "", claim))
            raise

    def serve(
        self, claimed: Sequence[Claimed], token: str, sent: Sequence[float], alone: Callable[[Turn], Failed | None]
    ) -> Failed | None:
        """Delivers all of these lanes; those that do not fit, one by one with `alone`. Raises redis.RedisError."""
        reach(failpoints.AFTER_CLAIM)
        queue = f"deliver.{self._connector}"
        leases = [
            Lease(each.integration, each.segment, each.claim, queue, token, at)
            for each, at in zip(claimed, sent, strict=True)
        ]
        turns: dict[str, Turn] = {}
        served: set[str] = set()
        for lease in leases:
            self._heartbeat.watch(lease)
        try:
            for each, lease in zip(claimed, leases, strict=True):
                turns[lease.claim] = self._turns.begin(each, lease)
            return self._serve(list(turns.values()), served, alone)
        except UnreadableChunk:
            self._attempts.discard()
            self._give_back(leases)  # which it is, is found and told when each is served alone
            return None
        except RedisError:
            for lease in leases:
                if lease.claim not in served:
                    self._heartbeat.give_back(given_back(lease, turns.get(lease.claim)))
            raise
        finally:
            for lease in leases:
                self._heartbeat.drop(lease)

    def _serve(self, turns: list[Turn], served: set[str], alone: Callable[[Turn], Failed | None]) -> Failed | None:
        found = [(turn, _all_of_it(turn)) for turn in turns]
        fitting = [(turn, batch) for turn, batch in found if batch is not None]
        others = [turn for turn, batch in found if batch is None]
        if len(fitting) == 1:
            others, fitting = turns, []
        if fitting:
            error = self._deliver(fitting)
            if error is not None:
                self._give_back([turn.lease for turn in others])
                return self._failed(fitting, error)
            served |= {turn.lease.claim for turn, _ in fitting}
        while others:
            turn = others.pop(0)
            failure = alone(turn)
            served.add(turn.lease.claim)
            if failure is not None:
                self._give_back([turn.lease for turn in others])
                served |= {turn.lease.claim for turn in others}
                return failure
        return None

    def _deliver(self, batches: list[tuple[Turn, Batch]]) -> TargetError | None:
        """All of them, settled; or why none is in the target, as far as is known."""
        started = time.time()
        try:
            receipts = self._attempts.deliver_together(batches)
        except MemoryError:
            return NoMemory(0)
        except TargetError as error:
            return error
        done = [(turn, batch, receipt) for (turn, batch), receipt in zip(batches, receipts, strict=True)]
        self._settlements.settle_all(done, started)
        return None

    def _failed(self, batches: list[tuple[Turn, Batch]], error: TargetError) -> Failed | None:
        """Nobody is at fault yet; but what may be in the target all the same is written down as tried."""
        self._attempts.discard()
        self.pace.failed(len(batches))
        if surely_undone(error):
            self._give_back([turn.lease for turn, _ in batches])
            return None
        failure, started = None, time.time()
        for turn, batch in batches:
            turn.undone = False
            later = Later(backoff_ms(0, random.random()))  # noqa: S311 - jitter, no secret
            over = self._settlements.give_back(turn, batch, started, error, later)
            failure = failure if over is None else over.failure
        return failure

    def _give_back(self, leases: Sequence[Lease]) -> None:
        """Untouched: what was executed of them was undone."""
        if leases:
            self._lanes.release_all([Release(lease.integration, lease.segment, lease.claim) for lease in leases])


def _all_of_it(turn: Turn) -> Batch | None:
    """What the lane was handed out, where that is one batch of profiles that all are to be told; else None."""
    batch = turn.buffer.cut(policy_of(turn), turn.limit)
    if batch is None or batch.event is not None or not batch.members or batch.taken != len(turn.buffer):
        return None
    return None if batch.rejected or batch.aside or batch.moot or batch.retried else batch
