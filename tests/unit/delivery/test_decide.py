"""The table of failures: what an error leads to, and when the next try comes."""

from __future__ import annotations

import doctest
from dataclasses import replace
from itertools import product

import pytest

from tests.cases import case
from workers.delivery import decide as table
from workers.delivery import failures
from workers.delivery.decide import (
    ONCE_MORE,
    AskOthers,
    FailedTry,
    Halve,
    Hold,
    Later,
    OpenCircuit,
    Outcome,
    SetAside,
    backoff_ms,
    decide,
    next_limit,
)
from workers.errors import ErrorClass, HoldLevel, Matter, Phase, TargetError

LANE, INTEGRATION, CONNECTOR = HoldLevel.LANE, HoldLevel.INTEGRATION, HoldLevel.CONNECTOR
RETRY, AMBIGUOUS, SPLIT = ErrorClass.RETRY, ErrorClass.AMBIGUOUS, ErrorClass.SPLIT
ISOLATE, HOLD, UNKNOWN = ErrorClass.ISOLATE, ErrorClass.HOLD, ErrorClass.UNKNOWN

MANY = FailedTry(operations=10, alone=False)
ONE = FailedTry()
EVENT = FailedTry(is_profile=False)
NOBODY = FailedTry(alone=False, told=False)


def error(kind: ErrorClass, phase: Phase | None = Phase.EXECUTE, level: HoldLevel = LANE) -> TargetError:
    return TargetError(kind, "code", "reason", level=level, phase=phase)


CONFLICT = TargetError(RETRY, "code", "reason", phase=Phase.EXECUTE, matter=Matter.CONFLICT)


def after(tried: FailedTry, attempts: int) -> FailedTry:
    return replace(tried, attempts=attempts)


def passed(tried: FailedTry) -> FailedTry:
    return replace(tried, passed=True, searching=True)


def asked(tried: FailedTry) -> FailedTry:
    return replace(tried, asked=True)


def again(tried: FailedTry) -> FailedTry:
    return replace(tried, asked=True, passed=True, again=1)


def again_later(tried: FailedTry) -> FailedTry:
    return replace(again(tried), long_ago=True, again=2)


def again_and_again_later(tried: FailedTry) -> FailedTry:
    return replace(again_later(tried), again=3)


def intolerant(tried: FailedTry) -> FailedTry:
    return replace(tried, tolerant=False)


@pytest.mark.parametrize(
    ("failed", "tried", "outcome"),
    [
        # It passes by itself.
        (error(RETRY), MANY, Later(500)),
        (error(RETRY, Phase.LOCK), after(ONE, 100), Later(10_000)),
        (error(RETRY), after(EVENT, 100), Later(10_000)),
        (error(RETRY), after(intolerant(ONE), 100), Later(10_000)),
        # Where it does not, it may be one profile's doing; what it conflicts with is not its fault.
        (error(RETRY), after(MANY, 3), Later(4000)),
        (error(RETRY), after(MANY, 4), AskOthers(Later(8000), Later(8000))),
        (error(RETRY), after(passed(MANY), 0), Halve(5)),
        (error(RETRY), after(passed(ONE), 3), Later(4000)),
        (error(RETRY), after(passed(ONE), 4), AskOthers(Later(8000), SetAside())),
        (error(RETRY), after(asked(passed(ONE)), 4), ONCE_MORE),
        (error(RETRY), after(again(ONE), 4), SetAside()),
        (error(RETRY), after(again_later(ONE), 8), ONCE_MORE),
        (error(RETRY), after(again_and_again_later(ONE), 8), SetAside()),
        (CONFLICT, after(passed(ONE), 4), Hold(LANE)),
        # Perhaps it came through; the second time it may be the size, or one profile's doing.
        (error(AMBIGUOUS), MANY, Later(500)),
        (error(AMBIGUOUS), after(MANY, 1), Later(1000, 5, searching=True)),
        (error(AMBIGUOUS), after(ONE, 3), Later(4000)),
        (error(AMBIGUOUS), after(ONE, 4), AskOthers(Hold(LANE), Hold(LANE))),
        (error(AMBIGUOUS), after(passed(ONE), 4), AskOthers(Hold(LANE), Hold(LANE))),
        (error(AMBIGUOUS), after(asked(passed(ONE)), 4), ONCE_MORE),
        (error(AMBIGUOUS), after(again_later(ONE), 5), SetAside()),
        (error(AMBIGUOUS, Phase.COMMIT), after(passed(ONE), 4), Hold(LANE)),
        (error(AMBIGUOUS), after(intolerant(passed(ONE)), 4), Hold(LANE)),
        (error(AMBIGUOUS), after(EVENT, 4), Hold(LANE)),
        # Too large.
        (error(SPLIT), MANY, Later(500, 5)),
        (error(SPLIT), ONE, SetAside()),
        (error(SPLIT), intolerant(ONE), Hold(LANE)),
        # The data's fault, if others pass.
        (error(ISOLATE), MANY, AskOthers(Hold(INTEGRATION, 2000), Halve(5))),
        (error(ISOLATE), passed(MANY), Halve(5)),
        (error(ISOLATE), ONE, AskOthers(Hold(INTEGRATION, 2000), SetAside(unasked=True))),
        (error(ISOLATE), after(ONE, 3), AskOthers(Hold(INTEGRATION, 16_000), SetAside(unasked=True))),
        (error(ISOLATE), after(ONE, 30), AskOthers(Hold(INTEGRATION, 60_000), SetAside(unasked=True))),
        (error(ISOLATE), asked(ONE), SetAside()),
        (error(ISOLATE), passed(ONE), SetAside()),
        (error(ISOLATE), EVENT, SetAside()),
        (error(ISOLATE), intolerant(MANY), Hold(LANE)),
        (error(ISOLATE, Phase.RENDER), MANY, SetAside()),
        # A constraint that is checked at COMMIT is a sure rollback.
        (error(ISOLATE, Phase.COMMIT), MANY, AskOthers(Hold(INTEGRATION, 2000), Halve(5))),
        (error(ISOLATE, Phase.COMMIT), passed(MANY), Halve(5)),
        (error(ISOLATE, Phase.COMMIT), passed(ONE), SetAside()),
        # The query's fault, says the code; one profile's, if others pass.
        (error(HOLD, level=INTEGRATION), MANY, AskOthers(Hold(INTEGRATION), Hold(INTEGRATION))),
        (error(HOLD, level=INTEGRATION), passed(MANY), Halve(5)),
        (error(HOLD, level=INTEGRATION), asked(MANY), Halve(5)),
        # Alone it is blamed if others pass before and after it: what stopped them all may have ended, or begun anew.
        (error(HOLD, level=INTEGRATION), ONE, AskOthers(Hold(INTEGRATION), Hold(INTEGRATION))),
        (error(HOLD, level=INTEGRATION), asked(ONE), ONCE_MORE),
        (error(HOLD, level=INTEGRATION), passed(ONE), AskOthers(Hold(INTEGRATION), Later(500))),
        (error(HOLD, level=INTEGRATION), after(passed(ONE), 4), AskOthers(Hold(INTEGRATION), SetAside())),
        (error(HOLD, level=INTEGRATION), asked(passed(ONE)), ONCE_MORE),
        (error(HOLD, level=INTEGRATION), again(ONE), SetAside()),
        (error(HOLD, level=INTEGRATION), again_later(ONE), ONCE_MORE),
        (error(HOLD, level=INTEGRATION), after(again_later(ONE), 30), ONCE_MORE),
        (error(HOLD, level=INTEGRATION), again_and_again_later(ONE), SetAside()),
        (error(HOLD, level=INTEGRATION), EVENT, Hold(INTEGRATION)),
        (error(HOLD, level=INTEGRATION), intolerant(MANY), Hold(INTEGRATION)),
        (error(HOLD, Phase.LOCK, INTEGRATION), MANY, Hold(INTEGRATION)),
        (error(HOLD, level=LANE), MANY, Hold(LANE)),
        # Nobody knows; in five tries it may pass by itself.
        (error(UNKNOWN), after(MANY, 3), Later(4000)),
        (error(UNKNOWN), after(MANY, 4), AskOthers(Hold(LANE), Hold(LANE))),
        (error(UNKNOWN), after(passed(MANY), 0), Halve(5)),
        (error(UNKNOWN), after(passed(ONE), 1), Later(1000)),
        (error(UNKNOWN), after(asked(ONE), 4), ONCE_MORE),
        (error(UNKNOWN), after(passed(ONE), 4), AskOthers(Hold(LANE), SetAside())),
        (error(UNKNOWN), after(again(ONE), 4), SetAside()),
        (error(UNKNOWN), after(EVENT, 4), Hold(LANE)),
        (error(UNKNOWN, Phase.LOCK), after(MANY, 4), Hold(LANE)),
        # Of a lock and a position no profile is at fault.
        (error(HOLD, Phase.LOCK, CONNECTOR), ONE, Hold(CONNECTOR, 300_000)),
        (error(AMBIGUOUS, Phase.LOCK), after(MANY, 3), Later(4000)),
        (error(AMBIGUOUS, Phase.LOCK), after(MANY, 4), Hold(LANE)),
        (error(ISOLATE, Phase.LOCK), asked(passed(ONE)), Later(500)),
        (error(ISOLATE, Phase.LOCK), after(MANY, 4), Hold(LANE)),
        (error(SPLIT, Phase.LOCK), MANY, Later(500)),
        # Nor where nobody was told.
        (error(HOLD, level=INTEGRATION), passed(NOBODY), Hold(INTEGRATION)),
        (error(ISOLATE, Phase.COMMIT), passed(NOBODY), Later(500)),
        (error(UNKNOWN, Phase.COMMIT), after(NOBODY, 4), Hold(LANE)),
        # Connecting is nobody's fault but the target's.
        (error(RETRY, Phase.CONNECT), MANY, OpenCircuit()),
        (error(UNKNOWN, Phase.CONNECT), MANY, OpenCircuit()),
        (error(RETRY, Phase.PROBE), ONE, OpenCircuit()),
        (error(HOLD, Phase.CONNECT, CONNECTOR), MANY, Hold(CONNECTOR, 300_000)),
        (error(HOLD, Phase.PROBE, CONNECTOR), ONE, Hold(CONNECTOR, 300_000)),
    ],
)
def test_what_follows_from_an_error(failed: TargetError, tried: FailedTry, outcome: Outcome) -> None:
    assert decide(failed, tried) == outcome


@pytest.mark.parametrize("kind", list(ErrorClass))
def test_nothing_is_tried_for_ever_at_once_and_nothing_is_left_undecided(kind: ErrorClass) -> None:
    """Every error of every phase leads somewhere; what is tried again at once is shorter than before."""
    for phase, tried, attempts, level in product([*Phase, None], [MANY, ONE, EVENT], range(8), HoldLevel):
        with case((phase, tried, attempts, level)):
            outcome = decide(error(kind, phase, level), after(tried, attempts))
            assert not isinstance(outcome, Halve) or outcome.limit < tried.operations
            assert not isinstance(outcome, SetAside) or tried.alone or phase is Phase.RENDER
            assert not isinstance(outcome, Later) or outcome.delay_ms > 0


@pytest.mark.parametrize("kind", list(ErrorClass))
def test_who_stands_alone_while_others_pass_is_tried_at_once_three_times_at_the_most(kind: ErrorClass) -> None:
    """Whatever is told, however long a try takes, and however many there were before others passed."""
    for phase, level, attempts, far in product(Phase, HoldLevel, range(12), [False, True]):
        tried, tries = after(replace(asked(passed(ONE)), long_ago=far), attempts), 0
        while isinstance(outcome := decide(error(kind, phase, level), tried), Halve):
            tries += 1
            tried = replace(tried, attempts=tried.attempts + 1, again=tries)
            assert tries <= (3 if far else 1), (phase, level, attempts, far)
        assert not isinstance(outcome, AskOthers), (phase, level, attempts, far)


@pytest.mark.parametrize("kind", [RETRY, AMBIGUOUS, UNKNOWN, SPLIT, ISOLATE])
def test_only_connecting_opens_the_circuit(kind: ErrorClass) -> None:
    opening = [phase for phase in Phase if decide(error(kind, phase), MANY) == OpenCircuit()]
    assert opening == [Phase.CONNECT, Phase.PROBE]


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(table).failed == 0
    assert doctest.testmod(failures).failed == 0


@pytest.mark.parametrize("attempts", [0, 1, 5, 50, 10_000])
def test_a_delay_is_never_below_a_quarter_second_nor_above_ten(attempts: int) -> None:
    assert 250 <= backoff_ms(attempts, 0.0) <= backoff_ms(attempts, 1.0) <= 10_000


def test_the_search_for_a_bad_profile_ends() -> None:
    """Every step halves what is suspected, so the bad one stands alone after no more steps than the logarithm."""
    for bad in (0, 1, 499, 500, 998, 999):
        suspects, limit, start, steps = 1000, 500, 0, 0
        while suspects > 1:
            steps += 1
            if start <= bad < start + limit:
                suspects, limit = limit, max(1, limit // 2)
            else:
                start, suspects = start + limit, suspects - limit
                limit = next_limit(limit, 1000, suspects) or 1000
        assert start == bad
        assert steps <= 10
