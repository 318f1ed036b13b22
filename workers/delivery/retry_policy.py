"""What a failed batch leads to, and when it is tried again (rules 23 to 26). Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import Enum, auto

from workers.errors import ErrorClass, HoldLevel, TargetError

FIRST_DELAY_MS = 500
LONGEST_DELAY_MS = 10_000
PROBE_MS = 60_000
"""How often something held probes itself."""
PROBE_CONNECTOR_MS = 300_000
"""How often a connector held for its password or TLS does: an account that is tried too often gets locked."""
UNKNOWN_TRIES = 5


class ConnectFailed(TargetError):
    """No session could be had: nothing is wrong with the lane that wanted one."""

    def __init__(self, error: TargetError) -> None:
        super().__init__(error.error_class, error.code, error.reason, level=error.level, detail=error.detail)


class Action(Enum):
    """What happens to the lane."""

    LATER = auto()
    """It waits for its retry time."""
    AGAIN = auto()
    """A shorter batch is tried at once: a bad profile is being closed in on."""
    SET_ASIDE = auto()
    """The one profile that the batch has come down to goes to the quarantine, and the lane goes on."""
    HELD = auto()
    """Someone is needed; it probes itself until then."""
    CIRCUIT = auto()
    """The target is out of reach: no lane is at fault, and none is tried until it is back."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What follows from an error.

    delay_ms  milliseconds until the next try
    limit     the most operations the next batch may have; None: no change
    level     what is held, where action is HELD
    """

    action: Action
    delay_ms: int = 0
    limit: int | None = None
    level: HoldLevel | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was tried.

    operations  operations that count towards the batch's size
    alone       whether only one profile, or one segment event, is left in it
    attempts    failed tries before this one
    limit       the limit that this batch was cut with
    tolerant    whether a bad profile may go to the quarantine (`tolerance = "data"`)
    """

    operations: int
    alone: bool
    attempts: int
    limit: int | None
    tolerant: bool


def backoff_ms(attempts: int, chance: float) -> int:
    """Milliseconds before the next try after `attempts` failed ones; `chance` in 0..1 is the jitter.

    >>> [backoff_ms(n, 1.0) for n in range(7)]
    [500, 1000, 2000, 4000, 8000, 10000, 10000]
    >>> backoff_ms(0, 0.0)
    250
    """
    longest = min(LONGEST_DELAY_MS, FIRST_DELAY_MS << min(attempts, 10))
    return round(longest * (0.5 + 0.5 * chance))


def plan(error: TargetError, tried: Attempt) -> Plan:
    """What follows from an error of a batch."""
    if error.error_class is ErrorClass.HOLD:
        probe = PROBE_CONNECTOR_MS if error.level is HoldLevel.CONNECTOR else PROBE_MS
        return Plan(Action.HELD, probe, tried.limit, error.level)
    if isinstance(error, ConnectFailed):
        return Plan(Action.CIRCUIT)
    if error.error_class is ErrorClass.ISOLATE:
        return _isolated(tried)
    if error.error_class is ErrorClass.SPLIT and tried.alone:
        # Too large by itself: nothing can make it smaller, so it is this profile that cannot be stored.
        return _isolated(tried)
    if error.error_class is ErrorClass.UNKNOWN and tried.attempts + 1 >= UNKNOWN_TRIES:
        return Plan(Action.HELD, PROBE_MS, tried.limit, HoldLevel.LANE)
    delay = backoff_ms(tried.attempts, random.random())  # noqa: S311 - jitter, no secret
    return Plan(Action.LATER, delay, _half(tried) if _too_much(error, tried) else tried.limit)


def _isolated(tried: Attempt) -> Plan:
    if not tried.tolerant:
        return Plan(Action.HELD, PROBE_MS, tried.limit, HoldLevel.LANE)
    return Plan(Action.SET_ASIDE) if tried.alone else Plan(Action.AGAIN, limit=_half(tried))


def _too_much(error: TargetError, tried: Attempt) -> bool:
    """The second timeout or lost link on one batch may be its size (MySQL drops the link when it is)."""
    return error.error_class is ErrorClass.SPLIT or (error.error_class is ErrorClass.AMBIGUOUS and tried.attempts >= 1)


def _half(tried: Attempt) -> int:
    return max(1, tried.operations // 2)


def next_limit(limit: int | None, size: int, suspects: int) -> int | None:
    """The next batch's limit after one was committed; None for a whole batch.

    suspects  operations still to come of the batch in which a bad profile is looked for: half of them are next, so
              that every step halves what is left. Otherwise what was halved grows slowly (rule 24).

    >>> next_limit(250, 1000, 500), next_limit(1, 1000, 1)
    (250, 1)
    >>> next_limit(500, 1000, 0), next_limit(700, 1000, 0), next_limit(1, 1000, 0)
    (750, None, 2)
    """
    if suspects:
        return max(1, suspects // 2)
    if limit is None:
        return None
    grown = limit + max(1, limit // 2)
    return grown if grown < size else None
