"""Random histories: the platform, its pushes, processes that die, runs that are asked for; the target ends equal.

And what a developer would build by mistake is seen by the same histories: else they would prove nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.resync.dying import Dying
from tests.integration.resync.history import THEMES, Stage
from tests.integration.resync.naive import NAIVE
from tests.integration.resync.platform import Platform
from tests.proof import draws, seeded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.jobs import Job
    from tests.targets import TargetDatabase

FIRST = 1_000
"""The first history's segment."""
SOONER = 2_000
"""Histories in which a mistake is seen, the rarest of them once in some hundred."""
HISTORIES = {"sqlite": draws(1, 100), "postgresql": draws(1, 20), "mysql": draws(1, 20)}
EACH = 15
"""Seconds that one of them takes at the most, about, on a machine that is busy with something else."""
SERVERS = [pytest.param(each, marks=pytest.mark.long) for each in ("postgresql", "mysql")]
on_one = pytest.mark.parametrize("target", ["sqlite"], indirect=True)


@pytest.fixture
def stage(
    request: pytest.FixtureRequest,
    make_job: Callable[[TargetDatabase], Job],
    target: TargetDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Stage]:
    """Where histories of the theme take place that the test's parameter names."""
    theme, platform = THEMES[request.param], Platform(make_job(target))
    dying = Dying(platform.job.installation, theme.sizes)
    try:
        yield Stage(platform, theme, dying, monkeypatch)
    finally:
        dying.close()


@pytest.mark.proof
@pytest.mark.timeout(300 + EACH * HISTORIES["sqlite"])
@pytest.mark.parametrize("target", ["sqlite", *SERVERS], indirect=True)
@pytest.mark.parametrize("stage", THEMES, indirect=True)
def test_whatever_happens_the_target_ends_equal(stage: Stage) -> None:
    for number in range(HISTORIES[stage.platform.target.dialect]):
        chance, seed = seeded(number)
        assert not (problem := stage.plays(chance, FIRST + number)), f"{problem}; seed {seed}"


@pytest.mark.proof
@pytest.mark.fetched
@pytest.mark.timeout(300 + SOONER)
@on_one
@pytest.mark.parametrize(("stage", "name"), [(theme, name) for name, (theme, _) in NAIVE.items()], indirect=["stage"])
def test_what_is_naive_is_seen(stage: Stage, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    NAIVE[name][1](monkeypatch)
    for number in range(SOONER):
        chance, _ = seeded(number)
        if stage.plays(chance, FIRST + number):
            return
    pytest.fail(f"{SOONER:,} histories have not seen it: {name}")
