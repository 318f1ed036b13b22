"""What fails on our own side of the door, as errors of the same kind as a target's."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from workers.connectors.contract import Rejection
from workers.errors import ErrorClass, HoldLevel, Phase, TargetError
from workers.events.event import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.delivery.batch import Batch, Key
    from workers.lanes import Operation

MOST_CAUSES = 5
"""Codes that are named where most profiles are refused."""
TRIES_BEFORE_HALVING = 2
"""Failed tries for want of memory after which the batch is halved (rule 13)."""
POISON = "delivering it ended the deliverer's process again and again"
"""What the quarantine says of what nobody may touch any more."""
ALREADY_THERE = "already there"
"""What the quarantine calls a refusal that is most likely our own earlier try (rule 23)."""


class LeaseOver(TargetError):
    """The lease has not enough time left for a COMMIT: another may take the lane, so nothing was committed."""

    def __init__(self) -> None:
        reason = "the lease ran out before COMMIT; nothing was committed"
        super().__init__(ErrorClass.RETRY, "segsync lease", reason, phase=Phase.LOCK)


class NoRoom(TargetError):
    """The quarantine has as many entries of the integration as it may have, and this batch would add to them.

    Only its lane is held: what is good in the others goes on.
    """

    def __init__(self, most: int) -> None:
        reason = f"{most:,} of its entries are open, which is its max_quarantine: retry or drop them, or raise it"
        super().__init__(ErrorClass.HOLD, "segsync quarantine", reason, level=HoldLevel.LANE)


class NoMemory(TargetError):
    """The process may not have the memory that the batch needs: tried three times, then halved (rule 13)."""

    def __init__(self, attempts: int) -> None:
        error_class = ErrorClass.SPLIT if attempts >= TRIES_BEFORE_HALVING else ErrorClass.RETRY
        super().__init__(error_class, "segsync memory", "the batch needs more memory than the process may have")


class UnreadableLane(TargetError):
    """The lane holds bytes that no version of segsync wrote: it is held, and told, until someone has looked at it."""

    def __init__(self, what: str) -> None:
        super().__init__(ErrorClass.HOLD, "segsync chunk", what, level=HoldLevel.LANE)


def as_query_fault(code: str, reason: str, why: str, event_type: str = "") -> TargetError:
    """What it is when others are refused alike: the query's fault, or the target's, and none of the profiles'."""
    told = f"{why}, so the query must be at fault: {reason}"
    fault = TargetError(ErrorClass.HOLD, code, told, level=HoldLevel.INTEGRATION, phase=Phase.EXECUTE)
    fault.event_type = event_type
    return fault


def most_are_refused(causes: Sequence[tuple[str, int]]) -> str:
    """What is said where most profiles are refused, for one cause or for several.

    >>> most_are_refused([("mysql 1406", 12), ("mysql 1264", 8)])
    'most profiles are refused (mysql 1406 12 times, mysql 1264 8 times; the last is told here)'
    """
    counted = ", ".join(f"{code} {count} times" for code, count in causes[:MOST_CAUSES])
    more = f" and {len(causes) - MOST_CAUSES} other codes" if len(causes) > MOST_CAUSES else ""
    last = "; the last is told here" if len(causes) > 1 else ""
    return f"most profiles are refused ({counted}{more}{last})"


REFUSED_ALIKE = "nobody else can be asked, and the one before it was refused alike, with none delivered since"
"""Why a profile that stands alone is held and not set aside."""


def with_what_was_tried(error: TargetError, tried: str) -> TargetError:
    """The same error, telling what else was tried before it was taken for more than one profile's."""
    told = TargetError(error.error_class, error.code, f"{error.reason}; {tried}", level=error.level, phase=error.phase)
    told.event_type = error.event_type
    return told


def told_of_one(error: TargetError) -> str:
    """Our sentence for the quarantine: a code that blames the query or the server says why it is the profile's."""
    if error.error_class in {ErrorClass.ISOLATE, ErrorClass.SPLIT}:
        return error.reason
    return f"{error.reason}; other profiles pass, so what this one holds is at fault"


def kind_of(error: TargetError, batch: Batch) -> Kind:
    """What was told when it failed."""
    kinds = [each.operation.kind for each in batch.members] or [batch.event.kind if batch.event else Kind.ADD]
    return next((kind for kind in Kind if kind.label == error.event_type), Kind(kinds[0]))


def may_be_ours(operation: Operation, error: TargetError, maybe_there_to: str) -> bool:
    """Whether what the error complains of is most likely our own earlier try: then it is no one's fault."""
    return error.already_there and operation.sequence <= maybe_there_to


def surely_undone(error: TargetError) -> bool:
    """Whether nothing of the try that failed so can be in the target."""
    if error.phase is Phase.COMMIT and error.error_class is ErrorClass.UNKNOWN:
        return False
    return error.error_class is not ErrorClass.AMBIGUOUS and error.phase is not None


class Counts(NamedTuple):
    """As what something refused counts towards the query's being at fault (rule 23); as nothing unless said.

    refused  the profile, hashed
    unasked  its kind and its key, hashed, where there was nobody else to ask
    """

    refused: str = ""
    unasked: str = ""


NOT_COUNTED = Counts()


def counted_as(operation: Operation, kind: Kind, alone: Key | None) -> Counts:
    """A profile that the target refused; `alone` is its key where there was nobody else to ask."""
    unasked = f"{kind.label} {_hashed(repr(alone).encode(errors='surrogatepass'))}" if alone else ""
    return Counts(_hashed(operation.body), unasked)


def _hashed(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def unusable(batch: Batch, *, deadly: bool) -> list[Rejection]:
    """What can be given to no target: it has no key, or it has ended every process that touched it."""
    if not deadly:
        return [Rejection(each.operation.sequence, each.code, each.reason, each.detail) for each in batch.rejected]
    operations = [*(each.operation for each in batch.members), *(each.operation for each in batch.rejected)]
    operations += [batch.event] if batch.event is not None else []
    return [Rejection(each.sequence, "poison", POISON) for each in operations]
