"""What waits in a stream of segsync's own, the intake or the outcomes, and whether it moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workers.lanes.answers import entries_of, field_of, length_of, some_fields_of
from workers.monitoring.ages import age_s

if TYPE_CHECKING:
    from redis import Redis

    from workers.lanes.keys import Keys

STUCK_SECONDS: Final = 15.0
"""How long an event may wait to be routed, or an outcome to be written down: both take well below a second."""
TAKEN_SECONDS: Final = 45.0
"""The same while somebody has the lease of it, who may have been killed: it runs out after 30 s."""


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """What waits in the intake to be routed, or in the outcomes to be written down; and the oldest one's age.

    why       what whoever moved it last says of it; "" where nothing is to be said
    is_stuck  whether the oldest has waited for longer than it may, and nothing moved while `status` looked
    """

    events: int
    oldest_age_s: float | None
    why: str = ""
    is_stuck: bool = False


def oldest(redis: Redis, key: str) -> str | None:
    """The id of a stream's first entry; None where there is none. redis.RedisError."""
    first = entries_of(redis, key, 1)
    return first[0].id if first else None


def _since(redis: Redis, keys: Keys, first: str, now: int) -> int:
    """Since when an entry has waited: its id says so, unless it lies ahead of the clock; then whoever saw it first."""
    at = int(first.partition("-")[0])
    if at <= now:
        return at
    id_, _, seen = (field_of(redis, keys.seen, "ahead") or "").partition(" ")
    return int(seen) if id_ == first else at


def read_stream(redis: Redis, keys: Keys, key: str, lease: str, before: str | None, now: int) -> StreamStatus:
    """The stream `key` at `now` (Redis milliseconds). redis.RedisError.

    lease   of whoever moves it
    before  its first entry a moment ago
    """
    first = oldest(redis, key)
    age = None if first is None else age_s(now, _since(redis, keys, first, now))
    until, why = some_fields_of(redis, keys.lease(lease), ("until", "why"))
    patience = TAKEN_SECONDS if float(until or 0) > now else STUCK_SECONDS
    stuck = age is not None and age > patience and first == before
    return StreamStatus(length_of(redis, key), age, "" if why is None or why == "all is done" else why, stuck)
