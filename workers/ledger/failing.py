"""Which lanes failed last, by their outcomes: so `status` finds one among thousands that only wait for their timeout.

Kept in Redis beside the lanes, one set for each integration, and written by whoever writes outcomes to the ledger. It
is a hint and no more: whether a lane still fails its own hash says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers.outcomes import Delivery

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis import Redis

    from workers.lanes.keys import Keys
    from workers.outcomes import Record

KEPT_MS: Final = 3_600_000
"""A lane that fails is tried every five minutes at least, and noted again: what is older has gone untold."""

# The DEL lets a full Redis run what follows (rule 5).
_NOTE: Final = """
redis.call('DEL', KEYS[1])
local clock, failed = redis.call('TIME'), tonumber(ARGV[2])
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
for i = 3, #ARGV do
  if i - 2 <= failed then redis.call('ZADD', KEYS[2], now, ARGV[i]) else redis.call('ZREM', KEYS[2], ARGV[i]) end
end
for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[1])) do
  redis.call('ZREM', KEYS[2], old)
end
redis.call('PEXPIRE', KEYS[2], ARGV[1])
"""


def key_of(namespace: str, integration: str) -> str:
    """A sorted set of segments, by when they failed last."""
    return f"{namespace}:failing:{integration}"


def note(redis: Redis, keys: Keys, records: Iterable[Record]) -> None:
    """Notes how each lane's last try ended, of these in their order. redis.RedisError."""
    last: dict[str, dict[str, bool]] = {}
    for record in records:
        # What was folded has no segment; where all was merged nothing was tried, and a compaction tells nothing.
        if isinstance(record, Delivery) and record.segment and record.operations > record.merged:
            last.setdefault(record.integration, {})[record.segment] = record.outcome != "delivered"
    pipe = redis.pipeline(transaction=False)
    for integration, segments in last.items():
        failed = [segment for segment, is_failed in segments.items() if is_failed]
        passed = [segment for segment, is_failed in segments.items() if not is_failed]
        names = keys.nothing, key_of(keys.namespace, integration)
        pipe.eval(_NOTE, len(names), *names, KEPT_MS, len(failed), *failed, *passed)
    pipe.execute()
