"""A few dozen histories; `make proof SEEDS=20000` runs many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulation.histories import a_place, run
from tests.simulation.plans import plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulation.adapter import Place

SEEDS = range(1, 41)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with a_place() as found:
        yield found


@pytest.mark.parametrize("seed", SEEDS)
def test_every_operation_has_its_fate(place: Place, seed: int) -> None:
    history = run(plan(seed), place)
    assert not history.wrong, f"python -m tests.simulation --only {seed}"


def test_a_seed_is_one_history(place: Place) -> None:
    first, second = (run(plan(7), place, tracing=True) for _ in range(2))
    assert first.told == second.told
    assert len(first.told) > 100


def test_what_is_left_out_does_not_happen(place: Place) -> None:
    whole = run(plan(9), place)
    part = run(plan(9, frozenset(whole.met[:3])), place)
    assert whole.met[3:]
    assert not {*whole.met[:3]} & {*part.met}
