"""The clock that matters: Redis's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis import Redis


def redis_ms(redis: Redis) -> int:
    """Redis's time in Unix milliseconds. Raises redis.RedisError."""
    seconds, micros = redis.time()
    return seconds * 1000 + micros // 1000
