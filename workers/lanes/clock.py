"""The clock that matters: Redis's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redis import Redis


def redis_ms(redis: Redis) -> int:
    """Redis's time in Unix milliseconds. Raises redis.RedisError."""
    answer: Any = redis.time()  # redis-py types an answer as one, or a promise of one
    seconds, micros = answer
    return int(seconds) * 1000 + int(micros) // 1000
