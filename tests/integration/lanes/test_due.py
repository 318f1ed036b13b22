"""Who is looked at next, whatever the number of integrations, the clock and the settings (rules 8, 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.crowd import Crowd, commands
from tests.integration.lanes.test_scripts import NOW, Bench
from workers.events.event import Kind
from workers.lanes import Claimed, Idle, Operation, pack
from workers.lanes.lease import UPKEEP
from workers.lanes.messages import Release
from workers.lanes.moves import Move, Run

if TYPE_CHECKING:
    import redis

HOUR_MS = 3_600_000


class Many(Bench):
    """Many integrations on one connector, all wanting segment 7."""

    def __init__(self, client: redis.Redis, namespace: str, count: int) -> None:
        super().__init__(client, namespace)
        client.hset(self.keys.seen, "placed", 1)
        self.all = [f"i{n:04d}" for n in range(count)]
        for key in self.all:
            mapping: dict[Any, Any] = {"connector": "db", "size": 10, "timeout": 60_000, "clear": 1, "active": 1}
            client.hset(self.keys.integration(key), mapping=mapping)
            client.sadd(self.keys.integrations, key)

    def append_to(self, integrations: list[str], *, ms: int = NOW) -> None:
        position = self.take_route()
        self.count += 1
        operation = Operation(ms, self.count, 0, Kind.ADD, None, b'{"_id":"1"}')
        run = Run("7", 1, ms, "", "", pack("n", [operation]), integrations)
        fresh = f"{ms}-{self.count}|0"
        assert self.lanes("router").append(Move("router", position, fresh, f"{ms}-{self.count}", runs=[run]))


@pytest.fixture
def bench(redis_client: redis.Redis, namespace: str) -> Bench:
    return Bench(redis_client, namespace)


def test_a_look_costs_the_same_however_many_integrations_and_lanes_wait(own_redis: Any, namespace: str) -> None:
    """Commands, not milliseconds; with a server of its own, since they are counted there."""
    counts = []
    for integrations, segments in ((10, 10), (500, 40)):
        client = own_redis.client()
        client.flushall()
        client.config_set("appendfsync", "no")
        crowd = Crowd(client, namespace, integrations, segments)
        crowd.warm_up()
        client.config_resetstat()
        crowd.tick()
        ticking = commands(client)
        client.config_resetstat()
        crowd.claim()
        counts.append((ticking, commands(client)))
        client.close()
    assert counts[0] == counts[1]
    assert all(sum(each.values()) < 50 for each in counts[0])


def test_a_look_that_wakes_knows_when_the_next_lane_comes_due(redis_client: redis.Redis, namespace: str) -> None:
    """Whoever serves what is due rings no bell for it, and no event may come in meanwhile."""
    bench = Bench(redis_client, namespace, timeout=60_000)
    bench.append(1, "7")
    seconds, _ = redis_client.time()
    bench.append(1, "8", ms=seconds * 1000 - 60_000 + 3_000)
    tick = bench.lanes().tick("a:", "pulse")
    assert len(tick.wakes) == 1
    assert tick.sleep_ms <= 3_000


def test_a_look_that_wakes_all_who_may_work_looks_again_soon(redis_client: redis.Redis, namespace: str) -> None:
    bench = Bench(redis_client, namespace)
    for segment in range(5):
        bench.append(1, str(segment))
    tick = bench.lanes().tick("a:", "pulse")
    assert len(tick.wakes) == 4
    assert tick.sleep_ms <= 1_000


def test_integrations_of_one_connector_take_turns_while_one_is_filled_again_and_again(
    redis_client: redis.Redis, namespace: str
) -> None:
    many = Many(redis_client, namespace, 3)
    many.append(10, "7")  # crm
    for n in range(6):
        many.append(10, f"full{n}")
    many.append_to(many.all)
    served = []
    for n in range(8):
        many.append(10, f"more{n}")
        claimed = many.lanes(f"o{n}").claim("db", f"t{n}", 99)
        assert isinstance(claimed, Claimed)
        served.append(claimed.integration)
    assert set(many.all) <= set(served[:5])


def test_a_paused_integration_stops_no_other_and_is_served_when_it_goes_on(
    redis_client: redis.Redis, namespace: str
) -> None:
    many = Many(redis_client, namespace, 2)
    many.append_to(many.all)
    redis_client.hset(many.keys.integration("i0000"), "paused", "1")
    assert many.claim("a").integration == "i0001"
    assert isinstance(many.lanes("b").claim("db", "b", 4), Idle)
    redis_client.hdel(many.keys.integration("i0000"), "paused")
    redis_client.zadd(many.keys.next("db"), {"i0000": 0})
    assert many.claim("c").integration == "i0000"


def test_an_older_segsync_has_left_no_places(redis_client: redis.Redis, namespace: str) -> None:
    """A worker of this version finds lanes, and nothing that says where to look."""
    many = Many(redis_client, namespace, 3)
    many.append_to(many.all)
    redis_client.delete(many.keys.next("db"), many.keys.seen)
    assert len(many.lanes().tick("p", "task").wakes) == 3
    redis_client.delete(many.keys.permits("deliver.db"))
    assert {many.claim(f"o{n}").integration for n in range(3)} == set(many.all)


def test_a_lane_whose_lease_ran_out_is_found(bench: Bench) -> None:
    """Its deliverer has died: nobody says so."""
    bench.append(10)
    bench.claim("dead")
    at = bench.redis.zscore(bench.keys.next("db"), "crm")
    until = int(bench.lane()["until"])
    assert at is not None
    assert at <= until


def rescored(bench: Bench) -> None:
    for _ in range(100):
        if not bench.lanes().rescore():
            return
    raise AssertionError("it never ends")


def test_a_clock_that_was_set_back_makes_nothing_wait_as_long_as_it_jumped(bench: Bench) -> None:
    """Lanes, retries, leases, holds: all were written by a clock an hour ahead."""
    ahead = int(bench.redis.time()[0]) * 1000 + HOUR_MS
    bench.append(1, "waits", ms=ahead)
    bench.append(10, "retries", ms=ahead)
    bench.append(10, "dead", ms=ahead)
    keys, client = bench.keys, bench.redis
    client.hset(keys.lane("crm", "retries"), "retry", ahead + 500)
    client.hset(keys.lane("crm", "dead"), mapping={"owner": "dead", "until": ahead + 30_000, "to": "x"})
    client.zadd(keys.timed("crm"), {"waits": ahead + 1000})
    client.zadd(keys.full("crm"), {"retries": ahead + 500, "dead": ahead + 30_000})
    client.zadd(keys.next("db"), {"crm": ahead + 500})
    client.hset(keys.integration("crm"), "hold_until", ahead + 60_000)
    client.hset(keys.connector("db"), "open_until", ahead + 5_000)
    client.hset(keys.seen, mapping={"clock": ahead, "placed": 1})

    assert UPKEEP in [wake.queue for wake in bench.lanes().tick("p", "task").wakes]
    rescored(bench)

    now = int(client.time()[0] + 1) * 1000
    full: Any = client.zrange(keys.full("crm"), 0, -1, withscores=True)
    timed: Any = client.zrange(keys.timed("crm"), 0, -1, withscores=True)
    scores = dict(full) | dict(timed)
    assert scores[b"waits"] <= now + 1000
    assert scores[b"retries"] <= now + 300_000
    assert scores[b"dead"] <= now + 30_000
    assert float(client.hget(keys.integration("crm"), "hold_until") or 0) <= now + 300_000
    assert float(client.hget(keys.connector("db"), "open_until") or 0) <= now + 10_000
    assert (client.zscore(keys.next("db"), "crm") or 0) <= now + 1000
    assert client.exists(keys.rescore) == 0


def test_whose_only_lane_is_held_by_the_dead_of_another_clock_is_looked_at_in_time(bench: Bench) -> None:
    """Its lease was put right, and the time from which its integration is worth a look was not."""
    ahead = int(bench.redis.time()[0]) * 1000 + HOUR_MS
    bench.append(10, ms=ahead)
    keys, client = bench.keys, bench.redis
    client.hset(keys.lane("crm", "7"), mapping={"owner": "dead", "until": ahead + 30_000, "to": "x"})
    client.zadd(keys.full("crm"), {"7": ahead + 30_000})
    client.zadd(keys.next("db"), {"crm": ahead + 30_000})
    client.hset(keys.rescore, "crm", "timed 0")
    rescored(bench)
    now = int(client.time()[0] + 1) * 1000
    assert (client.zscore(keys.next("db"), "crm") or 0) <= now + 30_000


def test_a_lane_that_is_given_back_untried_waits_for_no_retry_of_another_clock(bench: Bench) -> None:
    """It was at work while the times were put right, and had failed before by a clock an hour ahead."""
    bench.append(10)
    claimed = bench.claim()
    keys, client = bench.keys, bench.redis
    ahead = int(client.time()[0]) * 1000 + HOUR_MS
    client.hset(keys.lane("crm", "7"), "retry", ahead)
    client.hset(keys.rescore, "crm", "timed 0")
    rescored(bench)
    assert isinstance(claimed, Claimed)
    assert bench.lanes().release(Release("crm", "7", claimed.claim))
    # Five minutes from when that was done, at the most; `ahead` was read before, and in whole seconds.
    assert (client.zscore(keys.full("crm"), "7") or 0) <= (int(client.time()[0]) + 1) * 1000 + 300_000


def test_the_clock_is_not_taken_for_set_back_while_it_goes_on(bench: Bench) -> None:
    bench.append(1)
    for n in range(3):
        bench.lanes().tick(f"p{n}", "task")
    assert bench.redis.exists(bench.keys.rescore) == 0
    assert bench.redis.hexists(bench.keys.seen, "clock")


def test_many_lanes_are_put_right_some_at_a_time(bench: Bench) -> None:
    now = int(bench.redis.time()[0]) * 1000
    runs = [
        Run(f"s{n}", 1, now, "", "", pack("n", [Operation(now, n, 0, Kind.ADD, None, b'{"_id":"1"}')]), ["crm"])
        for n in range(600)
    ]
    assert bench.lanes("router").append(Move("router", bench.take_route(), f"{now}-600|0", f"{now}-600", runs=runs))
    bench.redis.hset(bench.keys.integration("crm"), "size", 1)
    bench.redis.hset(bench.keys.rescore, "crm", "timed 0")
    steps = 0
    while bench.lanes().rescore():
        steps += 1
    assert steps > 2
    assert bench.redis.zcard(bench.keys.timed("crm")) == 0
    assert bench.redis.zcard(bench.keys.full("crm")) == 600
    assert isinstance(bench.claim(), Claimed)


def test_what_an_orphan_owes_refuses_no_producer(bench: Bench) -> None:
    """`apply --drop` while a settlement is in flight: its mark came back, and nothing took it away."""
    bench.redis.hset(bench.keys.integration("crm"), mapping={"max_backlog": 5})
    last = bench.append(20)
    claimed = bench.claim()
    bench.redis.hset(bench.keys.integration("crm"), mapping={"active": 0, "orphaned": 1})  # as `apply` does
    bench.redis.delete(bench.keys.full_marks)
    bench.settle(claimed, f"{NOW:013d}{10:07d}{0:07d}", 10, held=10, next_ms=NOW)
    assert last
    assert bench.redis.exists(bench.keys.full_marks) == 0
