"""Runs that fail: nobody need look at a list of them to hear of it, and the ledger keeps each."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.jobs import add
from tests.integration.resync.platform import LISTED, Platform
from workers.control import resync as control
from workers.control.entering import schedule_verifications
from workers.errors import WrongUsage
from workers.lanes.clock import redis_ms
from workers.lanes.runs import BY_ENTERING, ResyncRuns
from workers.ledger.resyncs import last_resyncs
from workers.monitoring.resyncs import needs_of_resyncs, read_resyncs
from workers.monitoring.states import read_integration
from workers.resync.schedule import Schedule
from workers.settings import load, revision

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.jobs import Job
    from tests.targets import TargetDatabase
    from workers.monitoring.need import Need

pytestmark = pytest.mark.parametrize("target", ["sqlite"], indirect=True)
SCOPED = '{ database = "main", segments = [7] }'


@pytest.fixture
def platform(make_job: Callable[[TargetDatabase], Job], target: TargetDatabase) -> Platform:
    return Platform(make_job(target))


def needs(platform: Platform) -> list[Need]:
    place = platform.job.installation
    return list(needs_of_resyncs(read_resyncs(place.redis, place.keys)))


def failing(platform: Platform) -> int:
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    return read_integration(redis, keys, "members", redis_ms(redis), {}).failing


def without_source(platform: Platform) -> None:
    """The file has none any more."""
    place, target = platform.job.installation, platform.target
    place.configure(target.connector() + target.integration(members=LISTED))
    revision.publish(place.redis, place.keys, load(place.file))
    platform.job.runtime = place.runtime()


def test_a_verification_that_nobody_asked_for_and_that_fails_is_told_until_one_has_compared(
    platform: Platform,
) -> None:
    platform.configure(verify='"1h"')
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    platform.has(7, "a")
    platform.job.push(add(7, "a"))
    platform.job.drain()
    platform.target.run("ALTER TABLE membership RENAME TO elsewhere")
    redis.zadd(keys.verifications, {"members": 0})
    assert Schedule(platform.job.runtime.lanes, platform.job.runtime.applied.settings).ask() == 1
    (run,) = map(platform.ends, ResyncRuns(platform.job.runtime.lanes).open())

    (need,) = needs(platform)
    assert need.topic == "members runs failing"
    assert f"segment 7 (run {run.id}: " in need.sentence
    assert run.why in need.sentence
    assert failing(platform) == 1
    since = redis.hget(keys.runs_failing, "members:7")

    again = platform.resync(7, "verify")
    assert again.outcome == "failed"
    assert redis.hget(keys.runs_failing, "members:7") == since.partition(b" ")[0] + f" {again.id}".encode()
    platform.target.run("ALTER TABLE elsewhere RENAME TO membership")
    assert platform.resync(7, "verify").outcome == "equal"
    assert (needs(platform), failing(platform)) == ([], 0)


def test_a_run_s_end_is_a_line_without_its_cause(platform: Platform, caplog: pytest.LogCaptureFixture) -> None:
    platform.has(7, "a")
    with caplog.at_level(logging.INFO, logger="segsync"):
        without_source(platform)
        failed = platform.resync(7)
        platform.configure()
        done = platform.resync(7)
    said = [each for each in caplog.messages if "run " in each]
    assert said == [
        f"members/7: run {failed.id} has failed for good; `segsync resync --list` says why",
        f"members/7: run {done.id} has ended: done",
    ]


def test_who_knows_of_a_run_that_failed_is_told_of_it_no_more(platform: Platform) -> None:
    platform.target.run("DROP TABLE membership")
    name = platform.resync(7).id
    with pytest.raises(WrongUsage):
        control.cancel(platform.job.runtime, "404", "test")
    assert failing(platform) == 1
    assert not control.cancel(platform.job.runtime, name, "test")
    assert (needs(platform), failing(platform)) == ([], 0)


def test_who_knows_of_a_difference_is_told_of_it_no_more(platform: Platform) -> None:
    """As of a segment that nobody follows any more, and which therefore no run can find or make equal."""
    platform.target_has(7, "a")
    run = platform.resync(7, "verify")
    assert (run.outcome, len(needs(platform))) == ("differs", 1)
    assert not control.cancel(platform.job.runtime, run.id, "test")
    assert needs(platform) == []


@pytest.mark.parametrize("outcome", ["differs", "failed"])
def test_what_was_seen_of_a_segment_that_has_left_is_told_no_more(platform: Platform, outcome: str) -> None:
    """With the next round of verifications: such a segment is in none."""
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    platform.configure(verify='"1d"')
    for segment in (7, 8):
        platform.target_has(segment, "a")
        platform.job.push(add(segment, "a"))
    platform.job.drain()
    if outcome == "failed":
        platform.target.run("DROP TABLE membership")
    assert {platform.resync(segment, "verify").outcome for segment in (7, 8)} == {outcome}
    platform.configure(verify='"1d"', scope=SCOPED)
    redis.zadd(keys.verifications, {"members": 0})
    Schedule(platform.job.runtime.lanes, platform.job.runtime.applied.settings).ask()
    (need,) = needs(platform)
    assert ("segment 7" in str(need), "segment 8" in str(need)) == (True, False)


def test_what_was_seen_of_very_many_segments_holds_up_nobody(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a source was away for a round: each run waits for the schedule, and so each lane at its mark."""
    lanes, keys, many = platform.job.runtime.lanes, platform.job.installation.keys, 5_000
    platform.configure(verify='"1d"', scope=SCOPED)
    redis, asked = lanes.redis, list[str]()
    redis.hset(keys.segments, mapping={str(segment): '{"database": "main"}' for segment in range(many)})
    redis.hset(keys.runs_failing, mapping={f"members:{segment}": f"1 {segment}" for segment in range(many)})
    redis.hset(keys.runs_failing, "other:8", "1 8")
    redis.zadd(keys.verifications, {"members": 0})
    execute: Any = redis.execute_command

    def counted(*given: Any, **how: Any) -> Any:
        asked.append(given[0])
        return execute(*given, **how)

    monkeypatch.setattr(redis, "execute_command", counted)
    Schedule(lanes, platform.job.runtime.applied.settings).ask()
    assert 5 < len(asked) < 100
    assert set(redis.hkeys(keys.runs_failing)) == {b"members:7", b"other:8"}


@pytest.mark.parametrize("outcome", ["failed", "needs confirmation"])
def test_a_run_that_is_remembered_no_more_is_told_of_until_somebody_knows_of_it(
    platform: Platform, outcome: str
) -> None:
    """`status` names the command that has it told of no more, and that knew the runs of seven days only."""
    platform.target_has(7, "a")
    if outcome == "failed":
        platform.target.run("DROP TABLE membership")
    run = platform.resync(7)
    assert (run.outcome, len(needs(platform))) == (outcome, 1)
    platform.job.installation.redis.delete(platform.job.installation.keys.run(run.id))
    assert not control.cancel(platform.job.runtime, run.id, "test")
    assert needs(platform) == []
    with pytest.raises(WrongUsage, match="there is no run"):
        control.cancel(platform.job.runtime, run.id, "test")


def test_of_an_integration_that_was_dropped_nobody_s_word_is_waited_for(platform: Platform) -> None:
    platform.target_has(7, "a")
    platform.resync(7)
    platform.job.installation.redis.srem(platform.job.installation.keys.integrations, "members")
    assert needs(platform) == []


def test_what_is_followed_no_more_is_no_failure_to_be_mended(platform: Platform) -> None:
    platform.configure(scope=SCOPED)
    assert platform.resync(8).why == "members does not follow segment 8"
    assert (needs(platform), failing(platform)) == ([], 0)


def test_a_source_that_does_not_know_how_old_it_is_changes_nothing(platform: Platform) -> None:
    """Its members are those of some time before: whoever came since would be removed."""
    platform.configure(extra='fresh = "SELECT NULL"')
    platform.has(7, "a")
    platform.target_has(7, "a", "came since")
    run = platform.resync(7, accept_removals=1)
    assert (run.outcome, platform.rows(7)) == ("failed", {"a", "came since"})
    assert "`fresh` gives null" in run.why
    assert platform.lane(7) == {}


def test_a_run_that_has_no_source_is_in_the_ledger(platform: Platform) -> None:
    without_source(platform)
    name = platform.ask(7)
    run = platform.ends(name)
    assert run.why == "there is no [sources.main] to read the segment from"
    platform.job.runtime.drain_outcomes(1)
    (kept,) = last_resyncs(platform.job.runtime.ledger, 2)
    assert (kept.run, kept.outcome, kept.reason, kept.by) == (name, "failed", run.why, "test")
    assert needs(platform)


def test_a_run_that_loses_its_source_half_way_keeps_nothing_on_the_disk(platform: Platform) -> None:
    platform.has(7, "a")
    platform.target_has(7, "a", "stray")
    name = platform.ask(7, accept_removals=1)
    platform.until_state(name, "removing")
    assert (platform.folder / name).exists()
    without_source(platform)
    assert platform.ends(name).outcome == "failed"
    assert not (platform.folder / name).exists()


def test_a_segment_whose_resync_on_entering_fails_is_flagged(platform: Platform) -> None:
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    platform.target.run("DROP TABLE membership")
    name, _ = ResyncRuns(platform.job.runtime.lanes).ask("members", "7", BY_ENTERING)
    assert platform.ends(name).outcome == "failed"
    assert redis.smembers(keys.resync("members")) == {b"7"}


def test_nothing_asks_for_a_verification_of_what_nothing_lists(platform: Platform) -> None:
    """Each segment failed, round after round. What an older version has noted is forgotten."""
    platform.configure(members_query=None, verify='"1h"')
    redis, keys, runtime = platform.job.installation.redis, platform.job.installation.keys, platform.job.runtime
    platform.job.push(add(7, "a"))
    platform.delivered()
    schedule_verifications(redis, keys, runtime.applied.settings)
    assert not redis.exists(keys.verifications)
    redis.zadd(keys.verifications, {"members": 0})
    assert (Schedule(runtime.lanes, runtime.applied.settings).ask(), redis.zcard(keys.runs_waiting)) == (0, 0)
    assert not redis.exists(keys.verifications)


def test_what_nothing_lists_is_not_verified(platform: Platform) -> None:
    """All members would seem to be missing, in a target that has each of them."""
    platform.configure(members_query=None)
    platform.has(7, "a")
    platform.target_has(7, "a")
    run = platform.resync(7, "verify")
    assert (run.outcome, run.why.partition(",")[0]) == ("failed", "members has no query `members`")
    assert failing(platform) == 1
    with pytest.raises(WrongUsage, match="members has no query `members`"):
        control.ask(platform.job.runtime, "members", ["7"], "me", "verify")
    platform.configure()
    assert (platform.resync(7, "verify").outcome, failing(platform)) == ("equal", 0)
