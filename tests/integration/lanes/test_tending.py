"""What a connector owes beside its lanes: an ad account's store, of which no lane knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.lanes import Lanes
from workers.lanes.clock import redis_ms
from workers.lanes.keys import Keys
from workers.lanes.tending import LONGEST_MS, tend_again

if TYPE_CHECKING:
    import redis

    from workers.lanes.messages import Tick


def looked(redis_client: redis.Redis, namespace: str) -> Tick:
    return Lanes(redis_client, namespace, 1, "me").tick("t:", "pulse")


def prepared(redis_client: redis.Redis, namespace: str) -> Keys:
    keys = Keys(namespace)
    redis_client.hset(keys.config, "revision", 1)
    redis_client.sadd(keys.connectors, "ya", "crm")
    redis_client.hset(keys.connector("ya"), mapping={"parallelism": 4, "ads": 1})
    redis_client.hset(keys.connector("crm"), mapping={"parallelism": 4, "ads": 0})
    return keys


def test_an_ad_account_is_woken_when_it_is_due_and_no_database_is(redis_client: redis.Redis, namespace: str) -> None:
    keys = prepared(redis_client, namespace)
    assert [wake.queue for wake in looked(redis_client, namespace).wakes] == ["deliver.ya"]
    redis_client.delete(keys.permits("deliver.ya"))
    tend_again(redis_client, keys, "ya", redis_ms(redis_client) + 30_000)
    later = looked(redis_client, namespace)
    assert not later.wakes
    assert later.sleep_ms <= 30_000


def test_it_is_never_left_alone_for_long(redis_client: redis.Redis, namespace: str) -> None:
    keys = prepared(redis_client, namespace)
    for due in (None, redis_ms(redis_client) + 86_400_000):
        tend_again(redis_client, keys, "ya", due)
        noted = int(redis_client.hget(keys.connector("ya"), "tend") or 0)
        assert noted <= redis_ms(redis_client) + LONGEST_MS
    redis_client.hset(keys.connector("ya"), "tend", redis_ms(redis_client) + 86_400_000)
    assert not looked(redis_client, namespace).wakes
    noted = int(redis_client.hget(keys.connector("ya"), "tend") or 0)
    assert noted <= redis_ms(redis_client) + LONGEST_MS


def test_a_held_login_is_only_probed(redis_client: redis.Redis, namespace: str) -> None:
    keys = prepared(redis_client, namespace)
    redis_client.hset(keys.connector("ya"), "hold_until", redis_ms(redis_client) + 60_000)
    assert not looked(redis_client, namespace).wakes
