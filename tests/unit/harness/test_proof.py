"""How many examples a property gets, and that a run without the variable says the same each time."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from tests.proof import ENVIRONMENT, FEW, MANY, examples


@pytest.mark.parametrize(("wanted", "expected"), [("", FEW), ("1", MANY), ("yes", MANY), ("5000", 5000), ("0", MANY)])
def test_the_variable_says_how_many_examples(wanted: str, expected: int) -> None:
    assert examples(wanted) == expected


def test_the_profile_that_runs_is_ours() -> None:
    """No file that remembers, no time limit; the same examples in every run unless it is a proof."""
    proving = bool(os.environ.get(ENVIRONMENT))
    current = settings()
    assert current.max_examples == examples(os.environ.get(ENVIRONMENT, ""))
    assert (current.derandomize, current.database, current.deadline) == (not proving, None, None)
