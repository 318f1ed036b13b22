"""What an error leads to, and when the next try comes."""

from __future__ import annotations

import doctest

import pytest

from workers.delivery import retry_policy as retrying
from workers.delivery.retry_policy import Action, Attempt, ConnectFailed, Plan, backoff_ms, next_limit, plan
from workers.errors import ErrorClass, HoldLevel, TargetError


def error(kind: ErrorClass, level: HoldLevel = HoldLevel.LANE) -> TargetError:
    return TargetError(kind, "code", "reason", level=level)


def attempt(operations: int = 10, attempts: int = 0, *, tolerant: bool = True) -> Attempt:
    return Attempt(operations, operations == 1, attempts, None, tolerant=tolerant)


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(retrying).failed == 0


@pytest.mark.parametrize("attempts", [0, 1, 5, 50, 10_000])
def test_a_delay_is_never_below_a_quarter_second_nor_above_ten(attempts: int) -> None:
    assert 250 <= backoff_ms(attempts, 0.0) <= backoff_ms(attempts, 1.0) <= 10_000


@pytest.mark.parametrize(
    ("kind", "tried", "action", "limit"),
    [
        (ErrorClass.RETRY, attempt(attempts=100), Action.LATER, None),
        (ErrorClass.AMBIGUOUS, attempt(), Action.LATER, None),
        (ErrorClass.AMBIGUOUS, attempt(attempts=1), Action.LATER, 5),
        (ErrorClass.AMBIGUOUS, attempt(1, attempts=9), Action.LATER, 1),
        (ErrorClass.SPLIT, attempt(), Action.LATER, 5),
        (ErrorClass.SPLIT, attempt(1), Action.SET_ASIDE, None),
        (ErrorClass.UNKNOWN, attempt(attempts=3), Action.LATER, None),
        (ErrorClass.UNKNOWN, attempt(attempts=4), Action.HELD, None),
        (ErrorClass.ISOLATE, attempt(), Action.AGAIN, 5),
        (ErrorClass.ISOLATE, attempt(3), Action.AGAIN, 1),
        (ErrorClass.ISOLATE, attempt(1), Action.SET_ASIDE, None),
        (ErrorClass.ISOLATE, attempt(tolerant=False), Action.HELD, None),
        (ErrorClass.HOLD, attempt(), Action.HELD, None),
    ],
)
def test_what_follows_from_an_error(kind: ErrorClass, tried: Attempt, action: Action, limit: int | None) -> None:
    found = plan(error(kind), tried)
    assert (found.action, found.limit) == (action, limit)
    assert (found.level is not None) == (action is Action.HELD)


def test_a_connector_is_tried_more_seldom_than_a_query() -> None:
    query = plan(error(ErrorClass.HOLD, HoldLevel.INTEGRATION), attempt())
    password = plan(ConnectFailed(error(ErrorClass.HOLD, HoldLevel.CONNECTOR)), attempt())
    assert (query.level, query.delay_ms) == (HoldLevel.INTEGRATION, 60_000)
    assert (password.level, password.delay_ms) == (HoldLevel.CONNECTOR, 300_000)


@pytest.mark.parametrize("kind", [ErrorClass.RETRY, ErrorClass.AMBIGUOUS, ErrorClass.UNKNOWN])
def test_only_connecting_opens_the_circuit(kind: ErrorClass) -> None:
    assert plan(ConnectFailed(error(kind)), attempt()) == Plan(Action.CIRCUIT)
    assert plan(error(kind), attempt()).action is not Action.CIRCUIT


def test_the_search_for_a_bad_profile_ends() -> None:
    """Every step halves what is suspected; the bad one stands alone after at most twice the logarithm."""
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
        assert steps <= 20
