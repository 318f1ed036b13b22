"""Since when the ledger cannot be written to, how often it was tried, and why: in Redis, for `status` and the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workers.lanes.answers import fields_of
from workers.lanes.clock import redis_ms
from workers.log import LEDGER_AWAY, LEDGER_BACK, tell

if TYPE_CHECKING:
    from redis import Redis

    from workers.lanes.keys import Keys

# The DEL lets a full Redis run what follows (rule 5).
_FAILED: Final = """
redis.call('DEL', KEYS[2])
redis.call('HSETNX', KEYS[1], 'since', ARGV[1])
redis.call('HSET', KEYS[1], 'last', ARGV[1], 'why', ARGV[2])
return redis.call('HINCRBY', KEYS[1], 'tries', 1)
"""


@dataclass(frozen=True, slots=True)
class Trouble:
    """An outage of the ledger; times in Unix milliseconds."""

    since: int
    tries: int
    why: str
    last: int


def trouble(redis: Redis, keys: Keys) -> Trouble | None:
    """The outage that lasts, as whoever writes to the ledger has it; None while all is well. redis.RedisError."""
    fields = fields_of(redis, keys.ledger_trouble)
    if not fields:
        return None
    since, tries, why, last = (fields.get(name, "0") for name in ("since", "tries", "why", "last"))
    return Trouble(int(since), int(tries), why, int(last))


def failed(redis: Redis, keys: Keys, error: Exception) -> None:
    """Notes a failure; the first of an outage is a line in the log. redis.RedisError."""
    names = (keys.ledger_trouble, keys.nothing)
    if redis.eval(_FAILED, 2, *names, redis_ms(redis), str(error)) == 1:
        tell(LEDGER_AWAY, error=error)


def worked(redis: Redis, keys: Keys) -> None:
    """Ends an outage, and says so in the log. redis.RedisError."""
    found = trouble(redis, keys)
    if found is not None and redis.delete(keys.ledger_trouble):
        tell(LEDGER_BACK, seconds=(redis_ms(redis) - found.since) / 1000, tries=found.tries)
