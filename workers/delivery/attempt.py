"""Trying a batch on its target: through the connector's door, and only while the lane is ours."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from workers.connectors.contract import Group, PositionAlarm, Positions, Receipt
from workers.delivery.batch import Keyed
from workers.delivery.failures import LeaseOver
from workers.delivery.leases import now
from workers.delivery.shipping import QUERY_KINDS, shipment
from workers.events.event import Kind
from workers.events.profiles import profile
from workers.lanes.runs import ResyncRuns
from workers.lanes.store import LEASE_MS
from workers.templates import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workers.connectors.contract import Session, Shipment
    from workers.delivery.batch import Batch
    from workers.delivery.leases import Lease
    from workers.delivery.turn import Turn
    from workers.delivery.unsettled import Unsettled
    from workers.lanes import Lanes, Operation

CONFIRM_AFTER = 0.05
"""Seconds after which a claim or settlement is confirmed: less is usual, and no failover gives a lane away faster."""
COMMIT_MARGIN = LEASE_MS / 15_000
"""Seconds a lease must have left for a COMMIT to be sent: 2 of 30."""


class Attempts:
    """Tries batches over one session, which is opened when it is first needed.

    open_session  gives a session with the target, or raises TargetError
    lanes         is asked whether a lane is still ours
    patience      seconds to wait for a lane's lock; also what a statement may take
    lock_prefix   names the installation in locks, which a whole server shares (rule 19)
    """

    def __init__(self, open_session: Callable[[], Session], lanes: Lanes, *, patience: float, lock_prefix: str) -> None:
        self._open_session = open_session
        self._lanes = lanes
        self._runs = ResyncRuns(lanes)
        self._patience = patience
        self._lock_prefix = lock_prefix
        self._session: Session | None = None
        self._ahead: tuple[Batch, Shipment] | None = None

    def deliver(
        self,
        turn: Turn,
        batch: Batch,
        upcoming: Callable[[], Batch | None] | None = None,
        before: Unsettled | None = None,
    ) -> Receipt:
        """Brings the batch into the target, or raises TargetError, Unfit among them.

        upcoming  gives the batch that comes next, if that is known: it is made ready while the target is at work
        before    the batch in front of it, where that is not settled: it is meanwhile, at the latest before COMMIT
        """
        once = turn.integration.exactly_once
        ahead, self._ahead = self._ahead, None
        shipped = ahead[1] if ahead is not None and ahead[0] is batch else self._shipment(turn, batch)
        if upcoming is not None and not once:  # the target's position is read with the batch's own turn
            shipped = replace(shipped, upcoming=lambda: self._meanwhile(turn, upcoming, before))
        idle = shipped.event is not None and not turn.integration.answers(shipped.event.kind)
        if not once and (idle or not batch.runs_something):
            return Receipt(idle=int(idle))
        if before is not None:
            shipped = replace(shipped, before_commit=lambda: _settle_first(before))
        return self._heeded(turn, shipped)

    def reached(self, turn: Turn, batch: Batch) -> str:
        """The last sequence that the target has by its own word, "" where it gives none. Raises TargetError."""
        if not turn.integration.exactly_once:
            return ""
        return self._heeded(turn, replace(self._shipment(turn, batch.bare), trial=True)).reached

    def _heeded(self, turn: Turn, shipped: Shipment) -> Receipt:
        try:
            return self._opened().deliver(shipped, _Fence(self._lanes, turn.lease))
        except PositionAlarm:
            if shipped.positions is None or not self._runs.overrule(turn.lease.integration, turn.lease.segment):
                raise
        # A resync has begun, and ends in what the source says, whatever the target has had (rule 49).
        self.discard()
        shipped = replace(shipped, positions=shipped.positions._replace(overruled=True))
        return self._opened().deliver(shipped, _Fence(self._lanes, turn.lease))

    @property
    def takes_several(self) -> bool:
        """Whether a session is open that takes several lanes at once."""
        return self._session is not None and self._session.takes_several

    def deliver_together(self, batches: Sequence[tuple[Turn, Batch]]) -> list[Receipt]:
        """Brings the batches of several lanes into the target in one step, or raises TargetError, Unfit among them."""
        self._ahead = None
        shipped = [self._shipment(turn, batch) for turn, batch in batches]
        return self._opened().deliver_together(shipped, _Fence(self._lanes, *[turn.lease for turn, _ in batches]))

    def _meanwhile(self, turn: Turn, upcoming: Callable[[], Batch | None], before: Unsettled | None) -> Shipment | None:
        if before is not None and before.settle() is not None:
            return None
        batch = upcoming()
        if batch is None:
            return None
        shipped = self._shipment(turn, batch)
        self._ahead = batch, shipped
        return shipped

    def try_out(self, turn: Turn, batch: Batch, segment: str, name: str | None, operation: Operation) -> Receipt:
        """Tries another profile by itself, and takes it back; raises TargetError, Unfit among them.

        segment, name  of the lane that the profile stands in; the lock taken is that of the lane that is served
        """
        row = Row(profile(operation.body), operation.event_time_us, operation.number)
        group = Group(QUERY_KINDS[Kind(operation.kind)], (Keyed(operation, (), row),))
        shipped = replace(
            self._shipment(turn, batch), segment=segment, name=name, groups=(group,), event=None, size=None
        )
        return self._opened().deliver(replace(shipped, positions=None, trial=True), _Fence(self._lanes, turn.lease))

    def close(self) -> None:
        """Gives the session back."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def discard(self) -> None:
        """A broken session is never used again."""
        if self._session is not None:
            self._session.discard()
            self._session = None

    def _opened(self) -> Session:
        if self._session is None:
            self._session = self._open_session()
        return self._session

    def _shipment(self, turn: Turn, batch: Batch) -> Shipment:
        once = turn.integration.exactly_once
        return shipment(
            turn.integration,
            turn.lease.segment,
            batch,
            lane=f"{self._lock_prefix}/{turn.integration.key}/{turn.lease.segment}",
            positions=Positions(turn.buffer.settled, turn.buffer.to, turn.buffer.fingerprint) if once else None,
            patience=self._patience,
        )


def _settle_first(before: Unsettled) -> None:
    if before.settle() is not None:
        raise LeaseOver  # the lane is another's, or rests: nothing more may be committed


class _Fence:
    """As `contract.Fence`: asks the local clock, and Redis where the last word from it is old.

    A Redis that was failed over, or restarted without its last second, may have forgotten our claim and given the lane
    to another. That one waits for the lane's lock, which we hold, or is done, and then Redis says so.
    """

    def __init__(self, lanes: Lanes, *leases: Lease) -> None:
        self._lanes = lanes
        self._leases = leases

    def __call__(self, seconds: float = 0.0) -> None:
        """Raises LeaseOver."""
        if seconds:
            for lease in self._leases:
                lease.allow(seconds)
        sent = now()
        old = [lease for lease in self._leases if sent - lease.renewed > CONFIRM_AFTER]
        if old:
            self._confirm(old, sent)
        if min(lease.left() for lease in self._leases) < COMMIT_MARGIN:
            raise LeaseOver

    def _confirm(self, leases: list[Lease], sent: float) -> None:
        first, lanes = leases[0], [(lease.integration, lease.segment, lease.claim) for lease in leases]
        for lease, kept in zip(leases, self._lanes.renew_all(lanes, first.queue, first.token), strict=True):
            if kept:
                lease.extend(sent)
            else:
                lease.lost = True
