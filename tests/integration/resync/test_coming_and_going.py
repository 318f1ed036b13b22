"""What happens by itself: to segments that come into scope and leave it, and to all of them within a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.jobs import add
from tests.integration.resync.platform import LISTED, Platform
from workers.control import apply as applying
from workers.lanes.clock import redis_ms
from workers.lanes.runs import ResyncRuns
from workers.monitoring.resyncs import needs_of_resyncs, read_resyncs
from workers.monitoring.states import read_integration
from workers.resync import changing
from workers.resync.schedule import Schedule
from workers.settings import load, revision

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.jobs import Job
    from tests.targets import TargetDatabase

on_one = pytest.mark.parametrize("target", ["sqlite"], indirect=True)
SALES = '{ database = "main", groups = ["sales"] }'


@pytest.fixture
def platform(make_job: Callable[[TargetDatabase], Job], target: TargetDatabase) -> Platform:
    return Platform(make_job(target))


def upsert(segment: int, *groups: str) -> dict[str, Any]:
    return {"type": "segment_upsert", "segment": {"id": segment, "groups": groups}}


@on_one
def test_a_segment_that_comes_into_scope_is_made_equal_at_once(platform: Platform) -> None:
    platform.configure(scope=SALES, on_enter='"resync"')
    platform.has(7, "a", "b")
    platform.job.push(upsert(7), add(7, "z"), upsert(7, "sales"))
    platform.job.runtime.route("token", 1)

    (name,) = ResyncRuns(platform.job.runtime.lanes).open()

    assert platform.ends(name).outcome == "done"
    assert platform.rows(7) == {"a", "b"}
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    assert redis.smembers(keys.resync("members")) == set()


@on_one
@pytest.mark.parametrize("enters", [True, False])
def test_a_segment_that_comes_into_scope_with_an_add_needs_no_word(platform: Platform, enters: bool) -> None:
    """Of anybody else's request few rows and many members are a doubt."""
    platform.configure(scope=SALES, on_enter='"resync"' if enters else '"flag"')
    platform.has(7, "a", "b", "c", "d")
    platform.job.push(upsert(7), upsert(7, "sales"), add(7, "a"))
    if enters:
        platform.job.runtime.route("token", 1)
    else:
        platform.job.drain()
        platform.ask(7)
    (name,) = ResyncRuns(platform.job.runtime.lanes).open()

    run = platform.ends(name)

    assert (run.outcome, run.by) == (("done", "an event on entering") if enters else ("needs confirmation", "test"))


@on_one
@pytest.mark.parametrize(("on_leave", "left"), [("keep", {"a"}), ("clear", set())])
def test_a_segment_that_leaves_a_scope_keeps_its_rows_or_not(platform: Platform, on_leave: str, left: set[str]) -> None:
    """The upsert is told first, then the clear, and nothing after it."""
    platform.configure(scope=SALES, on_leave=f'"{on_leave}"')
    platform.job.push(upsert(7, "sales"), add(7, "a"), upsert(8, "sales"), add(8, "a"))
    platform.job.drain()
    platform.job.push({"type": "segment_upsert", "segment": {"id": 7, "name": "last", "groups": []}}, add(7, "b"))
    platform.job.drain()

    assert platform.rows(7) == left
    assert platform.rows(8) == {"a"}
    assert platform.target.names()["7"] == "last"


@on_one
@pytest.mark.parametrize("profiles", [["z"], []], ids=["one", "none"])
@pytest.mark.parametrize("kind", ["add", "remove"])
def test_whatever_event_takes_a_segment_out_it_is_cleared(platform: Platform, kind: str, profiles: list[str]) -> None:
    """What a segment's database is may be learned from any event; its profiles are not told any more."""
    platform.configure(scope=SALES, on_leave='"clear"')
    platform.job.push(upsert(7, "sales"), add(7, "a"), upsert(8, "sales"), add(8, "a"))
    platform.job.drain()
    told = [{"_id": each, "CustomID": "z", "email": "z"} for each in profiles]
    leaving = {"type": kind, "segment": {"id": 7, "database": "other"}, "profiles": told}
    platform.job.push(leaving, add(7, "b"))
    platform.job.drain()

    assert platform.rows(7) == set()
    assert platform.rows(8) == {"a"}


@on_one
@pytest.mark.parametrize(("on_leave", "left"), [("keep", {"a", "b"}), ("clear", set())])
def test_what_an_apply_takes_out_of_scope_keeps_its_rows_or_not(
    platform: Platform, on_leave: str, left: set[str]
) -> None:
    """What was routed before is delivered first; what stays in scope is as it was, and so is what comes back."""
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    platform.configure(scope=SALES, on_leave=f'"{on_leave}"')
    platform.job.push(*[upsert(each, "sales", "eu") for each in (7, 8)], add(7, "a"), add(8, "a"), upsert(9, "sales"))
    platform.job.push(add(9, "a"))
    platform.job.drain()
    platform.job.push(add(9, "b"))
    platform.job.runtime.route("token", 1)

    def apply(scope: str) -> None:
        installation = platform.job.installation
        platform.configure_file(scope=scope, on_leave=f'"{on_leave}"')
        plan = applying.plan(installation.redis, installation.keys, load(installation.file))
        applying.carry_out(installation.redis, installation.keys, plan)
        platform.job.runtime = installation.runtime()

    apply('{ database = "main", groups = ["eu"] }')
    platform.job.push(add(9, "late"))
    if on_leave == "clear":
        assert "resync" in platform.woken()
    platform.turn()
    assert redis.exists(keys.leaving) == 0
    platform.turn()
    assert redis.exists(keys.verifications) == 0, "nobody is woken for it any more"
    platform.job.drain()

    assert platform.rows(9) == left
    assert (platform.rows(7), platform.rows(8)) == ({"a"}, {"a"})

    apply(SALES)
    platform.job.push(add(9, "back"))
    platform.turn()
    platform.job.drain()
    assert platform.rows(9) == left | {"back"}


@on_one
def test_what_an_apply_noted_that_never_came_is_not_cleared(platform: Platform) -> None:
    """It notes before it publishes, so that no crash between the two loses what has left; and forgets after a while."""
    platform.configure(on_leave='"clear"')
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    platform.job.push(add(7, "a"))
    platform.job.drain()
    redis.zadd(keys.leaving, {'["members", "7"]': redis.time()[0] * 1000})
    redis.zadd(keys.verifications, {"": 0})
    platform.turn()
    assert (redis.zcard(keys.leaving), redis.zcard(keys.verifications)) == (1, 1), "it may come"
    redis.zadd(keys.leaving, {'["members", "7"]': 0})
    platform.turn()
    assert redis.zcard(keys.leaving) == 0
    platform.job.drain()
    assert platform.rows(7) == {"a"}


@on_one
@pytest.mark.parametrize("ends", ["by itself", "cancelled"])
def test_a_segment_that_leaves_under_its_run_needs_no_other(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    """It would be flagged for ever: no run can begin that takes the flag back."""
    monkeypatch.setattr(changing, "SMALL", 1)
    platform.configure(scope=SALES)
    platform.job.push(upsert(7, "sales"))
    platform.delivered()
    platform.has(7, "a", "b", "c")
    name = platform.ask(7)
    platform.until_state(name, "between")
    platform.job.push(upsert(7))
    platform.job.runtime.route("token", 1)
    if ends == "cancelled":
        platform.cancel(name)
    assert platform.ends(name).outcome == ("cancelled" if ends == "cancelled" else "failed")
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    assert redis.smembers(keys.resync("members")) == set()


@on_one
def test_clearing_needs_a_query(platform: Platform) -> None:
    from workers.errors import SettingsError  # noqa: PLC0415 - of this test alone

    with pytest.raises(SettingsError, match="on_leave: is 'clear', and there is no query `clear`"):
        platform.configure(scope=SALES, on_leave='"clear"', leave_out=("clear",))


def schedule(platform: Platform) -> Schedule:
    return Schedule(platform.job.runtime.lanes, platform.job.runtime.applied.settings)


@on_one
def test_each_segment_is_verified_once_within_the_time(platform: Platform) -> None:
    platform.configure(verify='"1d"')
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    runtime = platform.job.runtime
    applying.carry_out(redis, keys, applying.plan(redis, keys, load(platform.job.installation.file)))
    assert "resync" in platform.woken()
    redis.zadd(keys.verifications, {"members": redis_ms(redis) + 3_600_000})  # not by what drains
    for segment in (7, 8, 9):
        platform.has(segment, "a")
        platform.job.push(add(segment, "a"))
    platform.job.drain()
    redis.zadd(keys.verifications, {"members": 0})
    platform.target_has(8, "stray")
    seen = []
    for _ in range(3):
        assert schedule(platform).ask() == 1
        (name,) = ResyncRuns(runtime.lanes).open()
        assert schedule(platform).ask() == 0, "not before its time"
        run = platform.ends(name)
        seen.append((run.segment, run.outcome, run.kind))
        redis.zadd(keys.verifications, {"members": 0})

    assert sorted(seen) == [("7", "equal", "verify"), ("8", "differs", "verify"), ("9", "equal", "verify")]
    assert schedule(platform).ask() == 0, "the round is over, and its time is not"
    (need,) = needs_of_resyncs(read_resyncs(redis, keys))
    assert need.topic == "members differs"
    assert "members differs from the platform: segment 8, as run " in need.sentence
    assert read_integration(redis, keys, "members", redis_ms(redis), {}).differing == 1

    assert platform.resync(8, accept_removals=1).outcome == "done"
    assert list(needs_of_resyncs(read_resyncs(redis, keys))) == []
    assert read_integration(redis, keys, "members", redis_ms(redis), {}).differing == 0


@on_one
def test_verifications_wait_for_what_somebody_has_asked_for(platform: Platform) -> None:
    platform.configure(verify='"1h"')
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    platform.job.push(add(7, "a"), add(8, "a"))
    platform.job.drain()
    redis.zadd(keys.verifications, {"members": 0})
    platform.ask(7)

    assert schedule(platform).ask() == 0
    assert redis.zscore(keys.verifications, "members") > 0


@on_one
def test_an_integration_that_is_paused_keeps_no_others_from_being_verified(platform: Platform) -> None:
    """Neither what waits for it to go on, nor what has begun there."""
    target, installation = platform.target, platform.job.installation
    more: dict[str, Any] = {"verify": '"1h"', "members": LISTED}
    both = target.integration(**more) + target.integration("second", **more)
    installation.configure(target.connector() + platform.source() + both)
    redis, keys = installation.redis, installation.keys
    revision.publish(redis, keys, load(installation.file))
    runtime = platform.job.runtime = installation.runtime()
    platform.has(7, "a")
    platform.job.push(add(7, "a"))
    platform.job.drain()
    begun = platform.ask(7)
    platform.until(begun, lambda run: run.state == "marked")
    redis.hset(keys.integration("members"), "paused", "1")
    redis.zadd(keys.runs, {begun: 0})
    platform.until(begun, lambda run: run.stalled == "1")
    waits = platform.ask(8)
    platform.until(waits, lambda run: run.why == "members is paused")
    redis.zadd(keys.runs_waiting, {waits: 0})
    redis.zadd(keys.verifications, {"members": 0, "second": 0})
    assert schedule(platform).ask() == 1

    (asked,) = [run for each in ResyncRuns(runtime.lanes).open() if (run := platform.run(each)).kind == "verify"]
    assert (asked.integration, asked.segment) == ("second", "7")
    assert platform.ends(asked.id).outcome == "equal"


@on_one
def test_what_is_not_verified_any_more_leaves_nothing_behind(platform: Platform) -> None:
    platform.configure(verify='"1h"')
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    platform.job.push(add(7, "a"), add(8, "a"))
    platform.job.drain()
    redis.zadd(keys.verifications, {"members": 0, "gone": 0})
    assert schedule(platform).ask() == 1
    platform.configure()
    redis.zadd(keys.verifications, {"members": 0})

    assert schedule(platform).ask() == 0
    assert redis.exists(keys.verifications, keys.verify_left("members"), keys.verify_round("members")) == 0
