"""Trying a batch on its target: through the connector's door, and only while the lane is ours."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from workers.connectors.contract import Group, Member, Positions, Receipt, Unfit
from workers.delivery.failures import LeaseOver
from workers.delivery.leases import now
from workers.delivery.shipping import QUERY_KINDS, shipment
from workers.errors import ErrorClass, Phase, TargetError
from workers.events.event import Kind
from workers.events.profiles import profile
from workers.lanes.store import LEASE_MS
from workers.templates import Row, RowProblem, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workers.connectors.contract import Session, Shipment
    from workers.delivery.batch import Batch, Key
    from workers.delivery.leases import Lease
    from workers.delivery.turn import Turn
    from workers.lanes import Lanes, Operation

CONFIRM_AFTER = 0.05
"""Seconds after which a claim or settlement is confirmed: less is usual, and no failover gives a lane away faster."""
COMMIT_MARGIN = LEASE_MS / 15_000
"""Seconds a lease must have left for a COMMIT to be sent: 2 of 30."""
ASKED_AT_MOST = 8
"""Profiles that are tried, each by itself, before all are taken to be refused alike."""


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
        self._patience = patience
        self._lock_prefix = lock_prefix
        self._session: Session | None = None

    def deliver(self, turn: Turn, batch: Batch) -> Receipt:
        """Brings the batch into the target, or raises TargetError, Unfit among them."""
        once = turn.integration.exactly_once
        shipped = self._shipment(turn, batch)
        idle = shipped.event is not None and shipped.event.kind not in shipped.queries
        if not once and (idle or not batch.runs_something):
            return Receipt(idle=int(idle))
        return self._opened().deliver(shipped, _Fence(self._lanes, turn.lease))

    def ask_others(self, turn: Turn, batch: Batch, kind: Kind) -> tuple[bool, int]:
        """Whether another profile of the kind passes by itself, and how many were asked; all of it is taken back.

        Raises TargetError where the target cannot answer.
        """
        asked = 0
        for operation in self._others(turn, batch, kind):
            try:
                self._opened().deliver(self._sample(turn, batch, operation), _Fence(self._lanes, turn.lease))
            except Unfit:
                continue
            except TargetError as error:
                self.discard()
                if error.phase in {Phase.CONNECT, Phase.LOCK} or error.error_class in _NO_ANSWER:
                    raise
                asked += 1
            else:
                return True, asked + 1
        return False, asked

    def has_others(self, turn: Turn, batch: Batch, kind: Kind) -> bool:
        """Whether there is anyone to ask."""
        return bool(self._others(turn, batch, kind))

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
            positions=Positions(turn.buffer.settled, turn.buffer.to) if once else None,
            patience=self._patience,
        )

    def _sample(self, turn: Turn, batch: Batch, operation: Operation) -> Shipment:
        row = Row(profile(operation.body), operation.event_time_us, operation.number)
        group = Group(QUERY_KINDS[Kind(operation.kind)], (Member(operation.sequence, row),))
        return replace(self._shipment(turn, batch), groups=(group,), event=None, positions=None, trial=True)

    @staticmethod
    def _others(turn: Turn, batch: Batch, kind: Kind) -> Sequence[Operation]:
        """Of the batch itself, or where it is down to one, of what comes after it; spread over all there are.

        Others are those of other keys: the same profile once more would tell nothing.
        """
        if batch.alone is None:
            mine = [member.operation for member in batch.members if member.operation.kind == kind]
            return _spread(mine) if len(mine) > 1 else []
        own = {member.key for member in batch.members}
        others: dict[Key, Operation] = {}
        for operation in _spread(turn.buffer.profiles_after(batch.last, kind)):
            key = _key(turn, operation)
            if key is not None and key not in own and operation.sequence not in turn.aside:
                others[key] = operation
        return list(others.values())


_NO_ANSWER = frozenset({ErrorClass.RETRY, ErrorClass.AMBIGUOUS})


def _spread(operations: Sequence[Operation]) -> Sequence[Operation]:
    step = max(1, len(operations) // ASKED_AT_MOST)
    return operations[::step][:ASKED_AT_MOST]


def _key(turn: Turn, operation: Operation) -> Key | None:
    try:
        return key_of(profile(operation.body), turn.integration.key_fields)
    except RowProblem:
        return None


class _Fence:
    """As `contract.Fence`: asks the local clock, and Redis where the last word from it is old.

    A Redis that was failed over, or restarted without its last second, may have forgotten our claim and given the lane
    to another. That one waits for the lane's lock, which we hold, or is done, and then Redis says so.
    """

    def __init__(self, lanes: Lanes, lease: Lease) -> None:
        self._lanes = lanes
        self._lease = lease

    def __call__(self, seconds: float = 0.0) -> None:
        """Raises LeaseOver."""
        lease = self._lease
        if seconds:
            lease.allow(seconds)
        sent = now()
        if sent - lease.renewed > CONFIRM_AFTER:
            if self._lanes.renew(lease.integration, lease.segment, lease.claim, lease.queue, lease.token):
                lease.extend(sent)
            else:
                lease.lost = True
        if lease.left() < COMMIT_MARGIN:
            raise LeaseOver
