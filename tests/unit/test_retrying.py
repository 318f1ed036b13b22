"""What an error leads to, and when the next try comes."""

from __future__ import annotations

import doctest

import pytest

from workers import retrying
from workers.errors import ErrorClass, HoldLevel, TargetError
from workers.retrying import backoff_ms, plan


def error(kind: ErrorClass, level: HoldLevel = HoldLevel.LANE) -> TargetError:
    return TargetError(kind, "code", "reason", level=level)


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(retrying).failed == 0


@pytest.mark.parametrize("attempts", [0, 1, 5, 50, 10_000])
def test_a_delay_is_never_below_a_quarter_second_nor_above_ten(attempts: int) -> None:
    assert 250 <= backoff_ms(attempts, 0.0) <= backoff_ms(attempts, 1.0) <= 10_000


@pytest.mark.parametrize(
    ("kind", "attempts", "operations", "halve", "held"),
    [
        (ErrorClass.RETRY, 100, 10, False, False),
        (ErrorClass.AMBIGUOUS, 0, 10, False, False),
        (ErrorClass.AMBIGUOUS, 1, 10, True, False),
        (ErrorClass.AMBIGUOUS, 9, 1, False, False),
        (ErrorClass.SPLIT, 0, 2, True, False),
        (ErrorClass.SPLIT, 0, 1, False, True),
        (ErrorClass.UNKNOWN, 3, 10, False, False),
        (ErrorClass.UNKNOWN, 4, 10, False, True),
        (ErrorClass.ISOLATE, 0, 10, False, True),
        (ErrorClass.HOLD, 0, 10, False, True),
    ],
)
def test_what_follows_from_an_error(
    kind: ErrorClass, attempts: int, operations: int, *, halve: bool, held: bool
) -> None:
    found = plan(error(kind), attempts, operations)
    assert (found.halve, found.level is not None) == (halve, held)


def test_a_connector_is_tried_more_seldom_than_a_query() -> None:
    query = plan(error(ErrorClass.HOLD, HoldLevel.INTEGRATION), 0, 1)
    password = plan(error(ErrorClass.HOLD, HoldLevel.CONNECTOR), 0, 1)
    assert (query.level, query.delay_ms) == (HoldLevel.INTEGRATION, 60_000)
    assert (password.level, password.delay_ms) == (HoldLevel.CONNECTOR, 300_000)
