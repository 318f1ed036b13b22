"""One router at a time: its lease is left whatever happens, and only a process's death counts as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from redis import ConnectionError as RedisConnectionError
from redis import TimeoutError as RedisTimeoutError

from tests.integration.desk import add
from workers.lanes import Lanes
from workers.lanes.lease import ROUTE, UPKEEP, Leases
from workers.lanes.store import LEASE_MS, LONGEST_SLEEP_MS

if TYPE_CHECKING:
    from tests.integration.desk import Desk

HOUR_MS = 3_600_000


def lanes(desk: Desk, owner: str = "me") -> Lanes:
    return Lanes(desk.redis, desk.keys.namespace, 1, owner)


def test_errors_of_redis_are_no_deaths_of_the_router(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three time-outs between taking the routing and append, and an innocent event went to the quarantine."""
    desk.push(add("1"))
    for error in (RedisTimeoutError, RedisConnectionError, RedisTimeoutError, RedisConnectionError):
        router = desk.router()
        monkeypatch.setattr(router._lanes, "read", _raising(error))
        with pytest.raises(error):
            router.turn("t", 30)
        assert not desk.redis.hexists(desk.keys.lease(ROUTE), "owner")
    desk.route()
    assert desk.ids() == ["1"]
    assert desk.records() == []


def _raising(error: type[Exception]) -> Any:
    def raises(*_: object) -> Any:
        raise error

    return raises


def test_a_lease_that_redis_could_not_be_told_of_is_left_before_the_next_is_taken(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = lanes(desk)
    leases = Leases(lambda: mine)
    with monkeypatch.context() as patched, leases.hold(ROUTE, "t"):
        patched.setattr(mine, "leave_lease", _raising(RedisConnectionError))
        patched.setattr(leases, "_start", lambda: None)
    assert desk.redis.hexists(desk.keys.lease(ROUTE), "owner")
    with leases.hold(ROUTE, "t") as held:
        assert held is not None
        assert held.deaths == 0


def test_a_lease_whose_taking_was_not_answered_is_left(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = lanes(desk)
    leases = Leases(lambda: mine)
    take = mine.take_lease

    def lost(*arguments: str) -> Any:
        take(*arguments)
        raise RedisTimeoutError

    monkeypatch.setattr(leases, "_start", lambda: None)
    with monkeypatch.context() as patched:
        patched.setattr(mine, "take_lease", lost)
        with pytest.raises(RedisTimeoutError):
            leases.hold(ROUTE, "t").__enter__()
    with leases.hold(ROUTE, "t") as held:
        assert held is not None


def test_whoever_was_taken_for_dead_says_that_it_lives(desk: Desk) -> None:
    """Redis could not be told for longer than a lease lasts."""
    lanes(desk).take_lease(ROUTE, "slow", "t")
    desk.redis.hset(desk.keys.lease(ROUTE), "until", 0)
    assert lanes(desk).take_lease(ROUTE, "next", "t") == 1
    lanes(desk).leave_lease(ROUTE, "slow")
    lanes(desk).leave_lease(ROUTE, "slow")
    lanes(desk).leave_lease(ROUTE, "next")
    assert lanes(desk).take_lease(ROUTE, "third", "t") == 0


def test_a_command_that_was_sent_twice_is_answered_as_it_was(desk: Desk) -> None:
    assert lanes(desk).take_lease(ROUTE, "one", "t") == 0
    assert lanes(desk).take_lease(ROUTE, "one", "t") == 0
    assert lanes(desk).take_lease(ROUTE, "two", "t") is None


def test_an_append_that_was_sent_twice_moves_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.push(add("1"), add("2"))
    router = desk.router()
    append = router._lanes.append
    monkeypatch.setattr(router._lanes, "append", lambda move: append(move) and append(move))
    assert router.turn("t", 30) == 2
    assert desk.ids() == ["1", "2"]


def test_a_lease_lives_as_long_as_its_task(desk: Desk) -> None:
    mine = lanes(desk)
    leases = Leases(lambda: mine)
    with leases.hold(UPKEEP, "t"):
        desk.redis.hset(desk.keys.lease(UPKEEP), "until", 0)
        leases.keep_all()
        assert lanes(desk, "other").take_lease(UPKEEP, "other", "t") is None
    assert lanes(desk, "other").take_lease(UPKEEP, "other", "t") == 0


def test_nobody_is_woken_for_what_a_dead_router_holds(desk: Desk) -> None:
    """Its permit was given back at once and sent again, fifty times a second, until the lease ended."""
    desk.push(add("1"))
    lanes(desk).take_lease(ROUTE, "dead", "t")
    looks = [lanes(desk).tick("p", "pulse") for _ in range(5)]
    assert [tick.wakes for tick in looks] == [[]] * 5
    assert all(tick.sleep_ms >= 500 for tick in looks)
    desk.redis.hset(desk.keys.lease(ROUTE), "until", 0)
    assert [wake.queue for wake in lanes(desk).tick("p", "pulse").wakes] == ["route"]


def test_a_lease_from_the_future_lasts_no_longer_than_one_from_now(desk: Desk) -> None:
    """A clock that was set back, or set forward for a moment, must not stop the routing until it has caught up."""
    desk.push(add("1"))
    lanes(desk).take_lease(ROUTE, "dead", "t")
    seconds, _ = desk.redis.time()
    desk.redis.hset(desk.keys.lease(ROUTE), "until", seconds * 1000 + HOUR_MS)
    assert lanes(desk).tick("p", "pulse").sleep_ms <= LONGEST_SLEEP_MS
    until = float(desk.redis.hget(desk.keys.lease(ROUTE), "until"))
    assert until <= (desk.redis.time()[0] + 1) * 1000 + LEASE_MS


def test_a_permit_from_the_future_lasts_no_longer_than_one_from_now(desk: Desk) -> None:
    desk.push(add("1"))
    seconds, _ = desk.redis.time()
    permits = desk.keys.permits("route")
    desk.redis.zadd(permits, {"from the future": seconds * 1000 + HOUR_MS})
    assert lanes(desk).tick("p", "pulse").wakes == []
    assert desk.redis.zscore(permits, "from the future") <= (desk.redis.time()[0] + 1) * 1000 + LEASE_MS // 3
