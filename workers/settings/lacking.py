"""Secrets that a worker lacks: it takes no lane of that connector, and says so in Redis, for `status`.

One worker without a password must not hold the connector for all those that have it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from workers.errors import SettingsError
from workers.lanes.answers import fields_of
from workers.lanes.clock import redis_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from redis import Redis

    from workers.lanes.keys import Keys
    from workers.settings.connectors import AnyConnector

FRESH_MS: Final = 30_000
"""A worker says again every few seconds what it lacks; what is older was said by one that has ended."""

# The DEL lets a full Redis run what follows (rule 5).
_SAY: Final = """
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
"""


def reason(connector: AnyConnector, environ: Mapping[str, str] = os.environ) -> str:
    """Why this process cannot connect to it: every secret that is missing, no value shown; "" where none is."""
    try:
        connector.resolve(environ)
    except SettingsError as error:
        return "; ".join(str(mistake) for mistake in error.mistakes)
    return ""


def note(redis: Redis, keys: Keys, who: str, reasons: Mapping[str, str], served: Iterable[str]) -> None:
    """Says for each connector that a worker serves what it lacks, or that it lacks nothing. redis.RedisError.

    who      the worker's name
    reasons  by connector, as `reason` tells them
    """
    fine = [f"{connector} on {who}" for connector in served if not reasons.get(connector)]
    if fine:
        redis.hdel(keys.lacking, *fine)
    for connector, why in reasons.items():
        if why:
            said = f"{redis_ms(redis)} {why}"
            redis.eval(_SAY, 2, keys.nothing, keys.lacking, f"{connector} on {who}", said, FRESH_MS)


def noted(redis: Redis, keys: Keys, now: int) -> dict[str, str]:
    """What workers lack at `now` (Redis milliseconds): "connector on worker" and why. redis.RedisError."""
    found: dict[str, str] = {}
    for where, said in fields_of(redis, keys.lacking).items():
        at, _, why = said.partition(" ")
        if abs(now - int(at)) < FRESH_MS:
            found[where] = why
    return found
