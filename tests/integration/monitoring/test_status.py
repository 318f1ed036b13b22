"""What `status` reads, on a real Redis with real lanes."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.place import integration
from tests.waiting import until
from workers.control.drain import drain
from workers.control.pause import pause
from workers.lanes import Claimed, Lanes
from workers.lanes.messages import Release
from workers.monitoring import status
from workers.monitoring.consumers import Consumers

if TYPE_CHECKING:
    from tests.integration.place import Place
    from workers.monitoring.states import IntegrationStatus
    from workers.monitoring.whole import Status
    from workers.runtime import Runtime


def read(runtime: Runtime, workers: int = 1, **queues: int) -> Status:
    return status.read(runtime, lambda: Consumers(workers, queues), patience=0)


def redis_seconds(place: Place) -> float:
    """By the clock that ages are told by."""
    seconds, micros = place.redis.time()
    return seconds + micros / 1_000_000


def only(found: Status) -> IntegrationStatus:
    (one,) = found.integrations
    return one


def owe(place: Place, segment: str = "7", count: int = 10) -> Runtime:
    runtime = place.publish(integration())
    place.add(segment, count)
    runtime.route("t", 5)
    return runtime


def fail(place: Place, runtime: Runtime, level: str = "", delay_ms: int = 5_000) -> None:
    """A failed try of the next due lane."""
    lanes = Lanes(place.redis, place.keys.namespace, runtime.applied.revision, "one")
    claimed = lanes.claim("db", "t", 4)
    assert isinstance(claimed, Claimed)
    how = "held" if level else "failed"
    reason = "the table is missing"
    lanes.release(
        Release("crm", claimed.segment, claimed.claim, how, delay_ms, 1, level=level, code="sqlite 1", reason=reason)
    )


A_SECOND = 1.0
"""Redis's clock and this process's are read by different roundings."""
IDLE = {
    "key": "crm",
    "state": "active",
    "reason": "",
    "backlog": 0,
    "oldest_age_s": None,
    "quarantine": 0,
    "lanes": 0,
    "needs_resync": 0,
    "dropped": 0,
    "max_backlog": None,
    "since": None,
    "tries": None,
    "next_try_s": None,
    "late_s": 0.0,
    "resync_segments": [],
    "lag_s": 0.0,
    "max_lag_s": None,
    "all_wait": False,
    "window": "",
    "rate_per_s": None,
    "differing": 0,
    "alone": "",
    "failing": 0,
}


def test_json_has_the_shape_of_the_contract(place: Place) -> None:
    place.publish(integration())
    answer = json.loads(place.run("status", "--json").stdout)
    assert any("no worker is running" in sentence for sentence in answer.pop("needs"))
    assert "workers" in answer.pop("topics")
    assert answer == {
        "backlog": 0,
        "quarantine": 0,
        "intake": {"events": 0, "oldest_age_s": None, "why": "", "is_stuck": False},
        "outcomes": {"events": 0, "oldest_age_s": None, "why": "", "is_stuck": False},
        "integrations": [IDLE],
        "workers": 0,
        "queues": [{"name": name, "consumers": 0} for name in ("route", "upkeep", "deliver.db")],
        "beat_age_s": None,
        "pulse_age_s": None,
        "revision": 1,
        "unwanted": 0,
        "unwanted_segments": {},
        "notes": [],
        "accounts": [],
        "unread": [],
        "ledger_is_dead": False,
    }


def test_before_anything_is_applied_the_intake_is_shown_and_what_to_do(place: Place) -> None:
    place.write(integration())
    began = time.monotonic()
    place.add("7", 10)
    runtime = place.publish(integration())
    place.redis.delete(place.keys.config, place.keys.integrations, place.keys.connectors)

    found = read(runtime)
    assert found.intake.events == 1
    assert found.intake.oldest_age_s is not None
    assert 0 <= found.intake.oldest_age_s <= time.monotonic() - began + A_SECOND
    assert (found.revision, found.integrations, found.quarantine) == (None, [], 0)
    assert any("segsync apply" in sentence for sentence in found.needs)
    assert not found.ledger_is_dead


def test_backlog_lanes_and_age_of_what_is_owed(place: Place) -> None:
    began = redis_seconds(place)
    runtime = owe(place, "7", 12)
    place.add("8", 3)
    runtime.route("t", 5)

    found = read(runtime)
    assert (found.backlog, only(found).backlog, only(found).lanes) == (15, 15, 2)
    age = only(found).oldest_age_s or 0
    assert 0 <= age <= redis_seconds(place) - began + 0.1
    until(lambda: (only(read(runtime)).oldest_age_s or 0) > age + 0.2, "a greater age")
    assert only(found).state == "active"


def test_paused_with_who_when_and_why(place: Place) -> None:
    runtime = place.publish(integration())
    pause(place.redis, place.keys, "crm", reason="new table", by="ann@host")
    one = only(read(runtime))
    assert one.state == "paused"
    assert one.reason == "by ann@host: new table"
    assert one.since is not None


def test_paused_in_the_file(place: Place) -> None:
    one = only(read(place.publish(integration(active=False))))
    assert (one.state, one.reason) == ("paused", "active = false in the file")


def test_retrying_with_tries_and_the_next(place: Place) -> None:
    runtime = owe(place)
    fail(place, runtime)
    one = only(read(runtime))
    assert one.state == "retrying"
    assert one.reason == "segment 7: sqlite 1: the table is missing"
    assert one.tries == 1
    assert one.since is not None
    assert one.next_try_s is not None


@pytest.mark.parametrize(
    ("level", "reason"),
    [
        ("lane", "segment 7: sqlite 1: the table is missing"),
        ("integration", "sqlite 1: the table is missing"),
        ("connector", "connector db: sqlite 1: the table is missing"),
    ],
)
def test_held_at_each_level_needs_someone(place: Place, level: str, reason: str) -> None:
    runtime = owe(place)
    fail(place, runtime, level, 60_000)
    found = read(runtime)
    assert (only(found).state, only(found).reason) == ("held", reason)
    assert any(sentence.startswith("crm is held") for sentence in found.needs)


def test_a_target_that_cannot_be_reached_is_retried(place: Place) -> None:
    runtime = owe(place)
    Lanes(place.redis, place.keys.namespace, 1, "one").circuit(
        "db", "open", code="sqlite 14", reason="it cannot be opened"
    )
    assert (only(read(runtime)).state, only(read(runtime)).reason) == (
        "retrying",
        "connector db: sqlite 14: it cannot be opened",
    )


def test_refused_producers_need_someone(place: Place) -> None:
    runtime = place.publish(integration())
    place.redis.hset(place.keys.full_marks, mapping={"crm": 1, "reason": "crm owes 10 operations"})
    assert any(each.startswith("producers are refused: crm owes 10 operations. ") for each in read(runtime).needs)


@pytest.mark.parametrize(
    ("most", "warned"),
    [(10, []), (12, ["crm owes 10 operations, 83% of its max_backlog, and then producers wait"]), (13, [])],
)
def test_a_backlog_near_its_limit_is_told_of(place: Place, most: int, warned: list[str]) -> None:
    runtime = owe(place)
    place.redis.hset(place.keys.integration("crm"), "max_backlog", most)
    assert [each for each in read(runtime).needs if "max_backlog" in each] == warned


def test_a_redis_near_its_limit_is_told_of(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = owe(place)
    monkeypatch.setattr(type(runtime.redis), "info", lambda *_: {"used_memory": 85, "maxmemory": 100})
    assert any(each.startswith("Redis uses 85% of its maxmemory: when it is full, ") for each in read(runtime).needs)


def test_what_was_held_and_works_again_is_active(place: Place) -> None:
    runtime = owe(place)
    fail(place, runtime, "integration", 0)
    drain(runtime)
    assert only(read(runtime)).state == "active"


def test_orphaned_with_a_backlog_needs_someone(place: Place) -> None:
    owe(place)
    found = read(place.publish())
    assert (only(found).state, only(found).backlog) == ("orphaned", 10)
    assert any("segsync apply --drop crm" in sentence for sentence in found.needs)


def test_a_failing_lane_is_seen_among_thousands_that_wait(place: Place) -> None:
    """It was put off, so that it stands at the back of its set."""
    runtime = owe(place)
    fail(place, runtime, delay_ms=9_000)
    now = time.time() * 1000
    place.redis.zadd(place.keys.full("crm"), {f"w{n}": now - n for n in range(5_000)})
    assert only(read(runtime)).state == "retrying"


def test_a_held_lane_is_seen_in_the_middle_of_those_that_wait_as_long(place: Place) -> None:
    """Until it is delivered: others come due before it, and behind it, all the time."""
    with closing(sqlite3.connect(place.target)) as target:
        target.execute("CREATE TRIGGER no BEFORE INSERT ON member BEGIN SELECT raise(abort, 'no'); END")
    runtime = place.publish(integration().replace("active =", 'tolerance = "none"\nactive ='))
    place.add("7", 3)
    runtime.route("t", 5)
    place.let_timeouts_pass()
    drain(runtime)
    due = place.redis.zscore(place.keys.timed("crm"), "7") or 0
    place.redis.zadd(place.keys.timed("crm"), {f"w{n}": due - 1_000 + n for n in range(2_000)})
    found = only(read(runtime))
    assert (found.state, found.reason.startswith("segment 7: ")) == ("held", True)
    place.redis.hdel(place.keys.lane("crm", "7"), "hold", "attempts")
    assert only(read(runtime)).state == "active", "its own hash says whether it fails"


def test_however_many_lanes_there_are_few_are_read(place: Place) -> None:
    runtime = owe(place)
    place.redis.zadd(place.keys.timed("crm"), {f"w{n}": n for n in range(20_000)})
    before = calls(place)
    read(runtime)
    after = calls(place)
    assert after.get("zscan", 0) == before.get("zscan", 0)
    assert sum(after.values()) - sum(before.values()) < 250


def calls(place: Place) -> dict[str, int]:
    found: Any = place.redis.info("commandstats")
    return {name.removeprefix("cmdstat_"): fields["calls"] for name, fields in found.items()}


def test_what_nobody_wanted_is_counted_by_segment(place: Place) -> None:
    runtime = place.publish(integration(segments="[7]"))
    place.add("8", 3)
    place.add("9", 2)
    runtime.route("t", 5)
    found = read(runtime)
    assert found.unwanted == 5
    assert found.unwanted_segments == {"8": 3, "9": 2}


def test_quarantined_profiles_are_counted(place: Place) -> None:
    runtime = place.publish(integration())
    place.redis.xadd(place.keys.events, {"event": "no json"})
    place.redis.xadd(
        place.keys.events, {"event": '{"type":"add","segment":{"id":7},"profiles":[{"_id":1},{"_id":2,"id":"b"}]}'}
    )
    drain(runtime)
    place.let_timeouts_pass()
    drain(runtime)
    found = read(runtime)
    assert (found.quarantine, only(found).quarantine) == (2, 1)


def test_a_dead_ledger_leaves_only_its_numbers_out(place: Place) -> None:
    (place.folder / "ledger").mkdir()
    runtime = place.publish(integration(), ledger="ledger")
    found = read(runtime)
    assert (found.quarantine, only(found).quarantine, found.ledger_is_dead) == (0, 0, True)
    assert found.unread[0].startswith("quarantine: ledger sqlite")
    assert only(found).state == "active"


def test_a_silent_broker_leaves_only_its_numbers_out(place: Place) -> None:
    def refuse() -> Consumers:
        raise ConnectionRefusedError("redis://:secret@host")

    found = status.read(place.publish(integration()), refuse)
    assert found.workers is None
    assert {queue.consumers for queue in found.queues} == {None}
    assert "ConnectionRefusedError" in found.unread[0]
    assert "secret" not in found.unread[0]


def test_work_that_nobody_does_needs_someone(place: Place) -> None:
    runtime = owe(place)
    assert any("no worker is running" in sentence for sentence in read(runtime, 0).needs)
    idle = read(runtime, 1, route=1, upkeep=1).needs
    assert any(sentence == "no worker serves deliver.db; start one with -Q" for sentence in idle)
    assert any("pulse" in sentence for sentence in idle)


def test_workers_that_look_and_serve_are_fine(place: Place) -> None:
    runtime = owe(place)
    began = time.monotonic()
    runtime.looked("pulse")
    runtime.looked("beat")
    found = status.read(runtime, lambda: Consumers(1, {"route": 1, "upkeep": 1, "deliver.db": 2}))
    assert found.needs == []
    assert [queue.consumers for queue in found.queues] == [1, 1, 2]
    for age in (found.pulse_age_s, found.beat_age_s):
        assert age is not None
        assert 0 <= age <= time.monotonic() - began + A_SECOND


@pytest.mark.parametrize(("max_lag", "told"), [("1h", []), ("1s", ["crm late"])])
def test_max_lag_decides_when_an_integration_is_late(place: Place, max_lag: str, told: list[str]) -> None:
    runtime = place.publish(integration(timeout="1h").replace('key = "id"', f'key = "id"\nmax_lag = "{max_lag}"'))
    two_minutes_ago = int(time.time() * 1000) - 120_000
    add = '{"type":"add","segment":{"id":7},"profiles":[{"_id":"1","id":"1"}]}'
    place.redis.xadd(place.keys.events, {"event": add}, id=f"{two_minutes_ago}-0")
    runtime.route("token", 5)
    found = read(runtime)
    assert [topic for topic in found.topics if topic.startswith("crm")] == told
    assert len(found.topics) == len(found.needs)
    assert ("max_lag is 1 s" in str(found.needs)) is bool(told)
