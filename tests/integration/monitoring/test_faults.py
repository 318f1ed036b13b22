"""One test for each fault that an operator meets: `status` says it, with what to do, and nothing while all is well.

Faults that need time are made old by writing their beginning into Redis, as if they had lasted.
"""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.place import integration
from workers.control import apply as applying
from workers.control.drain import drain
from workers.control.pause import pause
from workers.lanes.clock import redis_ms
from workers.ledger.errors import LedgerError
from workers.monitoring import status
from workers.monitoring.status import Consumers

if TYPE_CHECKING:
    from tests.integration.place import Place
    from tests.servers.redis import RedisServer
    from workers.monitoring.status import Status
    from workers.runtime import Runtime

SERVED = {"route": 1, "upkeep": 1, "deliver.db": 1}
LONG_MS = 600_000


def look(runtime: Runtime, workers: int = 2, queues: dict[str, int] | None = None, many: int = 10_000) -> Status:
    return status.read(runtime, lambda: Consumers(workers, SERVED if queues is None else queues), many=many)


def running(runtime: Runtime) -> Runtime:
    """As if workers and beat were there."""
    runtime.tick("pulse")
    runtime.tick("beat")
    return runtime


@pytest.fixture
def fine(place: Place) -> Runtime:
    """An installation on which all is well: everything delivered, and somebody looking for more."""
    runtime = place.publish(integration())
    place.add("7", 10)
    drain(runtime)
    runtime = running(runtime)
    assert look(runtime).needs == []
    return runtime


@pytest.fixture
def idle(place: Place) -> Runtime:
    """An installation that has had nothing to do yet."""
    return running(place.publish(integration()))


def only(sentences: list[str]) -> str:
    (one,) = sentences
    return one


def earlier(place: Place, by_ms: int = LONG_MS) -> int:
    return redis_ms(place.redis) - by_ms


def owe_for_long(place: Place) -> None:
    """Ten operations that came in ten minutes ago."""
    place.redis.xadd(
        place.keys.events,
        {"event": json.dumps({"type": "add", "segment": {"id": "8"}, "profiles": [{"_id": 1, "id": "x"}]})},
        id=f"{earlier(place)}-0",
    )


def test_nothing_is_said_while_all_is_well(fine: Runtime, place: Place) -> None:
    place.add("7", 5)
    fine.route("t", 5)
    assert look(fine).needs == []
    assert look(fine).notes == []


@pytest.mark.parametrize(
    ("field", "fields", "said"),
    [
        ("hold", {"hold_until": 40_000}, "crm is held since "),
        ("open", {}, "crm is late: its oldest operation should have gone 10 min ago; it is retrying since "),
    ],
)
def test_a_target_that_refuses_or_is_down(
    idle: Runtime, place: Place, field: str, fields: dict[str, int], said: str
) -> None:
    """Since when, how often it was tried, why, and when it is tried again."""
    owe_for_long(place)
    idle.route("t", 5)
    now = redis_ms(place.redis)
    reason: dict[Any, Any] = {
        "hold": "the table is missing",
        "hold_code": "sqlite 1",
        "hold_since": now - LONG_MS,
        "hold_tries": 7,
    }
    circuit: dict[Any, Any] = {
        "open_until": now + 5_000,
        "open_code": "sqlite 14",
        "open_reason": "it cannot be opened",
        "open_since": now - LONG_MS,
        "failures": 7,
    }
    if field == "hold":
        place.redis.hset(place.keys.integration("crm"), mapping=reason | {k: now + v for k, v in fields.items()})
    else:
        place.redis.hset(place.keys.connector("db"), mapping=circuit)
    sentence = only(look(idle).needs)
    assert sentence.startswith(said)
    assert ", 7 failed tries: " in sentence
    assert ("sqlite 1: the table is missing" if field == "hold" else "sqlite 14: it cannot be opened") in sentence
    assert "it is tried again in " in sentence
    assert "or at once with `segsync retry crm`" in sentence
    each = look(idle).integrations[0]
    assert each.since is not None
    assert each.tries == 7
    assert each.next_try_s is not None


def test_a_short_outage_is_no_alarm(fine: Runtime, place: Place) -> None:
    now = redis_ms(place.redis)
    place.add("8", 10)
    fine.route("t", 5)
    place.redis.hset(place.keys.connector("db"), mapping={"open_until": now, "open_reason": "down", "open_since": now})
    found = look(fine)
    assert (found.integrations[0].state, found.needs) == ("retrying", [])


def test_paused_is_what_somebody_wanted(idle: Runtime, place: Place) -> None:
    pause(place.redis, place.keys, "crm", reason="moving", by="ann")
    owe_for_long(place)
    idle.route("t", 5)
    found = look(idle)
    assert (found.integrations[0].state, found.needs) == ("paused", [])
    assert found.integrations[0].since is not None


def test_a_slow_target_is_late(idle: Runtime, place: Place) -> None:
    owe_for_long(place)
    idle.route("t", 5)
    assert only(look(idle).needs) == "crm is late: its oldest operation should have gone 10 min ago"


def test_within_its_timeout_nothing_is_late(place: Place) -> None:
    runtime = running(place.publish(integration(timeout="1h")))
    owe_for_long(place)
    runtime.route("t", 5)
    assert look(runtime).needs == []


def test_a_queue_that_nobody_serves_though_nothing_waits(fine: Runtime) -> None:
    assert only(look(fine, queues={"route": 1, "upkeep": 1}).needs) == "no worker serves deliver.db; start one with -Q"


def test_a_connector_without_integrations_need_not_be_served(fine: Runtime, place: Place) -> None:
    place.redis.sadd(place.keys.connectors, "unused")
    assert look(fine).needs == []


def test_nothing_runs_at_all(fine: Runtime, place: Place) -> None:
    place.redis.hset(place.keys.seen, mapping={"pulse": earlier(place), "beat": earlier(place)})
    needs = look(fine, workers=0, queues={}).needs
    assert needs[0].startswith("no worker is running; start them with")
    assert any(sentence.startswith("no worker's pulse has looked for work for 10 min") for sentence in needs)
    assert any(sentence.startswith("beat has not looked for 10 min: start one") for sentence in needs)


def test_no_beat(fine: Runtime, place: Place) -> None:
    place.redis.hset(place.keys.seen, "beat", earlier(place))
    assert only(look(fine).needs).startswith("beat has not looked for 10 min: start one with `celery -A workers beat`")


def test_events_that_nobody_routes(idle: Runtime, place: Place) -> None:
    owe_for_long(place)
    assert only(look(idle).needs) == "events have waited for 10 min to be routed; a worker must serve the queue `route`"


def test_redis_emptied_is_found_by_the_ledger(fine: Runtime, place: Place) -> None:
    """What is known of segments is gone: scopes by groups and tags want nothing, and nothing else would tell."""
    for key in place.redis.scan_iter(f"{place.keys.namespace}:*"):
        place.redis.unlink(key)
    assert "no configuration is applied; run `segsync apply`, or start a worker" in look(fine).needs

    runtime = running(place.publish(integration()))
    place.add("7", 10)
    drain(runtime)
    sentence = only(look(runtime).needs)
    assert sentence.startswith("this Redis was emptied or replaced")
    assert "segment_upsert" in sentence

    settings = place.write(integration())
    applying.carry_out(place.redis, place.keys, applying.plan(place.redis, place.keys, settings), accept=True)
    place.add("7", 10)
    drain(runtime)
    assert look(runtime).needs == []


def test_a_ledger_that_cannot_be_written_to(fine: Runtime, place: Place) -> None:
    """At once, with since when, how often and why; and gone once it works again."""
    ledger = place.folder / "ledger.db"
    ledger.rename(place.folder / "aside.db")
    ledger.mkdir()
    place.add("9", 10)
    for _ in range(2):
        report = drain(fine)
        assert report.ledger
    sentence = next(each for each in look(fine).needs if each.startswith("the ledger"))
    assert sentence.startswith("the ledger cannot be written to since 20")
    assert re.search(r", \d+ tries, the last \d+ s ago: ledger sqlite", sentence)
    assert "its file can be neither opened nor made" in sentence

    ledger.rmdir()
    (place.folder / "aside.db").rename(ledger)
    drain(fine)
    assert look(fine).needs == []


def test_outcomes_that_nobody_writes_down(fine: Runtime, place: Place) -> None:
    place.redis.delete(place.keys.outcomes)
    place.redis.xadd(place.keys.outcomes, {"r": b"x"}, id=f"{earlier(place)}-0")
    assert only(look(fine).needs) == (
        "outcomes have waited for 10 min to be written to the ledger; a worker must serve the queue `upkeep`"
    )


def test_the_quarantine_is_counted_while_the_ledger_is_silent(fine: Runtime, place: Place) -> None:
    place.redis.hset(place.keys.integration("crm"), "quarantined", 3)
    (place.folder / "ledger.db").rename(place.folder / "aside.db")
    (place.folder / "ledger.db").mkdir()
    fresh = running(type(fine)(fine.local))
    found = look(fresh)
    assert (found.quarantine, found.integrations[0].quarantine, found.ledger_is_dead) == (3, 3, True)


def test_another_ledger_is_refused_and_told(fine: Runtime, place: Place) -> None:
    (place.folder / "ledger.db").rename(place.folder / "first.db")
    other = running(type(fine)(fine.local))
    with pytest.raises(LedgerError, match="it is not the one that this installation writes to"):
        _ = other.ledger
    found = look(other)
    assert "expected one ledger for all hosts" in found.unread[0]
    place.add("9", 10)
    assert "it is not the one" in drain(other).ledger
    assert place.redis.xlen(place.keys.outcomes) > 0


def test_a_secret_that_a_worker_lacks(fine: Runtime, place: Place) -> None:
    place.redis.hset(place.keys.lacking, "db on host1", "connectors.db.password: the environment variable X is not set")
    assert only(look(fine).needs) == (
        "connector db on host1 cannot be served: connectors.db.password: the environment variable X is not set"
    )


def quarantine_two(fine: Runtime, place: Place) -> None:
    event = {"type": "add", "segment": {"id": 7}, "profiles": [{"_id": 1}, {"_id": 2}]}
    place.redis.xadd(place.keys.events, {"event": json.dumps(event)})
    place.redis.xadd(place.keys.events, {"event": json.dumps({"type": "clear", "segment": {"id": 99}})})
    drain(fine)
    drain(fine)


def test_an_open_quarantine_is_a_word_and_an_alarm_from_a_threshold(fine: Runtime, place: Place) -> None:
    quarantine_two(fine, place)
    found = look(fine)
    assert found.integrations[0].quarantine == 2
    assert found.needs == []
    assert only(found.notes) == "2 open entries in the quarantine; `segsync errors` groups them by cause"
    assert only(look(fine, many=2).needs).startswith("crm has 2 entries in the quarantine")


def test_apply_that_widens_a_scope_flags_what_comes_in(fine: Runtime, place: Place) -> None:
    assert fine.applied.revision == 1
    runtime = place.publish(integration(segments="[7]"))
    place.add("8", 1)
    drain(runtime)
    assert look(running(runtime)).integrations[0].needs_resync == 0

    settings = place.write(integration(segments="[7, 8, 9]"), integration("new", segments="[8]"))
    applying.carry_out(place.redis, place.keys, applying.plan(place.redis, place.keys, settings))
    runtime.follow()
    found = {each.key: each for each in look(running(runtime)).integrations}
    assert (found["crm"].needs_resync, found["crm"].resync_segments) == (1, ("8",))
    assert found["new"].resync_segments == ("8",)
    assert "crm was never told of all members of segment 8: push them again" in look(runtime).notes


def test_apply_that_narrows_a_scope_flags_nothing(fine: Runtime, place: Place) -> None:
    settings = place.write(integration(segments="[7]"))
    applying.carry_out(place.redis, place.keys, applying.plan(place.redis, place.keys, settings))
    fine.follow()
    assert look(fine).integrations[0].needs_resync == 0


def test_backlog_full(fine: Runtime, place: Place) -> None:
    place.redis.hset(place.keys.full_marks, mapping={"crm": "x", "reason": "crm has reached its max_backlog"})
    assert only(look(fine).needs) == "producers are refused: crm has reached its max_backlog"


@pytest.fixture
def own(own_redis: RedisServer, place: Place) -> Runtime:
    """An installation on a Redis that the test may change."""
    place.url = own_redis.url
    place.redis = own_redis.client()
    return running(place.publish(integration()))


def test_an_eviction_policy_that_was_changed_meanwhile(own: Runtime, place: Place) -> None:
    assert look(own).needs == []
    place.redis.config_set("maxmemory-policy", "allkeys-lru")
    assert only(look(own).needs).startswith("Redis has maxmemory-policy allkeys-lru, which drops events")


def test_a_redis_that_is_a_replica(own: Runtime, place: Place) -> None:
    place.redis.replicaof("127.0.0.1", "1")
    with contextlib.suppress(LedgerError):
        assert any(each.startswith("this Redis is a replica and may only be read") for each in look(own).needs)


def test_a_redis_that_is_nearly_full(own: Runtime, place: Place) -> None:
    used = int(place.redis.info("memory")["used_memory"])
    place.redis.config_set("maxmemory", int(used * 1.1))
    assert any("of its maxmemory" in each for each in look(own).needs)
