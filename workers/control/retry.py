"""`segsync retry`: what waits for its next try is tried at once.

Whoever has mended a table or a password need not wait for the next probe. Nothing is lifted: a hold stays one until a
probe has worked, and only the time of that probe comes now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workers.control.pause import UnknownIntegration
from workers.lanes.answers import field_of, integer_of, members_of, scan_members
from workers.lanes.bell import ring
from workers.lanes.clock import redis_ms
from workers.settings.spelling import nearest

if TYPE_CHECKING:
    from redis import Redis

    from workers.lanes.keys import Keys

STEP: Final = 500
"""Lanes that are looked at in one script, so that Redis is never kept busy for long."""

# The DEL lets a full Redis run what follows (rule 5). A time that has passed already stays: somebody is at it.
_SOONER: Final = """
redis.call('DEL', KEYS[1])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local sooner = 0
for i = 2, #KEYS do
  for _, field in ipairs({ 'hold_until', 'open_until' }) do
    local at = redis.call('HGET', KEYS[i], field)
    if at then
      sooner = sooner + 1
      if tonumber(at) > now then redis.call('HSET', KEYS[i], field, now) end
    end
  end
end
return sooner
"""
# A lane that failed has a retry time; one that only waits for its timeout has none, and one that is served is left.
_LANES: Final = """
redis.call('DEL', KEYS[1])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local sooner = 0
for i = 2, #ARGV do
  local lane, segment = KEYS[i + 3], ARGV[i]
  local at = redis.call('HMGET', lane, 'retry', 'owner')
  if at[1] and not at[2] then
    redis.call('HDEL', lane, 'retry')
    redis.call('ZADD', KEYS[2], 'XX', 'CH', now, segment)
    redis.call('ZADD', KEYS[3], 'XX', 'CH', now, segment)
    redis.call('ZADD', KEYS[4], 'LT', now, ARGV[1])
    sooner = sooner + 1
  end
end
return sooner
"""


@dataclass(frozen=True, slots=True)
class Sooner:
    """What is tried at once: holds and open circuits of integrations and connectors, and lanes."""

    holds: int
    lanes: int


def retry(redis: Redis, keys: Keys, name: str) -> Sooner:
    """Has an integration, or a connector and all its integrations, tried at once, and wakes the workers.

    Raises UnknownIntegration for a name that is neither, redis.RedisError.
    """
    integrations, connectors = members_of(redis, keys.integrations), members_of(redis, keys.connectors)
    if name not in integrations | connectors:
        hint = nearest(name, integrations | connectors) or "; nothing has been applied yet"
        raise UnknownIntegration(f"no integration and no connector {name!r}{hint}")
    tried = [key for key in sorted(integrations) if key == name or _connector_of(redis, keys, key) == name]
    through = {_connector_of(redis, keys, key) for key in tried} | ({name} & connectors)
    held = [*map(keys.integration, tried), *map(keys.connector, sorted(through - {""}))]
    holds = integer_of(redis.eval(_SOONER, len(held) + 1, keys.nothing, *held))
    lanes = sum(_hurry_lanes(redis, keys, key) for key in tried)
    ring(redis, keys)
    return Sooner(holds, lanes)


def _connector_of(redis: Redis, keys: Keys, integration: str) -> str:
    return field_of(redis, keys.integration(integration), "connector") or ""


def _hurry_lanes(redis: Redis, keys: Keys, integration: str) -> int:
    sets = (keys.full(integration), keys.timed(integration))
    looks = keys.next(_connector_of(redis, keys, integration))
    now, hurried = redis_ms(redis), 0
    for page in (page for name in sets for page in scan_members(redis, name)):
        waiting = [segment for segment, due in page if due > now]
        for start in range(0, len(waiting), STEP):
            segments = waiting[start : start + STEP]
            lanes = (keys.lane(integration, segment) for segment in segments)
            names = (keys.nothing, *sets, looks, *lanes)
            hurried += integer_of(redis.eval(_LANES, len(names), *names, integration, *segments))
    return hurried
