"""When a connector's own work is due, beside its lanes: an ad account's store owes things that no lane knows of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers.lanes.clock import redis_ms

if TYPE_CHECKING:
    from redis import Redis

    from workers.lanes.keys import Keys

LONGEST_MS: Final = 60_000
"""Milliseconds until it is looked at again at the latest: whatever dies in between, nothing is late by more."""
_NOTE: Final = """
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[2], 'tend', ARGV[1])
"""
"""A full Redis refuses a bare HSET (rule 5)."""


def tend_again(redis: Redis, keys: Keys, connector: str, due_ms: int | None) -> None:
    """A connector's own work is due then (Unix ms of Redis; None: some time). redis.RedisError."""
    latest = redis_ms(redis) + LONGEST_MS
    at = latest if due_ms is None else min(due_ms, latest)
    redis.eval(_NOTE, 2, keys.nothing, keys.connector(connector), at)
