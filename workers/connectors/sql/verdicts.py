"""From a vendor's error to what follows from it.

Each vendor has one table of verdicts, `errors.py` in its folder. What a verdict comes to
depends on the statement that met the error: only the user's queries can have a data error (docs/architecture.md).
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from workers.errors import ErrorClass, HoldLevel, Matter, Phase, TargetError

LONGEST_DETAIL = 2000
"""Characters kept of a vendor's text: enough for its sentence; a whole statement may be quoted in it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One row of a vendor's table.

    error_class  what it comes to while a user's query runs. AMBIGUOUS also stands for a statement's timeout:
                 the second one on the same batch halves it (rule 24), which is what helps against both
    reason       our sentence; it follows the code and a colon
    level        how much is held, where the class is HOLD
    undone       the server says that it has rolled back: even COMMIT can be tried again without doubt
    matter       what it is about, for those who must tell it from others of its class
    """

    error_class: ErrorClass
    reason: str
    level: HoldLevel = HoldLevel.INTEGRATION
    undone: bool = False
    matter: Matter = Matter.OTHER


def retry(reason: str) -> Verdict:
    """It passes by itself."""
    return Verdict(ErrorClass.RETRY, reason)


def undone(reason: str) -> Verdict:
    """It passes by itself, and the server has rolled back."""
    return Verdict(ErrorClass.RETRY, reason, undone=True, matter=Matter.CONFLICT)


def ambiguous(reason: str) -> Verdict:
    """It may have been done, or not."""
    return Verdict(ErrorClass.AMBIGUOUS, reason)


def split(reason: str) -> Verdict:
    """A smaller batch can pass."""
    return Verdict(ErrorClass.SPLIT, reason)


def data(reason: str, matter: Matter = Matter.OTHER) -> Verdict:
    """One profile cannot be stored."""
    return Verdict(ErrorClass.ISOLATE, reason, matter=matter)


def query(reason: str, matter: Matter = Matter.OTHER) -> Verdict:
    """The query, its table or a right is wrong: the integration is held."""
    return Verdict(ErrorClass.HOLD, reason, matter=matter)


def target(reason: str) -> Verdict:
    """Nobody can deliver there: the connector is held, if it is met before the user's queries."""
    return Verdict(ErrorClass.HOLD, reason, HoldLevel.CONNECTOR)


def unknown(reason: str) -> Verdict:
    """Nobody can say whose fault it is."""
    return Verdict(ErrorClass.UNKNOWN, reason)


UNLISTED = unknown("an error that segsync has no rule for")
REFUSED = data("a trigger or function refused the row")
DEFERRED = "a constraint that is checked at COMMIT refused the data"


def judge(verdict: Verdict, phase: Phase, code: str, *, where: str = "", detail: str = "") -> TargetError:
    """The error to raise.

    where   names of tables and columns, taken from where no profile data can be; follows the reason in brackets
    detail  the vendor's text
    """
    error_class, level = _weigh(verdict, phase)
    deferred = phase is Phase.COMMIT and verdict.error_class is ErrorClass.ISOLATE
    reason = DEFERRED if deferred else verdict.reason
    place = f" ({where})" if where else ""
    kept = detail[:LONGEST_DETAIL]
    return TargetError(error_class, code, reason + place, level=level, detail=kept, matter=verdict.matter, phase=phase)


def _weigh(verdict: Verdict, phase: Phase) -> tuple[ErrorClass, HoldLevel]:
    match phase:
        case Phase.CONNECT | Phase.PROBE:
            return _while_connecting(verdict)
        case Phase.LOCK:
            return _while_beginning(verdict)
        case Phase.COMMIT:
            return _while_committing(verdict)
        case _:
            return verdict.error_class, _level_of_query(verdict)


def _level_of_query(verdict: Verdict) -> HoldLevel:
    """Whoever is connected is let in; and a trigger names any code as it likes, for its own rows only."""
    return HoldLevel.INTEGRATION if verdict.level is HoldLevel.CONNECTOR else verdict.level


def _while_connecting(verdict: Verdict) -> tuple[ErrorClass, HoldLevel]:
    # Whatever the code: no lane and no integration can be at fault (rule 25).
    if verdict.error_class in {ErrorClass.RETRY, ErrorClass.AMBIGUOUS}:
        return ErrorClass.RETRY, HoldLevel.CONNECTOR
    return ErrorClass.HOLD, HoldLevel.CONNECTOR


def _while_beginning(verdict: Verdict) -> tuple[ErrorClass, HoldLevel]:
    match verdict.error_class:
        case ErrorClass.RETRY | ErrorClass.AMBIGUOUS:
            return ErrorClass.RETRY, HoldLevel.LANE
        case ErrorClass.HOLD:
            return ErrorClass.HOLD, HoldLevel.CONNECTOR
        case _:
            return ErrorClass.UNKNOWN, HoldLevel.LANE


def _while_committing(verdict: Verdict) -> tuple[ErrorClass, HoldLevel]:
    match verdict.error_class:
        case ErrorClass.RETRY | ErrorClass.AMBIGUOUS:
            return ErrorClass.RETRY if verdict.undone else ErrorClass.AMBIGUOUS, HoldLevel.LANE
        case _:
            # A constraint that is checked at COMMIT, too, is a sure rollback: nothing of the batch is there.
            return verdict.error_class, _level_of_query(verdict)


def unwanted(error: BaseException | None) -> bool:
    """Whether the server broke TLS off, in words or without: it may want a certificate, or not take ours."""
    return isinstance(error, ssl.SSLEOFError) or (isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or ""))


def broken_off(option: str) -> Verdict:
    """What follows from that, where an option of the URL names a certificate to show."""
    return target(f"TLS failed: the server broke it off; it may want a certificate ({option}), or not take that one")
