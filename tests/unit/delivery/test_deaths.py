"""What follows from processes that ended over a batch."""

from __future__ import annotations

import pytest

from workers.delivery.deaths import DEATHS, after_deaths
from workers.delivery.decide import Halve, SetAside, next_limit


@pytest.mark.parametrize(
    ("deaths", "operations", "closing_in", "outcome"),
    [
        (1, 30, False, None),
        (2, 30, False, None),
        (3, 30, False, Halve(15)),
        (1, 15, True, Halve(7)),
        (1, 2, True, Halve(1)),
        (2, 1, True, None),
        (3, 1, True, SetAside()),
        # Always alone: it may have stood there by chance.
        (5, 1, False, None),
        (6, 1, False, SetAside()),
    ],
)
def test_what_follows_from_deaths(
    deaths: int, operations: int, closing_in: bool, outcome: Halve | SetAside | None
) -> None:
    assert after_deaths(deaths, operations, closing_in=closing_in) == outcome


def deaths_over(size: int, killer: int) -> int:
    """How many processes end before the killer, at this place of a full batch, is set aside."""
    first, limit, suspects, deaths, here = 0, size, 0, 0, 0
    while True:
        closing_in = suspects > 0
        match after_deaths(here, limit, closing_in=closing_in):
            case SetAside():
                return deaths
            case Halve(shorter):
                suspects, limit, here = limit, shorter, 0
        if first <= killer < first + limit:
            deaths, here = deaths + 1, here + 1
        else:
            first, suspects, here = first + limit, suspects - limit, 0
            limit = next_limit(limit, size, suspects) or size


@pytest.mark.parametrize("size", [1, 2, 30, 1000])
def test_a_killer_takes_as_many_processes_as_its_batch_can_be_halved_and_four_more(size: int) -> None:
    found = [deaths_over(size, killer) for killer in range(size)]
    halvings = (size - 1).bit_length()
    assert max(found) <= max(2 * DEATHS, halvings + DEATHS + 1)
    assert sum(found) / size <= halvings / 2 + 2 * DEATHS
