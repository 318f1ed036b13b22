"""Which workers are there: each says every few seconds what it is called, what it takes from its queues, and its time.

So `status` need not ask them through Celery, which takes as long as the slowest might need to answer, and half a second
to load. Who has fallen silent is there no more, after FRESH_MS.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workers.lanes.answers import fields_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis import Redis

    from workers.lanes.keys import Keys

FRESH_MS: Final = 12_000
"""A worker says it every five seconds; what is older was said by one that has ended, hangs, or does not reach Redis."""
KEPT_MS: Final = 60_000
"""After so long what a silent one has said is removed."""

# The DEL lets a full Redis run what follows (rule 5).
_SAY: Final = """
redis.call('DEL', KEYS[1])
local clock, said = redis.call('TIME'), redis.call('HGETALL', KEYS[2])
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
for i = 1, #said, 2 do
  local at = tonumber(string.match(said[i + 1], '^%d+')) or 0
  if math.abs(now - at) > tonumber(ARGV[3]) then redis.call('HDEL', KEYS[2], said[i]) end
end
redis.call('HSET', KEYS[2], ARGV[1], string.format('%.0f ', now) .. ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
"""


@dataclass(frozen=True, slots=True)
class Worker:
    """What one worker says of itself.

    name     as Celery knows it: "crm@host"
    queues   that it takes from; none while it does not reach its broker
    ahead_s  seconds that its host's clock is ahead of Redis's; negative: behind
    """

    name: str
    queues: tuple[str, ...]
    ahead_s: float

    @property
    def host(self) -> str:
        """Where it runs."""
        return self.name.rpartition("@")[2]


def say(redis: Redis, keys: Keys, own: str, name: str, queues: Iterable[str]) -> None:
    """Says that a worker is there. redis.RedisError.

    own  an id of the process: two may have been given one name
    """
    told = f"{time.time() * 1000:.0f} {name} {','.join(sorted(queues))}"
    redis.eval(_SAY, 2, keys.nothing, keys.workers, own, told, KEPT_MS)


def leave(redis: Redis, keys: Keys, own: str) -> None:
    """Says that it takes nothing more. redis.RedisError."""
    redis.hdel(keys.workers, own)


def present(redis: Redis, keys: Keys, now: int) -> list[Worker]:
    """Who is there at `now` (Redis milliseconds), by name. redis.RedisError."""
    found = []
    for said in fields_of(redis, keys.workers).values():
        at, clock, name, queues = said.split(" ", 3)
        if abs(now - int(at)) < FRESH_MS:
            found.append(Worker(name, tuple(filter(None, queues.split(","))), (int(clock) - int(at)) / 1000))
    return sorted(found, key=lambda each: each.name)
