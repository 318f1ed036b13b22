"""What a turn is made of: the lane while it is served, how it can end, and what a target refuses."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workers.delivery.batching import Rejected
from workers.errors import ErrorClass, HoldLevel, Matter, TargetError

if TYPE_CHECKING:
    from workers.delivery.batching import Buffer
    from workers.delivery.leases import Lease
    from workers.integrations import Integration
    from workers.lanes import Operation


@dataclass(frozen=True, slots=True)
class NothingDue:
    """No lane of the connector is due; the permit has been given back."""

    batches: int


@dataclass(frozen=True, slots=True)
class TimeOver:
    """The wake-up has had its time; more may be due. The permit has not been given back."""

    batches: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A try failed; the lane knows when to try again.

    retry_in_s  seconds until the next try
    needs_help  whether someone must mend something first; it is tried again all the same
    batches     settled before it failed
    """

    integration: str
    segment: str
    code: str
    reason: str
    retry_in_s: float
    needs_help: bool
    batches: int = 0

    def __str__(self) -> str:
        return f"{self.integration}/{self.segment}: {self.code}: {self.reason}"


Result = NothingDue | TimeOver | Failed


@dataclass(slots=True)
class Turn:
    """One lane while it is served.

    tried_to last sequence that somebody may have tried before this turn, or ""
    open     its entries in the quarantine
    no_room  whether the quarantine has no room for more of the integration's
    running  event type of the query that runs, or that failed; "" outside of queries
    """

    integration: Integration
    lease: Lease
    hand: Buffer
    attempts: int
    limit: int | None
    suspect: str
    tried_to: str
    deadly: bool
    ends: float
    open: int = 0
    no_room: bool = False
    running: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """The one operation a target refused, and the error that it refused it with.

    may_be_ours  whether the batch may have been committed by an earlier try
    """

    operation: Operation
    error: TargetError
    may_be_ours: bool

    @property
    def already_there(self) -> bool:
        """Then it is no one's fault: what the error complains of is most likely our own earlier try."""
        return self.may_be_ours and self.error.matter is Matter.UNIQUE_KEY

    @property
    def rejected(self) -> Rejected:
        """For the quarantine."""
        code = "already there" if self.already_there else self.error.code
        return Rejected(self.operation, code, self.error.reason, self.error.detail)

    @property
    def counts_as(self) -> str:
        """The profile, hashed, as it counts towards the query's being at fault; '' if it does not (rule 23)."""
        return "" if self.already_there else hashlib.sha256(self.operation.body).hexdigest()[:16]

    def as_query_fault(self) -> TargetError:
        """What it is when most profiles are refused."""
        reason = f"most profiles are refused, so the query must be at fault: {self.error.reason}"
        return TargetError(ErrorClass.HOLD, self.error.code, reason, level=HoldLevel.INTEGRATION)


class LeaseOver(TargetError):
    """The lease has not enough time left for a COMMIT: another may take the lane, so nothing was committed."""

    def __init__(self) -> None:
        super().__init__(ErrorClass.RETRY, "segsync lease", "the lease ran out before COMMIT; nothing was committed")


class NoRoom(TargetError):
    """The quarantine has as many entries of the integration as it may have, and this batch would add to them.

    Only its lane is held: what is good in the others goes on.
    """

    def __init__(self, most: int) -> None:
        reason = f"{most:,} of its entries are open, which is its max_quarantine: retry or drop them, or raise it"
        super().__init__(ErrorClass.HOLD, "segsync quarantine", reason, level=HoldLevel.LANE)


class PositionAlarm(TargetError):
    """What `segsync_position` says does not fit what was delivered; the lane is held until a person decides."""

    def __init__(self, what: str) -> None:
        super().__init__(ErrorClass.HOLD, "segsync position", what, level=HoldLevel.LANE)


class NoMemory(TargetError):
    """The process may not have the memory that the batch needs: tried three times, then halved (rule 13)."""

    def __init__(self, attempts: int) -> None:
        error_class = ErrorClass.SPLIT if attempts >= 2 else ErrorClass.RETRY  # noqa: PLR2004 - rule 13
        super().__init__(error_class, "segsync memory", "the batch needs more memory than the process may have")
