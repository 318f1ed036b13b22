"""When a failed batch is tried again (RULES.md 25, 26). Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass

from workers.errors import ErrorClass, HoldLevel, TargetError

FIRST_DELAY_MS = 500
LONGEST_DELAY_MS = 10_000
PROBE_MS = 60_000
"""How often something held probes itself."""
PROBE_CONNECTOR_MS = 300_000
"""How often a connector held for its password or TLS does: an account that is tried too often gets locked."""
UNKNOWN_TRIES = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens to a batch that failed.

    delay_ms  milliseconds until the next try
    halve     whether the next try takes half as many operations
    level     what is held, if someone is needed; None where segsync goes on by itself
    """

    delay_ms: int
    halve: bool = False
    level: HoldLevel | None = None


def backoff_ms(attempts: int, chance: float) -> int:
    """Milliseconds before the next try after `attempts` failed ones; `chance` in 0..1 is the jitter.

    >>> [backoff_ms(n, 1.0) for n in range(7)]
    [500, 1000, 2000, 4000, 8000, 10000, 10000]
    >>> backoff_ms(0, 0.0)
    250
    """
    longest = min(LONGEST_DELAY_MS, FIRST_DELAY_MS << min(attempts, 10))
    return round(longest * (0.5 + 0.5 * chance))


def plan(error: TargetError, attempts: int, operations: int) -> Plan:  # noqa: PLR0911 - a table reads as a table
    """What follows from an error of a batch of `operations` that failed `attempts` times before."""
    delay = backoff_ms(attempts, random.random())  # noqa: S311 - jitter, no secret
    match error.error_class:
        case ErrorClass.RETRY:
            return Plan(delay)
        case ErrorClass.AMBIGUOUS:
            return Plan(delay, halve=attempts >= 1 and operations > 1)
        case ErrorClass.SPLIT if operations > 1:
            return Plan(delay, halve=True)
        case ErrorClass.UNKNOWN if attempts + 1 < UNKNOWN_TRIES:
            return Plan(delay)
        case ErrorClass.HOLD if error.level is HoldLevel.CONNECTOR:
            return Plan(PROBE_CONNECTOR_MS, level=HoldLevel.CONNECTOR)
        case ErrorClass.HOLD:
            return Plan(PROBE_MS, level=error.level)
        case _:
            # A data error, something too large that cannot be halved, an unknown error that stays.
            return Plan(PROBE_MS, level=HoldLevel.LANE)
