"""A process is killed at each place of a run, reading or delivering, and another one ends it (rules 22, 49)."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.jobs import add, remove
from tests.integration.resync.platform import Platform
from tests.integration.resync.restoring import held, is_held_after_a_restore
from tests.waiting import A_PROCESS, until
from workers.connectors.sql.positions import CREATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.jobs import Job
    from tests.targets import TargetDatabase

ACCEPTED: dict[str, Any] = {"accept_removals": 100, "accept_adds": 1000}
STEPS = 9
"""Steps of the reader that such a run has at the least."""
DELIVERING = ("before-claim", "after-claim", "after-execute", "after-commit", "after-settle")
PLACES = [
    *(f"{when}-step:{number}" for when in ("before", "after") for number in range(1, STEPS + 1)),
    *(f"{place}:{number}" for place in DELIVERING for number in (1, 2, 3)),
    *(f"{when}-append:1" for when in ("before", "after")),
]
WITH_ITS_MARK = ("before-append:2", "after-append:2")
"""Where a router is killed that moves the run's mark, behind what was pushed before."""
SELDOM = (pytest.mark.fetched, pytest.mark.proof)
ALWAYS = ("after-step:6", "after-commit:2")
"""Where the suite looks; `make proof` looks everywhere."""


@pytest.mark.parametrize("target", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "place", [pytest.param(place, marks=() if place in ALWAYS else SELDOM) for place in (*PLACES, *WITH_ITS_MARK)]
)
def test_whoever_is_killed_in_a_run_another_ends_it(
    make_job: Callable[[TargetDatabase], Job], target: TargetDatabase, place: str
) -> None:
    platform = Platform(make_job(target))
    target.run(CREATE[target.dialect])
    platform.configure(exactly_once="true", batch='{ size = 2, timeout = "100ms" }')
    platform.has(7, *(f"k{number}" for number in range(5)))
    platform.target_has(7, "x", "y", "k0")
    platform.job.push(add(7, "before"))
    name = platform.ask(7, **ACCEPTED)
    platform.job.push(remove(7, "z"))
    ends_though_killed(platform, name, place, leaves="k4")
    assert (platform.run(name).outcome, platform.lane(7)) == ("done", {})
    assert platform.rows(7) == {*(f"k{number}" for number in range(4)), "new"}


@pytest.mark.parametrize("target", ["sqlite"], indirect=True)
@pytest.mark.parametrize("place", [pytest.param(place, marks=SELDOM) for place in PLACES])
def test_whoever_is_killed_after_a_restore_another_ends_it(
    make_job: Callable[[TargetDatabase], Job], target: TargetDatabase, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run has settled the alarm of the target's position by then, or does so after the death."""
    platform = Platform(make_job(target))
    target.run(CREATE[target.dialect])
    platform.configure(exactly_once="true", batch='{ size = 1, timeout = "100ms" }')
    is_held_after_a_restore(platform, monkeypatch)
    name = platform.ask(7, **ACCEPTED)
    ends_though_killed(platform, name, place, leaves="d")
    assert (platform.run(name).outcome, platform.lane(7), held(platform)) == ("done", {}, "")
    assert platform.rows(7) == {"a", "b", "c", "new"}
    platform.job.push(add(7, "later"))
    platform.delivered()
    assert platform.rows(7) == {"a", "b", "c", "new", "later"}


def ends_though_killed(platform: Platform, name: str, place: str, leaves: str) -> None:
    """Processes do what there is to do; the one that comes to this place is killed, and others go on.

    The platform goes on meanwhile: what it pushes behind a source that has been read is told by events alone.
    """
    installation = platform.job.installation
    installation.environ |= {"SEGSYNC_LEASE_MS": "2000", "SEGSYNC_CRASH_AT": place}
    until(lambda: installation.segsync("drain").returncode == -signal.SIGKILL, place, every=A_PROCESS)
    assert platform.run(name).state != "ended"
    platform.has(7, "new")
    platform.loses(7, leaves)
    platform.job.push(add(7, "new"), remove(7, leaves))
    del installation.environ["SEGSYNC_CRASH_AT"]
    until(lambda: installation.segsync("drain") and platform.run(name).state == "ended", every=A_PROCESS)
