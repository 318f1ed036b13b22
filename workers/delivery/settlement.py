"""What becomes of a batch, said to its lane: settled, set aside, or given back.

Intentions come before effects: what is to go to the quarantine is written into the lane first, and done by the next
settlement, whatever the target says by then. Nothing here decides; see decide.py.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from workers import failpoints
from workers.connectors.contract import Rejection
from workers.delivery.batch import Rejected
from workers.delivery.decide import Halve, Hold, Later, OpenCircuit, for_anybody, next_limit
from workers.delivery.failures import REFUSED_ALIKE, as_query_fault, most_are_refused
from workers.delivery.leases import now
from workers.delivery.records import Done, Took, delivered, failed, set_aside
from workers.delivery.room import only_counted
from workers.delivery.superseding import Past
from workers.delivery.turn import Failed, Following, Over
from workers.errors import HoldLevel
from workers.failpoints import reach
from workers.lanes import Alike, Lost, More, Stop, Systemic
from workers.lanes.messages import Release, Settlement
from workers.log import BATCH_FAILED, HOLD_OVER, LANE_TAKEN_OVER, SET_ASIDE, tell
from workers.outcomes import encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from workers.connectors.contract import Receipt
    from workers.delivery.batch import Batch
    from workers.delivery.failures import Counts
    from workers.delivery.superseding import Change
    from workers.delivery.turn import Turn
    from workers.errors import TargetError
    from workers.lanes import Lanes
    from workers.outcomes import Record

UNDONE = "undone"
"""Beside the event types that a lane says to have passed: all tries of what stands at its head were undone."""
CLOSING_IN = "deaths"
"""Beside them, too: what is looked for in the suspected batch is what ends processes."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[str, str, str, str]]).decode


def unpack_aside(data: bytes) -> dict[str, Rejection]:
    """What a lane says is to be set aside, by sequence."""
    return {each[0]: Rejection(*each) for each in (_decode(data) if data else ())}


def pack_aside(rejections: Iterable[Rejection]) -> bytes:
    """As it stands in the lane; b"" for nothing."""
    found = list(rejections)
    return _encode(found) if found else b""


class _Told(NamedTuple):
    """What a lane is told of a batch, and what follows."""

    message: Settlement
    following: Following
    rejected: list[Rejected]


class Settlements:
    """Tells the lanes of one connector what came of their batches."""

    def __init__(self, connector: str, lanes: Lanes) -> None:
        self._connector = connector
        self._lanes = lanes
        self.settled = 0

    def settle(self, turn: Turn, batch: Batch, receipt: Receipt, took: Took, *, under_way: bool = False) -> Over | None:
        """Trims the lane up to the batch, and records it; None where the turn goes on, or with what is `under_way`."""
        told = self._told(turn, batch, receipt, took, under_way=under_way)
        sent = now()
        answer = self._lanes.settle(told.message)
        reach(failpoints.AFTER_SETTLE)
        self.settled += 1
        _tell(turn, told, answer)
        if not isinstance(answer, More):
            return Over(stopped=isinstance(answer, Stop))
        turn.lease.extend(sent)
        turn.goes_on_after(batch, answer, told.following, lifted=bool(receipt.queries))
        return None

    def settle_all(self, done: Sequence[tuple[Turn, Batch, Receipt]], started: float) -> None:
        """The same for lanes that were delivered together, each with its share of the time; their turns are over."""
        ended = time.time()
        share = (ended - started) / len(done)
        told = []
        for turn, batch, receipt in done:
            turn.ends = 0.0
            told.append(self._told(turn, batch, receipt, Took(ended - share, ended)))
        answers = self._lanes.settle_all([each.message for each in told])
        reach(failpoints.AFTER_SETTLE)
        self.settled += len(done)
        for (turn, _, _), each, answer in zip(done, told, answers, strict=True):
            _tell(turn, each, answer)

    def _told(self, turn: Turn, batch: Batch, receipt: Receipt, took: Took, *, under_way: bool = False) -> _Told:
        rejected = [*batch.aside, *_left_out(batch, receipt)]
        past = Past(turn.open > 0, turn.buffer.still_open, turn.buffer.overtaken)
        ordering = turn.integration.ordering
        counted = only_counted(self._lanes, turn, (each.operation.sequence for each in rejected))
        idle = receipt.idle > 0
        entries, change = set_aside(turn.lease, batch, rejected, ordering, past, idle=idle, counted=counted)
        done = Done(took, receipt.idle, [*receipt.queries, *receipt.unsent])
        record = delivered(self._connector, turn.lease, batch, len(rejected), done, turn.attempts)
        following = _following(turn, batch, frozenset(run.event_type for run in receipt.queries))
        message = _settlement(turn, batch, following, [record, *entries], change, receipt)
        message = replace(message, counted=len(counted), under_way=under_way)
        return _Told(message, following, rejected)

    def undone(self, turn: Turn) -> None:
        """Gives back a lane in which a batch was under way when it had to stop: what was sent stays known as tried."""
        self._lanes.release(Release(turn.lease.integration, turn.lease.segment, turn.lease.claim, "failed"))

    def set_aside(
        self, turn: Turn, batch: Batch, rejections: Sequence[Rejection], started: float, counts: Counts
    ) -> Over | None:
        """Writes into the lane what is to go to the quarantine; None where its batch is next."""
        aside = turn.aside | {each.sequence: each for each in rejections}
        sent = now()
        answer = self._lanes.release(
            Release(
                turn.lease.integration,
                turn.lease.segment,
                turn.lease.claim,
                "again",
                attempts=turn.attempts,
                limit=turn.limit,
                suspect=turn.suspect,
                passed=turn.passed,
                bad=counts.refused,
                unasked=counts.unasked,
                code=rejections[0].code,
                aside=pack_aside(aside.values()),
            )
        )
        if isinstance(answer, Systemic | Alike):
            alike = isinstance(answer, Alike)
            why = most_are_refused(answer.causes) if isinstance(answer, Systemic) else REFUSED_ALIKE
            error = as_query_fault(rejections[0].code, rejections[0].reason, why)
            hold = for_anybody(turn.attempts) if alike else Hold(HoldLevel.INTEGRATION)
            return self.give_back(turn, batch, started, error, hold)
        if not answer:
            return Over()
        turn.lease.extend(sent)
        turn.set_aside(aside)
        turn.deadly = False
        return None

    def close_in(self, turn: Turn, batch: Batch, limit: int) -> Over | None:
        """Writes into the lane that a shorter batch is next, since processes have ended over this one."""
        passed, sent = turn.passed | {CLOSING_IN}, now()
        kept = self._lanes.release(
            Release(
                turn.lease.integration,
                turn.lease.segment,
                turn.lease.claim,
                "again",
                attempts=turn.attempts,
                limit=limit,
                suspect=batch.last,
                passed=passed,
            )
        )
        if not kept:
            return Over()
        turn.lease.extend(sent)
        turn.limit, turn.suspect, turn.passed = limit, batch.last, passed
        return None

    def give_back(
        self, turn: Turn, batch: Batch, started: float, error: TargetError, outcome: Later | Halve | Hold | OpenCircuit
    ) -> Over | None:
        """Writes a failure into the lane; None where a shorter batch is tried at once."""
        level = outcome.level.value if isinstance(outcome, Hold) else ""
        searching = isinstance(outcome, Halve) or (isinstance(outcome, Later) and outcome.searching)
        limit = outcome.limit if isinstance(outcome, Later | Halve) else turn.limit
        record = failed(self._connector, turn.lease, batch, turn.attempts, started, error, held=bool(level))
        delay = self._delay(error, outcome)
        sent = now()
        kept = self._lanes.release(
            Release(
                turn.lease.integration,
                turn.lease.segment,
                turn.lease.claim,
                "untouched" if turn.deadly else _how(outcome),
                delay_ms=delay,
                attempts=turn.attempts + 1,
                limit=limit,
                suspect=batch.last if searching else turn.suspect,
                passed=turn.passed | ({UNDONE} if turn.undone and not isinstance(outcome, Halve) else set()),
                level=level,
                connector=self._connector,
                code=error.code,
                reason=error.reason,
                records=[encode(record)],
            )
        )
        if isinstance(outcome, Halve) and kept:
            reach(failpoints.BETWEEN_HALVES)
            turn.lease.extend(sent)
            turn.halve(batch, outcome.limit)
            return None
        lease = turn.lease
        failure = Failed(lease.integration, lease.segment, error.code, error.reason, delay / 1000, bool(level))
        reason = f"{error.code}: {error.reason}"
        wait = failure.retry_in_s
        tell(BATCH_FAILED, integration=lease.integration, segment=lease.segment, reason=reason, retry_in_s=wait)
        return Over(failure)

    def _delay(self, error: TargetError, outcome: Later | Halve | Hold | OpenCircuit) -> int:
        if isinstance(outcome, OpenCircuit):
            return self._lanes.circuit(self._connector, "open", code=error.code, reason=error.reason)
        return 0 if isinstance(outcome, Halve) else outcome.delay_ms


def _tell(turn: Turn, told: _Told, answer: object) -> None:
    """What an operator should read of a settlement: nothing, usually."""
    integration, segment = turn.lease.integration, turn.lease.segment
    if isinstance(answer, Lost):
        tell(LANE_TAKEN_OVER, integration=integration, segment=segment)
        return
    if told.message.lifts:
        tell(HOLD_OVER, integration=integration, segment=segment)
    if told.rejected:
        first = told.rejected[0]
        reason = f"{first.code}: {first.reason}"
        tell(SET_ASIDE, integration=integration, segment=segment, operations=len(told.rejected), reason=reason)


def _settlement(
    turn: Turn, batch: Batch, following: Following, records: list[Record], change: Change, receipt: Receipt
) -> Settlement:
    """The message that trims a lane; `records` are the delivery's own and, after it, one for each entry."""
    ran = frozenset(run.event_type for run in receipt.queries)
    return Settlement(
        turn.lease.integration,
        turn.lease.segment,
        turn.lease.claim,
        settled_before=turn.buffer.settled,
        settled=batch.last,
        operations=batch.taken,
        **turn.buffer.beyond(batch),
        go_on=time.monotonic() < turn.ends,
        limit=following.limit,
        suspect=following.suspect,
        passed=following.passed,
        lifts=turn.probing if ran else "",
        good=len(batch.members) if ran else 0,
        ran=ran,
        aside=pack_aside(following.aside.values()),
        passed_over=len(turn.aside) - len(following.aside),
        change=change.packed(),
        entries=len(records) - 1,
        tried_to=turn.tried_to,
        statements=sum(run.statements for run in receipt.queries),
        records=[encode(record) for record in records],
    )


def _following(turn: Turn, batch: Batch, ran: frozenset[str]) -> Following:
    """What shapes the batch after one that is settled."""
    suspects = turn.buffer.between(batch.last, turn.suspect)
    limit = next_limit(turn.limit, turn.integration.batch_size, suspects)
    if batch.aside and turn.suspect and not suspects:
        limit = None  # the one at fault is found, and the search is over
    return Following(
        limit=limit,
        suspect=turn.suspect if suspects else "",
        passed=turn.passed | ran if suspects else frozenset(),
        aside={sequence: each for sequence, each in turn.aside.items() if sequence > batch.last},
    )


def _how(outcome: Later | Halve | Hold | OpenCircuit) -> str:
    """How a lane is given back; see release.lua."""
    if isinstance(outcome, OpenCircuit):
        return "untried"
    return "again" if isinstance(outcome, Halve) else "failed"


def _left_out(batch: Batch, receipt: Receipt) -> list[Rejected]:
    """What a target that takes part of a batch has left out of it."""
    if not receipt.rejected:
        return []
    members = {member.operation.sequence: member for member in batch.members}
    found = ((members[each.sequence], each) for each in receipt.rejected)
    return [Rejected.of(member.operation, each, member.key) for member, each in found]
