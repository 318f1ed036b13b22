"""Who serves Celery's queues: asked again before it is called nobody; and when somebody looked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.place import integration
from workers.lanes.clock import redis_ms
from workers.lanes.keys import Keys
from workers.lanes.seen import looked as looked_now
from workers.monitoring.ages import looked_s
from workers.monitoring.consumers import Consumers, ask
from workers.settings import lacking

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.place import Place
    from tests.servers.redis import RedisServer

HOUR_MS = 3_600_000


@pytest.fixture
def looked(place: Place) -> Place:
    """Applied, and its pulse looks."""
    place.publish(integration()).looked("pulse")
    return place


def answers(*each: Consumers) -> Callable[[], Consumers]:
    """One after the other, the last one for ever."""
    coming = list(each)
    return lambda: coming.pop(0) if len(coming) > 1 else coming[0]


ALL = Consumers(2, {"route": 1, "upkeep": 1, "deliver.db": 1})
SOME = Consumers(1, {"route": 1, "upkeep": 1})


def test_a_worker_that_answers_late_is_no_alarm(looked: Place) -> None:
    found = ask(looked.redis, looked.keys, answers(SOME, SOME, ALL), 60)
    assert (found.workers, [queue.consumers for queue in found.queues]) == (2, [1, 1, 1])


def test_who_answered_once_counts(looked: Place) -> None:
    """Each answers now and then; together they serve all."""
    found = ask(looked.redis, looked.keys, answers(SOME, Consumers(1, {"deliver.db": 1})), 60)
    assert [queue.consumers for queue in found.queues] == [1, 1, 1]


def test_nobody_is_asked_again_where_nobody_looks(looked: Place) -> None:
    looked.redis.delete(looked.keys.seen)
    asked: list[int] = []

    def nobody() -> Consumers:
        asked.append(1)
        return Consumers(0, {})

    assert ask(looked.redis, looked.keys, nobody, 60).workers == 0
    assert asked == [1]


def test_a_time_to_come_is_nobody_s_look(looked: Place) -> None:
    """Or a clock that was set back would let a dead pulse look alive for an hour."""
    now = redis_ms(looked.redis)
    assert looked_s(looked.redis, looked.keys, "pulse", now) is not None
    looked.redis.hset(looked.keys.seen, "pulse", now + HOUR_MS)
    assert looked_s(looked.redis, looked.keys, "pulse", now) is None


def test_wake_ups_that_are_not_sent_are_no_look(place: Place) -> None:
    """A broker that is away."""
    runtime = place.publish(integration())
    place.add("7", 10)
    assert runtime.tick("pulse").wakes
    now = redis_ms(place.redis)
    assert looked_s(place.redis, place.keys, "pulse", now) is None
    runtime.looked("pulse")
    assert looked_s(place.redis, place.keys, "pulse", redis_ms(place.redis)) is not None


def test_what_a_worker_lacked_that_has_ended_is_told_no_longer(place: Place) -> None:
    lacking.note(place.redis, place.keys, "w@h", {"db": "X is not set", "more": ""}, ["db", "more"])
    now = redis_ms(place.redis)
    assert lacking.noted(place.redis, place.keys, now) == {"db on w@h": "X is not set"}
    assert lacking.noted(place.redis, place.keys, now + 60_000) == {}
    lacking.note(place.redis, place.keys, "w@h", {"db": ""}, ["db"])
    assert lacking.noted(place.redis, place.keys, now) == {}


def test_somebody_looks_and_lacks_also_on_a_full_redis(own_redis: RedisServer, namespace: str) -> None:
    """It is then that somebody must go on looking."""
    redis, keys = own_redis.client(), Keys(namespace)
    redis.config_set("maxmemory", 1)
    looked_now(redis, keys, "pulse")
    assert looked_s(redis, keys, "pulse", redis_ms(redis)) is not None
    lacking.note(redis, keys, "w@h", {"db": "X is not set"}, ["db"])
    assert lacking.noted(redis, keys, redis_ms(redis)) == {"db on w@h": "X is not set"}
