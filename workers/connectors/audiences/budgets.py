"""What a login may still write: counted in Redis, for all processes and all audiences of the login.

Platforms count by the minute, the hour and the day, and do not say from when. So writes are counted in slices of a
window, and a window's slices, one more than fit, must stay below its limit. A fifth is kept for removals. What the
platform itself says (429) overrules the count.

Who is refused is told to come back when a call is free for it behind those who wait already, and within a day. With
the same moment for all, thousands would ask again for each call that comes free.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from redis import Redis

    from workers.connectors.audiences.records import BudgetWindow

KEPT_FOR_REMOVALS: Final = 5
"""One write in so many."""

_TAKE: Final = """
-- KEYS  1 a key that is never there  2 the login's hash
-- ARGV  1 now in ms, or ''  2 whether it removes  3 one in so many is kept  4 whether it only looks
--       5 how many wait before it; then for each window: seconds, writes
-- Returns the ms to wait; 0: one write is taken.
redis.call('DEL', KEYS[1])
local SLICES, DAY_MS = 20, 86400000
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local blocked = tonumber(redis.call('HGET', KEYS[2], 'blocked') or 0)
local counts, taken, windows, longest = {}, {}, {}, 0
local all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do counts[all[i]] = tonumber(all[i + 1]) end
for at = 6, #ARGV, 2 do
  local seconds, writes = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  local slice = math.max(1, math.floor(seconds * 1000 / SLICES))
  local current = math.floor(now / slice)
  local may = writes
  if ARGV[2] ~= '1' then may = math.max(1, writes - math.floor(writes / tonumber(ARGV[3]))) end
  local sum, used = 0, {}
  for field, count in pairs(counts) do
    local window, index = string.match(field, '^(%d+):(%d+)$')
    if window == ARGV[at] then
      index = tonumber(index)
      if index < current - SLICES or index > current then redis.call('HDEL', KEYS[2], field)
      else
        sum = sum + count
        used[#used + 1] = {index, count}
      end
    end
  end
  table.sort(used, function(one, other) return one[1] < other[1] end)
  windows[#windows + 1] = {slice = slice, lasts = (SLICES + 1) * slice, may = may, sum = sum, used = used}
  taken[#taken + 1] = ARGV[at] .. ':' .. string.format('%d', current)
  longest = math.max(longest, seconds)
end
local function wait_behind(ahead)
  local waits = math.max(0, blocked - now)
  for _, window in ipairs(windows) do
    local free, wait = 0, 0
    local needs = window.sum + ahead % window.may - window.may + 1
    for _, each in ipairs(window.used) do
      if free >= needs then break end
      free = free + each[2]
      wait = each[1] * window.slice + window.lasts - now
    end
    waits = math.max(waits, wait + math.floor(ahead / window.may) * window.lasts)
  end
  return waits
end
local waits = wait_behind(0)
if ARGV[4] == '1' then return waits end
if waits > 0 then return math.max(waits, math.min(wait_behind(tonumber(ARGV[5])), DAY_MS)) end
for _, field in ipairs(taken) do redis.call('HINCRBY', KEYS[2], field, 1) end
redis.call('PEXPIRE', KEYS[2], math.max(longest * 2000, 60000))
return 0
"""

_BLOCK: Final = """
redis.call('DEL', KEYS[1])
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local known = tonumber(redis.call('HGET', KEYS[2], 'blocked') or 0)
redis.call('HSET', KEYS[2], 'blocked', math.max(known, now + tonumber(ARGV[2])))
redis.call('PEXPIRE', KEYS[2], math.max(redis.call('PTTL', KEYS[2]), tonumber(ARGV[2]) + 60000))
"""


class Budget(Protocol):
    """What a login may still write."""

    def take(self, *, removes: bool = False, ahead: int = 0) -> int:
        """Takes one write and returns 0, or takes none and returns the milliseconds to wait, behind so many others."""

    def block(self, wait_ms: int) -> None:
        """The platform has had enough for so long, whatever was counted."""


class RedisBudget:
    """`Budget` of one login.

    key      of its hash; nothing: a key that is never there
    now_ms   the time, where it is not Redis's own: for tests with a clock of their own
    """

    def __init__(
        self,
        redis: Redis,
        key: str,
        nothing: str,
        windows: Sequence[BudgetWindow],
        now_ms: Callable[[], int] | None = None,
    ) -> None:
        self._redis = redis
        self._keys = (nothing, key)
        self._windows = windows
        self._now_ms = now_ms

    def take(self, *, removes: bool = False, ahead: int = 0) -> int:
        """As `Budget.take`. redis.RedisError."""
        return self._ask(removes=removes, looks=False, ahead=ahead)

    def left_in(self) -> int:
        """Milliseconds until an addition may be written; 0: now. Takes nothing. redis.RedisError."""
        return self._ask(removes=False, looks=True)

    def block(self, wait_ms: int) -> None:
        """As `Budget.block`. redis.RedisError."""
        self._redis.eval(_BLOCK, 2, *self._keys, self._now(), wait_ms)

    def _ask(self, *, removes: bool, looks: bool, ahead: int = 0) -> int:
        flat = [each for window in self._windows for each in (window.seconds, window.writes)]
        words = (self._now(), int(removes), KEPT_FOR_REMOVALS, int(looks), ahead, *flat)
        return int(cast("int", self._redis.eval(_TAKE, 2, *self._keys, *words)))

    def _now(self) -> int | str:
        return self._now_ms() if self._now_ms is not None else ""
