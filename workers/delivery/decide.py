"""The table of failures: what a target's error leads to (rules 23 to 26). Pure.

    decide(error, tried) -> Later | Halve | SetAside | AskOthers | Hold | OpenCircuit

Whatever fails, anywhere on the way to a target, comes here: a probe's error as well as a batch's.
"""

from __future__ import annotations

from dataclasses import dataclass

from workers.errors import ErrorClass, HoldLevel, Matter, Phase, TargetError

FIRST_DELAY_MS = 500
"""Milliseconds before the second try."""
LONGEST_DELAY_MS = 10_000
"""Milliseconds between two tries, however many have failed."""
PROBE_MS = 60_000
"""Milliseconds between two tries of something held."""
SOONEST_PROBE_MS = 2_000
"""Milliseconds until what waits for anybody who passes is tried for the second time."""
PROBE_CONNECTOR_MS = 300_000
"""Milliseconds between two tries of a connector held for its password or TLS: what tries too often gets locked out."""
UNSURE_TRIES = 5
"""Tries after which an error that may be anybody's fault is no longer taken for one that passes by itself."""
MOMENT_SECONDS = 2.0
"""Others pass right before and right after a try, if no more time lies between them: what stops everybody for longer
may have ended and begun anew meanwhile, and nobody knows how long a deliverer stood still."""
TRIES_LONG_APART = 3
"""Tries at once, each with others that pass before and after it, that blame a profile where more time lies between."""


@dataclass(frozen=True, slots=True)
class Later:
    """The lane waits for its retry time.

    delay_ms   milliseconds until the next try
    limit      the most operations the next batch may have; None: as many as configured
    searching  whether the one at fault is looked for in this batch from now on
    """

    delay_ms: int
    limit: int | None = None
    searching: bool = False


@dataclass(frozen=True, slots=True)
class Halve:
    """A shorter batch is tried at once: the one at fault is being closed in on."""

    limit: int


ONCE_MORE = Halve(1)
"""What the batch has come down to is tried again at once: what stopped everybody may have ended since."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """What the batch has come down to is written down as refused; the quarantine gets it when the batch is settled.

    unasked  whether there was nobody else to ask: a second one that is refused alike, with nothing delivered between
             them, is held instead
    """

    unasked: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """Someone is needed; it probes itself until then."""

    level: HoldLevel
    delay_ms: int = PROBE_MS


@dataclass(frozen=True, slots=True)
class AskOthers:
    """Whose fault it is cannot be told yet: some other profiles are tried, each by itself, and taken back.

    fault    what it is if none of them passes
    unasked  what it is if there is nobody to ask
    """

    fault: Later | Hold
    unasked: Later | Halve | SetAside | Hold


@dataclass(frozen=True, slots=True)
class OpenCircuit:
    """The target is out of reach: no lane is at fault, and none is tried until it is back."""


Decided = Later | Halve | SetAside | Hold | OpenCircuit
Outcome = Decided | AskOthers


@dataclass(frozen=True, slots=True)
class FailedTry:
    """What was tried.

    operations  operations that count towards the batch's size
    alone       whether the target was told of one operation only
    is_profile  whether that one, or all of them, are profiles and no segment event
    attempts    failed tries before this one, of this batch or of those it is half of
    limit       the limit that this batch was cut with
    searching   whether the one at fault is looked for already
    passed      whether others of the same kind passed since it began to fail, before this try
    asked       whether some were asked after it, and passed
    again       how many tries at once this one ends, each after others had passed, of what had failed before they did
    long_ago    whether those had passed more than a moment before the ones that were asked after it
    told        whether the target was told of anything: of a batch that is all set aside only its position is
    tolerant    whether a bad profile may go to the quarantine (`tolerance = "data"`)
    """

    operations: int = 1
    alone: bool = True
    is_profile: bool = True
    attempts: int = 0
    limit: int | None = None
    searching: bool = False
    passed: bool = False
    asked: bool = False
    again: int = 0
    long_ago: bool = False
    told: bool = True
    tolerant: bool = True


NOTHING_TRIED = FailedTry()


def decide(error: TargetError, tried: FailedTry = NOTHING_TRIED, *, chance: float = 1.0) -> Outcome:
    """What follows from an error; `chance` in 0..1 is the jitter of what is tried later."""
    later = Later(backoff_ms(tried.attempts, chance), tried.limit)
    if error.error_class is not ErrorClass.HOLD and error.phase in {Phase.CONNECT, Phase.PROBE}:
        return OpenCircuit()
    if error.phase is Phase.LOCK or (error.phase in _SENT and not tried.told):
        return _of_no_profile(error, tried, later)
    return _TABLE[error.error_class](error, tried, later)


def _of_no_profile(error: TargetError, tried: FailedTry, later: Later) -> Outcome:
    """The lane's lock or its position failed, or nobody was told: no profile is at fault, whatever the code says."""
    if error.error_class is ErrorClass.HOLD:
        return _hold(error)
    passes = error.error_class is ErrorClass.RETRY or tried.attempts + 1 < UNSURE_TRIES
    return later if passes else Hold(error.level)


_SENT = frozenset({Phase.EXECUTE, Phase.COMMIT})


def _may_still_pass(tried: FailedTry) -> bool:
    return tried.attempts + 1 < UNSURE_TRIES and (tried.alone or not tried.searching)


def _passes_by_itself(error: TargetError, tried: FailedTry, later: Later) -> Outcome:
    """Where it did not in five tries and others pass, it is one profile's: a trigger's own code, or a locked row."""
    theirs = error.phase not in _SENT or not tried.is_profile or not tried.tolerant
    if theirs or _may_still_pass(tried):
        return later
    if tried.alone and tried.passed and error.matter is Matter.CONFLICT:
        return Hold(HoldLevel.LANE)
    return _whose_fault(tried, later, later)


def _someone_is_needed(error: TargetError, tried: FailedTry, later: Later) -> Outcome:
    """What a running query meets may be one profile's fault, however much it looks like the query's."""
    if error.phase in _SENT and error.level is HoldLevel.INTEGRATION:
        return _whose_fault(tried, Hold(HoldLevel.INTEGRATION), later)
    return _hold(error)


def _hold(error: TargetError) -> Hold:
    return Hold(error.level, PROBE_CONNECTOR_MS if error.level is HoldLevel.CONNECTOR else PROBE_MS)


def _unknown(error: TargetError, tried: FailedTry, later: Later) -> Outcome:
    """It may pass by itself; where it did not in five tries, it may be one profile's fault."""
    if _may_still_pass(tried):
        return later
    if error.phase in _SENT:
        return _whose_fault(tried, Hold(HoldLevel.LANE), later)
    return Hold(HoldLevel.LANE)


def _data(error: TargetError, tried: FailedTry, _later: Later) -> Outcome:
    """The data's fault, says the code; where all are refused alike, it is the target's (a sequence that is used up)."""
    if error.phase is Phase.RENDER:
        return SetAside()
    if not tried.tolerant:
        return Hold(HoldLevel.LANE)
    if not tried.is_profile or tried.passed or tried.asked:
        return SetAside() if tried.alone else Halve(_half(tried))
    unasked = SetAside(unasked=True) if tried.alone else Halve(_half(tried))
    return AskOthers(for_anybody(tried.attempts), unasked)


def for_anybody(attempts: int) -> Hold:
    """What is refused alike waits for somebody who passes. Whoever comes next may be one, so it is tried soon at first.

    >>> [for_anybody(n).delay_ms for n in range(7)]
    [2000, 4000, 8000, 16000, 32000, 60000, 60000]
    """
    return Hold(HoldLevel.INTEGRATION, min(PROBE_MS, SOONEST_PROBE_MS << min(attempts, 10)))


def _whose_fault(tried: FailedTry, fault: Hold | Later, later: Later) -> Outcome:
    """One profile's fault, if others pass right before and right after the very try; `fault` if none does.

    A table that is missing, back, and missing again meets whoever comes: so what passed earlier blames nobody who
    stands alone, but where there is nobody to ask and five tries lead nowhere. What takes longer than a moment to be
    refused is blamed at the third try at once.
    """
    if not tried.tolerant or not tried.is_profile:
        return fault
    if not tried.alone:
        return Halve(_half(tried)) if tried.passed or tried.asked else AskOthers(fault, fault)
    if not tried.asked:
        unasked = SetAside() if tried.attempts + 1 >= UNSURE_TRIES else later
        return AskOthers(fault, unasked if tried.passed else fault)
    return SetAside() if tried.again >= (TRIES_LONG_APART if tried.long_ago else 1) else ONCE_MORE


def _too_large(_error: TargetError, tried: FailedTry, later: Later) -> Outcome:
    """Rule 24. By itself nothing can make it smaller, so it is this profile that cannot be stored."""
    if not tried.alone:
        return Later(later.delay_ms, _half(tried))
    return SetAside() if tried.tolerant else Hold(HoldLevel.LANE)


def _ambiguous(error: TargetError, tried: FailedTry, later: Later) -> Outcome:
    """The second time-out or lost link on one batch may be its size, or one profile's doing (rule 24).

    One that always times out ends in the quarantine where others pass before and after it, and held where that is not
    known: an outage that begins while the one at fault is looked for, or ends while others are asked, is nobody's.
    """
    if tried.attempts == 0:
        return later
    if not tried.alone:
        return Later(later.delay_ms, _half(tried), searching=tried.is_profile)
    if tried.attempts + 1 < UNSURE_TRIES:
        return later
    fault = Hold(HoldLevel.LANE)
    if error.phase is Phase.COMMIT or not tried.tolerant or not tried.is_profile:
        return fault
    # What passed earlier says little of a target that is slow by now; and no time-out takes but a moment.
    if not tried.asked:
        return AskOthers(fault, fault)
    return SetAside() if tried.again else ONCE_MORE


_TABLE = {
    ErrorClass.RETRY: _passes_by_itself,
    ErrorClass.AMBIGUOUS: _ambiguous,
    ErrorClass.SPLIT: _too_large,
    ErrorClass.ISOLATE: _data,
    ErrorClass.HOLD: _someone_is_needed,
    ErrorClass.UNKNOWN: _unknown,
}


def _half(tried: FailedTry) -> int:
    return max(1, tried.operations // 2)


def backoff_ms(attempts: int, chance: float) -> int:
    """Milliseconds before the next try after `attempts` failed ones; `chance` in 0..1 is the jitter.

    >>> [backoff_ms(n, 1.0) for n in range(7)]
    [500, 1000, 2000, 4000, 8000, 10000, 10000]
    >>> backoff_ms(0, 0.0)
    250
    """
    longest = min(LONGEST_DELAY_MS, FIRST_DELAY_MS << min(attempts, 10))
    return round(longest * (0.5 + 0.5 * chance))


def next_limit(limit: int | None, size: int, suspects: int) -> int | None:
    """The next batch's limit after one was committed; None for a whole batch.

    suspects  operations still to come of the batch in which the one at fault is looked for: half of them are next, so
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
