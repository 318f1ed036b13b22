"""How old a time is that stands in Redis, whoever set a clock or chose a number."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from workers.lanes.answers import number_of

if TYPE_CHECKING:
    from redis import Redis

    from workers.lanes.keys import Keys

CLOCK_SLACK_MS: Final = 5_000
"""How far ahead a time may be that was written a moment ago: clocks are set right now and then."""


def age_s(now: int, at: int | None) -> float | None:
    """Seconds between two times in milliseconds; a clock that was set back makes no negative age."""
    return None if at is None else max(0, now - at) / 1000


def moment_of(milliseconds: str | int | None) -> datetime | None:
    """Unix milliseconds, as scripts write them, as a time; None for none."""
    return None if not milliseconds else datetime.fromtimestamp(float(milliseconds) / 1000, UTC)


def looked_s(redis: Redis, keys: Keys, who: str, now: int) -> float | None:
    """Seconds since "pulse" or "beat" looked last. redis.RedisError.

    None for never, and for a time to come: the clock was set back, and nobody has looked since.
    """
    at = number_of(redis.hget(keys.seen, who))
    return None if at is None or at > now + CLOCK_SLACK_MS else age_s(now, at)
