"""Whose fault is it? Some other profiles are tried, each by itself, and taken back: if one passes, not the target's.

Others are some of the batch itself, of what comes behind it, and of the integration's other lanes, so that a batch in
which nothing passes is judged by another one; and then all that is left of them, as far as it is worth while. That the
same profile is refused in another segment tells nothing.
"""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import chain, count, islice, zip_longest
from math import gcd
from typing import TYPE_CHECKING, NamedTuple

from workers.connectors.contract import Unfit
from workers.delivery.decide import (
    MOMENT_SECONDS,
    UNSURE_TRIES,
    AskOthers,
    Hold,
    Later,
    OpenCircuit,
    SetAside,
    backoff_ms,
    decide,
)
from workers.delivery.failures import as_query_fault, with_what_was_tried
from workers.delivery.leases import now
from workers.errors import ErrorClass, Phase, TargetError
from workers.events.profiles import profile
from workers.lanes.peeking import owed
from workers.templates import RowProblem, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workers.delivery.attempt import Attempts
    from workers.delivery.batch import Batch, Key
    from workers.delivery.decide import Decided, FailedTry
    from workers.delivery.turn import Turn
    from workers.events.event import Kind
    from workers.lanes import Lanes, Operation

ASKED_FIRST = 8
"""Profiles of the batch that are tried, each by itself, and of others as many; most often one of them passes."""
ASKED_AT_LAST = 64
"""How many more are, before all are taken to be refused alike.

Where more are refused than pass, the first twenty hold the integration (rule 23): so many leave no doubt about it.
"""
_GOLDEN = 0.618
_NO_ANSWER = frozenset({ErrorClass.RETRY, ErrorClass.AMBIGUOUS})


class Candidate(NamedTuple):
    """A profile that may be asked.

    name   its segment's
    again  its key is the batch's, or was asked before: that it is refused tells nothing, but that it passes does
    """

    segment: str
    name: str | None
    operation: Operation
    again: bool = False


class Answers(NamedTuple):
    """What came of it: whether one passed, how many have answered, and whether one passed what tells nothing."""

    passed: bool
    answered: int
    unsure: bool = False


class Inquiries:
    """Asks others over the session that the batch failed in; `lanes` shows those of other segments."""

    def __init__(self, attempts: Attempts, lanes: Lanes, *, patience: float) -> None:
        self._attempts = attempts
        self._lanes = lanes
        self._patience = patience

    def judge(
        self, turn: Turn, batch: Batch, kind: Kind, error: TargetError, tried: FailedTry, ask: AskOthers
    ) -> tuple[TargetError, Decided, bool]:
        """The error as it is to be told, what follows from it, and whether another profile passes.

        Raises redis.RedisError.
        """
        try:
            asked = self.ask(turn, batch, kind, error)
        except TargetError as unanswered:
            self._attempts.discard()
            return (*_unanswered(error, unanswered, turn, ask), False)
        if asked.passed:
            before, turn.others_passed = turn.others_passed, now()
            long_ago = turn.others_passed - before > MOMENT_SECONDS
            decided = decide(error, replace(tried, asked=True, long_ago=long_ago))
            return error, ask.fault if isinstance(decided, AskOthers) else decided, True
        if asked.unsure and isinstance(ask.unasked, SetAside):
            return error, SetAside(), False
        if not asked.answered:
            return error, ask.unasked, False
        return _nobody_passes(error, asked.answered), ask.fault, False

    def ask(self, turn: Turn, batch: Batch, kind: Kind, error: TargetError) -> Answers:
        """Whether another profile of the kind passes by itself. Raises TargetError where the target cannot answer."""
        answered, unanswered, ends = 0, None, time.monotonic() + self._patience
        for place, candidate in enumerate(self._candidates(turn, batch, kind)):
            further, late = place >= 2 * ASKED_FIRST, time.monotonic() > ends
            # A target that answers nobody is not asked on and on.
            if (further and (late or (unanswered and not answered))) or (late and unanswered):
                break
            try:
                receipt = self._attempts.try_out(turn, batch, candidate.segment, candidate.name, candidate.operation)
            except Unfit:
                continue
            except TargetError as refusal:
                self._attempts.discard()
                if refusal.phase in {Phase.CONNECT, Phase.LOCK}:
                    raise
                if refusal.error_class not in _NO_ANSWER:
                    answered += not candidate.again
                    continue
                unanswered = refusal
            else:
                if not receipt.queries:
                    continue  # its query came out empty
                # A target that checks at COMMIT and at no other time has not checked this one.
                tells = receipt.checked or error.phase is not Phase.COMMIT
                return Answers(tells, answered + tells if tells else 0, unsure=not tells)
        if unanswered is not None:
            raise unanswered
        return Answers(passed=False, answered=answered)

    def _candidates(self, turn: Turn, batch: Batch, kind: Kind) -> Iterator[Candidate]:
        lane = turn.lease.segment
        members = [Candidate(lane, batch.name, each.operation) for each in batch.members if each.operation.kind == kind]
        own = iter(_scattered(members, turn.attempts) if len(members) > 1 else ())
        others = self._others(turn, batch, kind)
        yield from islice(own, ASKED_FIRST)
        yield from islice(others, ASKED_FIRST)
        yield from islice(chain(own, others), ASKED_AT_LAST)

    def _others(self, turn: Turn, batch: Batch, kind: Kind) -> Iterator[Candidate]:
        met = {member.key for member in batch.members}
        for candidate in self._elsewhere(turn, batch, kind):
            key = _key(turn, candidate.operation)
            if key is not None:
                yield candidate._replace(again=key in met)
                met.add(key)

    def _elsewhere(self, turn: Turn, batch: Batch, kind: Kind) -> Iterator[Candidate]:
        """From behind the batch, from the end of its lane and from other lanes, by turns."""
        redis, keys, lane = self._lanes.redis, self._lanes.keys, turn.lease.segment
        found = owed(redis, keys, turn.integration.key, lane, turn.buffer.to, ASKED_FIRST)
        some = [[Candidate(lane, name, each) for each, name in turn.buffer.behind(batch)]]
        some += [[Candidate(each.segment, each.name, one) for one in each.operations] for each in found]
        asked = [[one for one in each if _may_be_asked(turn, one.operation, kind)] for each in some]
        for row in zip_longest(*[_scattered(each, turn.attempts) for each in asked]):
            yield from (each for each in row if each is not None)


def _may_be_asked(turn: Turn, operation: Operation, kind: Kind) -> bool:
    return operation.kind == kind and operation.sequence not in turn.aside


def _scattered(among: Sequence[Candidate], tries: int) -> list[Candidate]:
    return [among[place] for place in scattered(len(among), tries)]


def scattered(size: int, tries: int) -> list[int]:
    """The places 0 to `size` - 1, neighbours far from each other: those at fault may be every second one.

    Each try begins further on, so that in the end all are asked, however many there are.

    >>> scattered(10, 0), scattered(10, 1)
    ([0, 7, 4, 1, 8, 5, 2, 9, 6, 3], [6, 3, 0, 7, 4, 1, 8, 5, 2, 9])
    """
    step = next(step for step in count(max(1, round(size * _GOLDEN))) if gcd(step, size) == 1) if size else 0
    return [(tries * ASKED_FIRST + at) * step % size for at in range(size)]


def _key(turn: Turn, operation: Operation) -> Key | None:
    try:
        return key_of(profile(operation.body), turn.integration.key_fields)
    except RowProblem:
        return None


def _unanswered(error: TargetError, unanswered: TargetError, turn: Turn, ask: AskOthers) -> tuple[TargetError, Decided]:
    """That others could not answer says nothing of anybody: all is tried again later, but not for ever."""
    outcome = decide(unanswered)
    if isinstance(outcome, Hold | OpenCircuit):
        return unanswered, outcome
    if isinstance(ask.fault, Hold) and turn.attempts + 1 >= UNSURE_TRIES:
        return with_what_was_tried(error, f"others cannot answer: {unanswered.code}"), ask.fault
    return unanswered, Later(max(1000, backoff_ms(turn.attempts, 1.0)), turn.limit)


def _nobody_passes(error: TargetError, answered: int) -> TargetError:
    what = "the only other one that was tried does not pass" if answered == 1 else f"none of {answered} profiles passes"
    if error.error_class is ErrorClass.ISOLATE:
        return as_query_fault(error.code, error.reason, f"{what} by itself", error.event_type)
    return with_what_was_tried(error, f"{what} by itself")
