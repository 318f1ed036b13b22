"""Random histories: whatever fails and whoever is killed, the platform ends with whom the segment has.

And what a developer would build by mistake is seen by the same histories: else they would prove nothing.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.integration.connectors.audiences.accounts import ACCOUNTS
from tests.integration.connectors.audiences.histories import THEMES, Stage
from tests.integration.connectors.audiences.naive import NAIVE
from tests.proof import draws, seeded

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.connectors.audiences.naive import Naive

SOONER = 100
"""Histories within which a mistake is seen, from the one on that saw it when this was written."""


@pytest.mark.proof
@pytest.mark.parametrize("name", ACCOUNTS)
def test_whatever_happens_the_platform_ends_with_the_members(
    fast_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    stage = Stage(ACCOUNTS[name], fast_path, monkeypatch)
    for number in range(draws(3, 300)):
        stage.play(*seeded(number))


a_mistake = pytest.mark.parametrize("naive", NAIVE, ids=lambda each: each.name)


@pytest.mark.proof
@pytest.mark.long
@a_mistake
def test_without_the_mistake_the_same_histories_end_right(
    fast_path: Path, monkeypatch: pytest.MonkeyPatch, naive: Naive
) -> None:
    """What makes them see one mistake is no fault of their own; and more of each theme, in `make proof`."""
    stage = Stage(ACCOUNTS[naive.platform], fast_path, monkeypatch, THEMES[naive.theme])
    stage.play(random.Random(naive.seed), naive.seed)
    for number in range(draws(0, 100)):
        stage.play(*seeded(number))


@pytest.mark.proof
@pytest.mark.long
@a_mistake
def test_what_is_naive_is_seen(fast_path: Path, monkeypatch: pytest.MonkeyPatch, naive: Naive) -> None:
    naive.patch(monkeypatch)
    stage = Stage(ACCOUNTS[naive.platform], fast_path, monkeypatch, THEMES[naive.theme])
    for seed in range(naive.seed, naive.seed + SOONER):
        try:
            stage.play(random.Random(seed), seed)
        except AssertionError:
            return
    pytest.fail(f"{SOONER} histories have not seen it: {naive.name}")
