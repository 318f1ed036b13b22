"""A replica that is behind, and a mark that was lost: nothing is read before its time, and nothing waits for ever."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.jobs import add
from tests.integration.resync.platform import Platform
from workers.connectors.sql.sqlite.listing import SqliteLister
from workers.lanes.clock import redis_ms
from workers.resync import changing, failing, freshness, reader, readiness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.jobs import Job
    from tests.targets import TargetDatabase
    from workers.connectors.sql.listing import Page
    from workers.resync.run import ResyncRun

ACCEPTED: dict[str, Any] = {"accept_removals": 100, "accept_adds": 1000}
LATE = "AND (custom_id <> 'late' OR (SELECT seconds FROM age) = 0)"
"""Whoever looks too early does not see this member."""
TIMES = re.compile(r"\d\d:\d\d:\d\d")
on_one = pytest.mark.parametrize("target", ["sqlite"], indirect=True)


@pytest.fixture
def platform(
    make_job: Callable[[TargetDatabase], Job], target: TargetDatabase, monkeypatch: pytest.MonkeyPatch
) -> Platform:
    """Read from a replica that is an hour behind, and lacks one member."""
    monkeypatch.setattr(reader, "LATER_MS", 20)
    made = Platform(make_job(target))
    target.run("CREATE TABLE age (seconds int)", "INSERT INTO age VALUES (3600)")
    query = made.paged.replace("AND id > {after}", f"{LATE} AND id > {{after}}")
    made.configure(members=query, extra='fresh = "SELECT seconds FROM age"')
    return made


def waits(run: ResyncRun) -> bool:
    """For its source; or it is over, which it must not be."""
    return run.state == "ended" or "does not have yet" in run.why


def replica_is(platform: Platform, seconds: float) -> None:
    """So old is what the replica has."""
    platform.target.run(f"UPDATE age SET seconds = {seconds}")


@on_one
def test_a_replica_that_is_behind_is_not_read(platform: Platform) -> None:
    """It lacks a member: the row of that would be taken for nobody's."""
    platform.has(7, "a", "late")
    platform.job.push(add(7, "late"))
    name = platform.ask(7, **ACCEPTED)
    platform.until(name, waits)
    assert (platform.run(name).state, platform.run(name).reached) == ("marked", 0)
    replica_is(platform, 0)
    run = platform.ends(name)
    assert (run.outcome, run.members, run.removed, platform.rows(7)) == ("done", 2, 0, {"a", "late"})


@on_one
def test_a_replica_that_falls_behind_between_two_marks_is_not_read(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each slice of a large segment is read as new as its own mark is; else a member would be passed over."""
    monkeypatch.setattr(changing, "SMALL", 1)
    monkeypatch.setattr(changing, "SLICE_MS", -1)
    replica_is(platform, 0)
    platform.has(7, "a", "b", "c", "late")
    name = platform.ask(7, **ACCEPTED)
    platform.until_state(name, "between")
    replica_is(platform, 3600)
    platform.until(name, waits)
    replica_is(platform, 0)
    run = platform.ends(name)
    assert (run.outcome, run.added, platform.rows(7)) == ("done", 4, {"a", "b", "c", "late"})


@on_one
@pytest.mark.parametrize("slices", [False, True])
def test_a_replica_that_answers_in_place_of_another_is_not_read(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, *, slices: bool
) -> None:
    """Behind one address there are several, and each session may be with another: the one that was asked was new."""
    monkeypatch.setattr(failing, "LONGEST_LOOK_MS", 10)
    if slices:
        monkeypatch.setattr(changing, "SMALL", 1)
    platform.has(7, "a", "late")
    platform.target_has(7, "x" if slices else "late")
    replica_is(platform, 0)
    name = platform.ask(7, **ACCEPTED)
    opened, late = SqliteLister.pages, dict[int, SqliteLister]()

    def balanced(lister: SqliteLister, statement: str) -> Iterator[Page]:
        """Of the sessions that are opened to read in at a mark the first one's server is late."""
        if (run := platform.run(name)).reached:
            late.setdefault(run.marked, lister)
        if "age" in statement:
            replica_is(platform, 3600 * (lister in late.values()))
        yield from opened(lister, statement)

    monkeypatch.setattr(SqliteLister, "pages", balanced)
    seen: set[str] = set()

    def is_over(run: ResyncRun) -> bool:
        seen.add(run.why)
        return run.state == "ended"

    platform.until(name, is_over)
    run = platform.run(name)
    assert (run.outcome, run.members, run.added, platform.rows(7)) == ("done", 2, 2, {"a", "late"})
    assert len(late) == (2 if slices else 1), "marks"
    assert any(re.search("another may have answered, whose data is 3,(600|59[0-9])", why) for why in seen), seen


@on_one
def test_a_replica_that_stays_behind_fails_its_run_and_keeps_no_lane_waiting(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.has(7, "a", "late")
    platform.target_has(7, "late")
    name = platform.ask(7, **ACCEPTED)
    platform.until(name, waits)
    platform.job.push(add(7, "live"))
    monkeypatch.setattr(freshness, "STALE_MS", -1)
    run = platform.ends(name)
    assert run.outcome == "failed"
    assert "its data is still 3" in run.why
    assert "s too old; nothing was changed" in run.why
    platform.delivered()
    assert (platform.rows(7), platform.lane(7)) == ({"late", "live"}, {})


@on_one
@pytest.mark.parametrize("seconds", [0, -0.9])
def test_two_clocks_that_differ_by_a_little_hide_nothing(platform: Platform, seconds: float) -> None:
    """The one that tells the age may be a second behind: what it says is not read before that has passed, too."""
    platform.has(7, "a")
    replica_is(platform, seconds)
    name = platform.ask(7, **ACCEPTED)
    platform.until(name, waits)
    assert (platform.run(name).state, platform.run(name).reached) == ("marked", 0)
    assert (platform.ends(name).outcome, platform.rows(7)) == ("done", {"a"})


@on_one
def test_a_source_whose_data_is_of_the_future_is_waited_for(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of its clock nothing is known before it has been right for as long as it was wrong: ages grow by themselves."""
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    monkeypatch.setattr(freshness, "sent_ms", lambda work, _: work.now - 400_000)
    platform.has(7, "a", "late")
    platform.job.push(add(7, "late"))
    replica_is(platform, -300)
    name = platform.ask(7, **ACCEPTED)
    platform.until(name, lambda run: "300 s behind the one that dates its data" in run.why)
    replica_is(platform, -1)
    platform.until(name, waits)
    assert (platform.run(name).state, platform.run(name).reached) == ("marked", 0)
    replica_is(platform, 0)
    redis.hset(keys.run(name), "ahead_at", platform.run(name).ahead_at - 302_000)
    run = platform.ends(name)
    assert (run.outcome, run.members, run.removed, platform.rows(7)) == ("done", 2, 0, {"a", "late"})


@on_one
@pytest.mark.parametrize(("seconds", "advice"), [(-90, "expected both clocks to be right"), (-3600, "look for a zone")])
def test_a_source_that_stays_in_the_future_fails_its_run_and_both_times_are_told(
    platform: Platform, seconds: float, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no clock is wrong by is told at once; neither changes anything, nor keeps the lane."""
    monkeypatch.setattr(freshness, "sent_ms", lambda *_: 0)
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    platform.has(7, "a", "late")
    platform.target_has(7, "late")
    replica_is(platform, seconds)
    name = platform.ask(7, **ACCEPTED)
    platform.job.push(add(7, "live"))
    platform.until(name, lambda run: run.state == "ended" or run.late > 0)
    if seconds > -freshness.STALE_MS / 1000:
        assert platform.run(name).state == "marked", "however long its lane had taken to come to the mark"
        redis.hset(keys.run(name), "late", 1)
    run = platform.ends(name)
    at, of = (datetime.strptime(one, "%H:%M:%S") for one in TIMES.findall(run.why))  # noqa: DTZ007 - no day is told
    assert (run.outcome, (of - at).seconds) == ("failed", -seconds)
    assert "nothing was changed" in run.why
    assert advice in run.why
    platform.delivered()
    assert (platform.rows(7), platform.lane(7)) == ({"late", "live"}, {})


@on_one
def test_a_clock_that_was_set_back_lets_no_lane_wait_longer_for_its_source(platform: Platform) -> None:
    """The time since when it is waited for lies ahead then, as the mark's does: ten minutes would be hours."""
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    platform.has(7, "a")
    name = platform.ask(7, **ACCEPTED)
    platform.until(name, waits)
    for field in ("marked", "late"):
        redis.hincrby(keys.run(name), field, 3 * 3_600_000)
    platform.until(name, lambda run: 0 < run.late <= redis_ms(redis))
    replica_is(platform, 0)
    assert platform.ends(name).outcome == "done"


@on_one
def test_a_source_that_falls_behind_between_two_marks_does_not_say_that_nothing_was_changed(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changing, "SMALL", 1)
    monkeypatch.setattr(changing, "SLICE_MS", -1)
    replica_is(platform, 0)
    platform.has(7, *"abcdef")
    name = platform.ask(7, **ACCEPTED)
    platform.until_state(name, "between")
    replica_is(platform, 3600)
    monkeypatch.setattr(freshness, "STALE_MS", -1)
    run = platform.ends(name)
    assert (run.outcome, "nothing was changed" in run.why, "no more was changed" in run.why) == ("failed", False, True)
    assert platform.job.installation.redis.smembers(platform.job.installation.keys.resync("members")) == {b"7"}


@on_one
def test_a_mark_that_redis_has_lost_is_sent_again(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it is surely lost: not while it may be on its way, however long that is."""
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    replica_is(platform, 0)
    platform.has(7, "a", "late")
    name = platform.ask(7, **ACCEPTED)
    platform.turn()

    def marks_after_a_look() -> int:
        redis.zadd(keys.runs, {name: 0})
        platform.turn()
        found: int = redis.xlen(keys.events)
        return found

    monkeypatch.setattr(reader, "LOST_MS", 0)
    assert marks_after_a_look() == 1, "it waits to be routed"
    monkeypatch.setattr(reader, "LOST_MS", 60_000)
    redis.delete(keys.events)
    assert marks_after_a_look() == 0, "it may be between intake and lane"
    monkeypatch.setattr(reader, "LOST_MS", 0)
    assert marks_after_a_look() == 1
    assert (platform.ends(name).outcome, platform.rows(7)) == ("done", {"a", "late"})


@on_one
def test_a_lost_mark_is_sent_again_though_the_intake_is_never_empty(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came in long after it has been routed; and where much comes, something waits at each look."""
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    monkeypatch.setattr(reader, "LOST_MS", 0)
    monkeypatch.setattr(readiness, "SENDING_MS", -1)
    replica_is(platform, 0)
    platform.has(7, "a")
    name = platform.ask(7)
    platform.turn()
    redis.delete(keys.events)
    platform.job.push(add(8, "b"))
    marked = platform.run(name).marked

    def marked_again() -> bool:
        redis.zadd(keys.runs, {name: 0})
        platform.turn()
        return platform.run(name).marked > marked

    assert not marked_again(), "it may stand in the intake before that"
    platform.job.runtime.route("token", 1)
    platform.job.push(add(8, "c"))
    assert marked_again()
    assert (platform.ends(name).outcome, platform.rows(7)) == ("done", {"a"})
