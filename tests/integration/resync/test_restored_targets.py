"""A target that was restored from a backup, and a Redis that was: positions that fit nothing, and a run (rule 49)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.jobs import add, remove
from tests.integration.resync.platform import Platform
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


def held(platform: Platform) -> str:
    return platform.lane(7).get("hold", "")


def flagged(platform: Platform) -> list[str]:
    keys = platform.job.installation.keys
    return [segment.decode() for segment in platform.job.installation.redis.hkeys(keys.flagged("members"))]


def is_held_after_a_restore(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Last night's copy of the rows and positions, put back while a lane still owes something."""
    job, target = platform.job, platform.target
    platform.has(7, "a", "b", "c", "d")
    job.push(add(7, "a", "x"))
    platform.delivered()
    target.run(
        "CREATE TABLE member_copy AS SELECT * FROM member",
        "CREATE TABLE position_copy AS SELECT * FROM segsync_position",
    )
    job.push(add(7, "b"), remove(7, "x"), add(7, "c"), add(7, "d"))
    lanes = job.runtime.lanes
    settle, settled = lanes.settle, []

    def restores(done: Any) -> Any:
        answer = settle(done)
        settled.append(done)
        if len(settled) == 3:
            target.run("DELETE FROM member", "INSERT INTO member SELECT * FROM member_copy")
            target.run("DELETE FROM segsync_position", "INSERT INTO segsync_position SELECT * FROM position_copy")
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(lanes, "settle", restores)
        platform.works(lambda: held(platform))
    assert platform.rows(7) == {"a", "x"}
    assert "segsync position: the target's position is behind" in held(platform)


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
