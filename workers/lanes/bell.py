"""The bell: a stream of one entry that wakes every pulse at once (rule 26b)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from redis import Redis

    from workers.lanes.keys import Keys

# The DEL lets a full Redis run what follows (rule 5).
_RING: Final = """
redis.call('DEL', KEYS[2])
redis.call('XADD', KEYS[1], 'MAXLEN', 1, '*', 'r', '1')
"""


def ring(redis: Redis, keys: Keys) -> None:
    """Makes every pulse look at all due times now; for commands that make something due. Raises redis.RedisError."""
    redis.eval(_RING, 2, keys.bell, keys.nothing)
