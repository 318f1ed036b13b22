"""When the pulse and beat last had every wake-up sent that was due; `status` judges by it whether anybody looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from redis import Redis

    from workers.lanes.keys import Keys

# The DEL lets a full Redis run what follows (rule 5): it is then that somebody must go on looking.
_LOOKED: Final = """
redis.call('DEL', KEYS[1])
local clock = redis.call('TIME')
redis.call('HSET', KEYS[2], ARGV[1], clock[1] * 1000 + math.floor(clock[2] / 1000))
"""


def looked(redis: Redis, keys: Keys, who: str) -> None:
    """Says that all wake-ups of a tick are sent; without any the tick says so itself. redis.RedisError.

    who  "pulse" or "beat"
    """
    redis.eval(_LOOKED, 2, keys.nothing, keys.seen, who)
