"""Workers say that they are there; who says nothing any more is not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.integration.place import integration
from workers import presence
from workers.lanes.clock import redis_ms
from workers.monitoring.consumers import Consumers, ask

if TYPE_CHECKING:
    from tests.integration.place import Place

ALL = ("deliver.db", "route", "upkeep")


def nobody() -> Consumers:
    return Consumers(0, {})


def never() -> Consumers:
    pytest.fail("nobody needs to be asked")


@pytest.fixture
def applied(place: Place) -> Place:
    place.publish(integration())
    return place


def test_workers_that_say_what_they_take_are_not_asked(applied: Place) -> None:
    for own in ("1", "2"):  # two of one name are two
        presence.say(applied.redis, applied.keys, own, "all@here", ALL)
    presence.say(applied.redis, applied.keys, "3", "more@there", ["route"])
    found = ask(applied.redis, applied.keys, never, 0)
    assert found.workers == 3
    assert {each.name: each.consumers for each in found.queues} == {"route": 3, "upkeep": 2, "deliver.db": 2}


def test_they_are_asked_where_a_queue_seems_unserved(applied: Place) -> None:
    presence.say(applied.redis, applied.keys, "1", "some@here", ["route", "upkeep"])
    assert ask(applied.redis, applied.keys, nobody, 0).workers == 0
    presence.say(applied.redis, applied.keys, "1", "some@here", ALL)
    assert ask(applied.redis, applied.keys, nobody, 0).workers == 1
    presence.leave(applied.redis, applied.keys, "1")
    assert ask(applied.redis, applied.keys, nobody, 0).workers == 0


def test_who_has_fallen_silent_is_not_there_and_forgotten(applied: Place) -> None:
    redis, keys = applied.redis, applied.keys
    presence.say(redis, keys, "1", "all@here", ALL)
    now = redis_ms(redis)
    assert [each.queues for each in presence.present(redis, keys, now)] == [ALL]
    assert presence.present(redis, keys, now + presence.FRESH_MS + 1_000) == []
    redis.hset(keys.workers, "old", f"{now - presence.KEPT_MS - 1_000} {now} old@here route")
    presence.say(redis, keys, "1", "all@here", ALL)
    assert redis.hkeys(keys.workers) == [b"1"]


def test_how_far_a_clock_is_off_is_told(applied: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    redis, keys, real = applied.redis, applied.keys, time.time
    monkeypatch.setattr(time, "time", lambda: real() + 3_600)
    presence.say(redis, keys, "1", "all@here", ALL)
    (worker,) = presence.present(redis, keys, redis_ms(redis))
    assert (worker.host, round(worker.ahead_s / 60)) == ("here", 60)
