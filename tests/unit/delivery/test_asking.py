"""Which of many are asked first, whatever pattern they stand in."""

from __future__ import annotations

import doctest

import pytest

from workers.delivery import asking
from workers.delivery.asking import ASKED_AT_LAST, ASKED_FIRST, scattered


def test_doctests() -> None:
    assert doctest.testmod(asking).failed == 0


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 8, 16, 30, 100, 999, 1000])
def test_each_is_asked_once_and_in_the_end_all_are(size: int) -> None:
    assert sorted(scattered(size, 0)) == list(range(size))
    seen: set[int] = set()
    for tries in range(size // ASKED_FIRST + 1):
        seen |= set(scattered(size, tries)[:ASKED_FIRST])
    assert seen == set(range(size))


@pytest.mark.parametrize("size", [40, 100, 256, 999, 1000, 10_000])
@pytest.mark.parametrize("tries", [0, 1, 7])
def test_what_passes_is_found_however_it_alternates(size: int, tries: int) -> None:
    """Where one in so many passes, and where all that passes stands at the beginning, or at the end."""
    asked = scattered(size, tries)[: ASKED_FIRST + ASKED_AT_LAST]
    for period in range(2, 11):
        assert {place % period for place in asked} == set(range(period))
    assert min(asked) < size // 16
    assert max(asked) > size - size // 16
