"""The records of a delivery, made where all that they tell is at hand. Pure but for the clock."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from workers.delivery.superseding import change, slots
from workers.events.event import Kind, raw_excerpt
from workers.events.profiles import profile
from workers.outcomes import Delivery, Quarantined, QueryRun, new_uid

if TYPE_CHECKING:
    from collections.abc import Collection

    from workers.delivery.batch import Batch, Rejected
    from workers.delivery.leases import Lease
    from workers.delivery.superseding import Change, Past
    from workers.errors import TargetError
    from workers.integrations import Ordering


class Took(NamedTuple):
    """From when until when a batch was with its target, in Unix seconds."""

    started: float
    ended: float


@dataclass(frozen=True, slots=True)
class Done:
    """What was done with a batch that is settled.

    idle     operations for which no query is configured
    runs     the queries that were committed, and those of which nothing was sent
    """

    took: Took
    idle: int = 0
    runs: list[QueryRun] = field(default_factory=list)


def delivered(connector: str, lease: Lease, batch: Batch, rejected: int, done: Done, attempts: int) -> Delivery:
    """A batch that was committed, or had nothing to run."""
    return _delivery(
        connector,
        lease,
        batch,
        attempts,
        done.took,
        moot=batch.moot + done.idle,
        rejected=rejected,
        runs=done.runs,
    )


def failed(
    connector: str,
    lease: Lease,
    batch: Batch,
    attempts: int,
    started: float,
    error: TargetError,
    *,
    held: bool,
) -> Delivery:
    """A batch that was not committed, as far as we know."""
    outcome = "held" if held else "retry"
    took = Took(started, time.time())
    record = _delivery(connector, lease, batch, attempts, took, outcome=outcome, code=error.code, reason=error.reason)
    return structs.replace(record, event_type=error.event_type)


def _delivery(
    connector: str,
    lease: Lease,
    batch: Batch,
    attempts: int,
    took: Took,
    *,
    outcome: str = "delivered",
    moot: int = 0,
    rejected: int = 0,
    code: str = "",
    reason: str = "",
    runs: list[QueryRun] | None = None,
) -> Delivery:
    started, ended = took
    return Delivery(
        uid=new_uid(),
        integration=lease.integration,
        connector=connector,
        segment=lease.segment,
        outcome=outcome,
        first=batch.first,
        last=batch.last,
        operations=batch.taken,
        merged=batch.merged,
        moot=moot,
        quarantined=rejected,
        attempt=attempts + 1,
        started_ms=round(started * 1000),
        duration_us=round((ended - started) * 1e6),
        waited_ms=max(0, round(ended * 1000) - batch.head_ms),
        code=code,
        reason=reason,
        queries=runs or [],
    )


def set_aside(
    lease: Lease,
    batch: Batch,
    rejected: list[Rejected],
    ordering: Ordering,
    past: Past,
    *,
    idle: bool,
    counted: Collection[str] = frozenset(),
) -> tuple[list[Quarantined], Change]:
    """What a settled batch sends to the quarantine, and what it means for the entries that its lane has there.

    counted  sequences of what is rejected and gets no entry, as there is no room
    """
    kept = [each for each in rejected if each.operation.sequence not in counted]
    entries = [quarantined(lease, each, slot) for each, slot in zip(kept, slots(batch, kept), strict=True)]
    uids = {entry.sequence: (entry.slot, entry.uid) for entry in entries}
    opened = [uids.get(each.operation.sequence) for each in rejected]
    return entries, change(batch, rejected, opened, ordering, past, idle=idle)


def quarantined(lease: Lease, rejected: Rejected, slot: str) -> Quarantined:
    """An operation that no target can take."""
    operation = rejected.operation
    retry = operation.retry
    is_profile = operation.is_profile
    return Quarantined(
        uid=new_uid(),
        integration=lease.integration,
        segment=lease.segment,
        event_type=Kind(operation.kind).label,
        profile=str(profile(operation.body)["_id"]) if is_profile else None,
        sequence=operation.sequence,
        at_ms=time.time_ns() // 1_000_000,
        code=rejected.code,
        reason=rejected.reason,
        payload=raw_excerpt(operation.body),
        size=len(operation.body),
        sha256=hashlib.sha256(operation.body).hexdigest(),
        detail=rejected.detail,
        slot=slot,
        event_us=operation.event_time_us,
        retries=retry.retries if retry else 0,
        replaces=retry.entry if retry else "",
    )
