"""Which case of a table fails is told."""

from __future__ import annotations

import pytest

from tests.cases import case


def failing(number: int) -> None:
    for each in range(3):
        with case(f"number {each}"):
            assert each != number


def test_what_fails_is_told_with_its_case() -> None:
    with pytest.raises(AssertionError) as caught:
        failing(1)

    assert caught.value.__notes__ == ["in the case: number 1"]


def test_what_was_expected_to_fail_and_did_not_is_told_with_its_case() -> None:
    with pytest.raises(pytest.fail.Exception) as caught, case("seven"), pytest.raises(KeyError):
        _ = {7: "there"}[7]

    assert caught.value.__notes__ == ["in the case: seven"]


def test_what_passes_says_nothing() -> None:
    failing(7)
