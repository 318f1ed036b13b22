"""A target that was restored from a backup, and a Redis that was: positions that fit nothing, and a run (rule 49)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.jobs import add
from tests.integration.resync.platform import Platform
from tests.integration.resync.restoring import held, is_held_after_a_restore
from workers.connectors.sql.positions import CREATE
from workers.monitoring import status

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.jobs import Job
    from tests.targets import TargetDatabase

ACCEPTED: dict[str, Any] = {"accept_removals": 100, "accept_adds": 1000}
AHEAD = f"{9 * 10**12:013d}{0:014d}"
on_one = pytest.mark.parametrize("target", ["sqlite"], indirect=True)


@pytest.fixture
def platform(make_job: Callable[[TargetDatabase], Job], target: TargetDatabase) -> Platform:
    """An integration whose positions the target keeps, one profile in a batch."""
    made = Platform(make_job(target))
    target.run(CREATE[target.dialect])
    made.configure(exactly_once="true", batch='{ size = 1, timeout = "100ms" }')
    return made


def flagged(platform: Platform) -> list[str]:
    keys = platform.job.installation.keys
    return [segment.decode() for segment in platform.job.installation.redis.hkeys(keys.flagged("members"))]


def test_a_run_settles_the_alarm_of_a_restored_target(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    is_held_after_a_restore(platform, monkeypatch)
    run = platform.resync(7, **ACCEPTED)
    assert (run.outcome, run.why) == ("done", "")
    assert platform.rows(7) == {"a", "b", "c", "d"}
    assert (platform.lane(7), flagged(platform)) == ({}, [])
    platform.job.push(add(7, "later"))
    platform.delivered()
    assert platform.rows(7) == {"a", "b", "c", "d", "later"}
    (members,) = status.read(platform.job.runtime).integrations
    assert (members.state, members.backlog, members.needs_resync) == ("active", 0, 0)


@on_one
def test_a_segment_whose_alarm_was_settled_is_flagged_until_it_is_equal(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lane goes on with what the run has found, and nothing but the flag tells that rows are missing."""
    is_held_after_a_restore(platform, monkeypatch)
    assert platform.resync(7).outcome == "needs confirmation"
    assert (platform.lane(7), flagged(platform)) == ({}, ["7"])
    assert platform.resync(7, **ACCEPTED).outcome == "done"
    assert flagged(platform) == []


@on_one
def test_a_verification_settles_nothing(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """It makes nothing equal."""
    is_held_after_a_restore(platform, monkeypatch)
    name = platform.ask(7, "verify")
    platform.turn()
    assert (platform.run(name).state, platform.run(name).why) == ("waiting", "its lane is held")


@on_one
def test_a_position_that_redis_knows_nothing_of_is_settled_too(platform: Platform) -> None:
    """Redis has lost its end, and its clock with it: what it still owes is told, and the run is not taken for old."""
    platform.has(7, "a", "b")
    platform.job.push(add(7, "a", "x"))
    platform.delivered()
    platform.target.run(f"UPDATE segsync_position SET position = '{AHEAD}'")
    platform.job.push(add(7, "y"), add(7, "z"))
    platform.works(lambda: held(platform))
    assert "ahead" in held(platform)
    run = platform.resync(7, **ACCEPTED)
    assert (run.outcome, run.removed, run.added) == ("done", 3, 2)
    assert platform.rows(7) == {"a", "b"}
    platform.job.push(add(7, "later"))
    platform.delivered()
    assert platform.rows(7) == {"a", "b", "later"}


@on_one
def test_a_target_that_is_restored_under_a_run_stays_flagged(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the run had told already may be gone with the rest."""
    platform.has(7, *(f"k{number}" for number in range(6)))
    lanes = platform.job.runtime.lanes
    settle, settled = lanes.settle, []

    def restores(done: Any) -> Any:
        answer = settle(done)
        settled.append(done)
        if len(settled) == 3:
            platform.target.run(f"UPDATE segsync_position SET position = '{1:027d}'", "DELETE FROM member")
        return answer

    monkeypatch.setattr(lanes, "settle", restores)
    assert platform.resync(7, **ACCEPTED).outcome == "done"
    assert platform.rows(7) == {"k3", "k4", "k5"}
    assert flagged(platform) == ["7"]
    assert platform.resync(7, **ACCEPTED).outcome == "done"
    assert (platform.rows(7), flagged(platform)) == ({f"k{number}" for number in range(6)}, [])
