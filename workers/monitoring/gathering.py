"""What Redis knows of many integrations, read in few rounds.

A script gathers it there, as each command of its own costs its sender many times what it costs Redis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from workers.lanes.answers import number_of, text_fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis import Redis

    from workers.lanes.keys import Keys

AT_ONCE: Final = 200
"""Integrations in one script: some milliseconds in which Redis does nothing else."""
LANES_AT_ONCE: Final = 2_000
"""Sampled lanes that one script may read at the most, likewise."""

_GATHER: Final = """
local prefix, sample, some, found = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), {}
for i = 4, #ARGV do
  local name, lanes, seen = ARGV[i], {}, {}
  local resync, cards = prefix .. ':resync:' .. name, 0
  local function look(segment)
    if seen[segment] then return end
    seen[segment] = true
    local lane = prefix .. ':lane:' .. name .. ':' .. segment
    lanes[#lanes + 1] = { segment,
      redis.call('HMGET', lane, 'head', 'attempts', 'retry', 'failing', 'limit', 'why', 'hold') }
  end
  for _, which in ipairs({ ':full', ':timed' }) do
    local due = prefix .. ':due:' .. name .. which
    cards = cards + redis.call('ZCARD', due)
    for _, ends in ipairs({ { 0, sample - 1 }, { -sample, -1 } }) do
      for _, segment in ipairs(redis.call('ZRANGE', due, ends[1], ends[2])) do
        look(segment)
      end
    end
  end
  for _, segment in ipairs(redis.call('ZRANGE', prefix .. ':failing:' .. name, -sample, -1)) do look(segment) end
  found[#found + 1] = { redis.call('HGETALL', prefix .. ':int:' .. name), redis.call('SCARD', resync),
    redis.call('SRANDMEMBER', resync, some), cards, lanes }
end
return found
"""


@dataclass(frozen=True, slots=True)
class SampledLane:
    """What a sampled lane says.

    head     the first owed operation's stream time
    failing  since when it fails, in Redis milliseconds; None where it does not
    limit    the most operations that its next batch may have; None: as many as configured
    why      of the last failed try, as code and our sentence
    hold     why it is held; "" where it is not
    """

    segment: str
    head: int | None
    attempts: int
    retry: int
    failing: int | None
    limit: int | None
    why: str
    hold: str


@dataclass(frozen=True, slots=True)
class Gathered:
    """One integration as Redis has it.

    facts            its hash
    needs_resync     how many segments do; `resync_segments` are some of them
    lanes            segments that it owes something
    sampled          lanes at both ends of its due sets, and those that failed last
    """

    key: str
    facts: dict[str, str]
    needs_resync: int
    resync_segments: tuple[str, ...]
    lanes: int
    sampled: list[SampledLane]


def gather(redis: Redis, keys: Keys, names: Sequence[str], sample: int, some: int) -> list[Gathered]:
    """What is known of these integrations, in their order. redis.RedisError.

    sample  lanes at each end of a due set
    some    segments in need of a resync that are named
    """
    at_once = max(1, min(AT_ONCE, LANES_AT_ONCE // (5 * sample)))
    found: list[Gathered] = []
    for start in range(0, len(names), at_once):
        part = names[start : start + at_once]
        answers: Any = redis.eval(_GATHER, 0, keys.namespace, sample, some, *part)
        found += [_read(name, *answer) for name, answer in zip(part, answers, strict=True)]
    return found


def _read(name: str, fields: list[bytes], resync: int, some: list[bytes], lanes: int, sampled: list[Any]) -> Gathered:
    facts = text_fields(dict(zip(fields[::2], fields[1::2], strict=True)))
    segments = tuple(sorted(segment.decode() for segment in some))
    return Gathered(name, facts, resync, segments, lanes, [_lane(*each) for each in sampled])


def _lane(segment: bytes, values: list[bytes | None]) -> SampledLane:
    head, attempts, retry, failing, limit, why, hold = values
    times = number_of(head), number_of(attempts) or 0, number_of(retry) or 0, number_of(failing)
    return SampledLane(segment.decode(), *times, number_of(limit), (why or b"").decode(), (hold or b"").decode())
