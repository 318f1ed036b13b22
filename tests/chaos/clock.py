"""A clock of Redis's host that is set back: seen from its data, everything that is written is ahead of the clock.

Nobody can set the clock of one process. So what Redis holds is moved into the future instead: every time in a sorted
set or a hash, and the last ids of streams; but for the intake, whose ids the pusher gives, and takes a refused one for
one that it has sent before. No other name of a key or field is known here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.chaos.faults import Scene

SHIFT = """
local namespace, shift = ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000
local function is_time(value)
  local number = string.match(value, '^%d+%.?%d*$') and tonumber(value)
  return number and math.abs(number - now) < 86400000
end
for _, name in ipairs(redis.call('KEYS', namespace .. ':*')) do
  local kind = redis.call('TYPE', name).ok
  if kind == 'zset' then
    local found = redis.call('ZRANGE', name, 0, -1, 'WITHSCORES')
    for i = 1, #found, 2 do
      if is_time(found[i + 1]) then redis.call('ZINCRBY', name, shift, found[i]) end
    end
  elseif kind == 'hash' then
    local found = redis.call('HGETALL', name)
    for i = 1, #found, 2 do
      if is_time(found[i + 1]) then redis.call('HINCRBY', name, found[i], shift) end
    end
  elseif kind == 'stream' and name ~= ARGV[3] then
    local info = redis.call('XINFO', 'STREAM', name)
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then
        local ms, n = string.match(info[i + 1], '(%d+)-(%d+)')
        redis.call('XSETID', name, string.format('%.0f-%s', ms + shift, n))
      end
    end
  end
end
"""


def set_back(scene: Scene) -> None:
    """Redis's clock falls, by a minute or by an hour; for some by as much as the round lasts."""
    shift = scene.chance.choice((2_000, 60_000, 3_600_000))
    session = scene.session
    session.redis.eval(SHIFT, 0, session.namespace, shift, session.keys.events)
    scene.tell(f"the clock is set back by {shift} ms")
