"""How near the intake is to its own limit, `[intake] max` (rule 31)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.lanes.answers import number_of
from workers.monitoring.need import WARN_AT, Need
from workers.settings.published import INTAKE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

    from workers.lanes.keys import Keys


def needs_of_intake(redis: Redis, keys: Keys, waiting: int) -> Iterator[Need]:
    """What needs someone where `waiting` events wait to be routed. redis.RedisError."""
    most = number_of(redis.hget(keys.limits, INTAKE_LIMIT))
    if most is None or waiting < WARN_AT * most:
        return
    if waiting >= most:
        sentence = f"producers are refused: {waiting:,} events wait to be routed, and [intake] max is {most:,}"
        yield Need("intake limit", sentence)
    else:
        yield Need("intake limit", f"{waiting:,} events wait to be routed, {waiting / most:.0%} of [intake] max")
