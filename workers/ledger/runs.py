"""Single deliveries, as the ledger has them, the newest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from sqlalchemy import func, select

from workers.events.sequence import Sequence
from workers.ledger.rows import milliseconds_of, stored_text, time_of
from workers.ledger.tables import FAILED, deliveries, queries

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, RowMapping

    from workers.ledger.database import Ledger

LOOKED_AT: Final = 200_000
"""Deliveries that are searched, the newest: there is no index by segment, and so many take about a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRun:
    """One try of one batch.

    at           when it began
    outcome      "delivered", "retry" (segsync repeats it by itself) or "held" (someone is needed)
    upto         stream time of its last operation: all that came for its segment until then was in this batch or
                 in an earlier one; None where it is not known
    operations   in it; of these `merged` into later ones of their key, `moot` by a clear, `quarantined`
    statements, rows  of the committed queries, rows as the driver counts them
    unsent       statements that were not sent, since the list that is all of them came out empty
    event_types  of the committed queries; of a failed try the one that failed, if any ran
    tries        that this row stands for: more than 1 where the ledger was away for long
    waited_ms    from the stream time of its first operation to its end
    """

    at: datetime
    integration: str
    connector: str
    segment: str
    outcome: str
    upto: datetime | None
    operations: int
    merged: int
    moot: int
    quarantined: int
    statements: int
    rows: int
    unsent: int
    event_types: list[str]
    duration_ms: float
    waited_ms: int
    tries: int
    code: str
    reason: str


def runs(
    ledger: Ledger,
    *,
    integration: str | None = None,
    segment: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    failed: bool = False,
    limit: int = 50,
) -> list[DeliveryRun]:
    """The newest deliveries that fit, at most `limit`, of the newest LOOKED_AT, and what began as early as the last.

    until   before that; None: until now
    failed  only tries that failed. ValueError where a time has no zone; LedgerError
    """
    column = deliveries.c
    within = [FAILED] if failed else []
    if since is not None:
        within.append(column.started_ms >= milliseconds_of(since))
    if until is not None:
        within.append(column.started_ms < milliseconds_of(until))
    # Found in the index alone. What is wanted is then read backwards along it, and no further than needed.
    times = select(column.started_ms).where(*within).order_by(column.started_ms.desc())
    wanted = select(deliveries).where(*within).order_by(column.started_ms.desc(), column.id.desc()).limit(limit)
    if integration is not None:
        wanted = wanted.where(column.integration == stored_text(integration))
    if segment is not None:
        wanted = wanted.where(column.segment == stored_text(segment))
    with ledger.reading() as connection:
        oldest = connection.execute(times.offset(LOOKED_AT - 1).limit(1)).scalar()
        if oldest is not None:
            wanted = wanted.where(column.started_ms >= oldest)
        rows = list(connection.execute(wanted).mappings())
        done = _queries(connection, [row["id"] for row in rows])
    return [_run(row, done.get(row["id"], [])) for row in rows]


def _queries(connection: Connection, ids: list[int]) -> dict[int, list[RowMapping]]:
    """The queries of these deliveries, in order: committed, or not sent."""
    column = queries.c
    sums = [func.sum(column[name]).label(name) for name in ("statements", "rows", "unsent", "runs")]
    wanted = (
        select(column.delivery, column.event_type, *sums)
        .where(column.delivery.in_(ids))
        .group_by(column.delivery, column.event_type)
        .order_by(func.min(column.position))
    )
    found: dict[int, list[RowMapping]] = {}
    for row in connection.execute(wanted).mappings():
        found.setdefault(row["delivery"], []).append(row)
    return found


def _run(row: RowMapping, done: list[RowMapping]) -> DeliveryRun:
    counts = ("operations", "merged", "moot", "quarantined", "waited_ms", "tries", "code", "reason")
    kinds = [each["event_type"] for each in done if each["runs"]]
    names = ("integration", "connector", "segment", "outcome", *counts)
    return DeliveryRun(
        at=cast("datetime", time_of(row["started_ms"])),
        upto=_time_in(row["last"]),
        statements=sum(int(each["statements"]) for each in done),
        rows=sum(int(each["rows"]) for each in done),
        unsent=sum(int(each["unsent"]) for each in done),
        event_types=kinds or [each for each in (row["event_type"],) if each],
        duration_ms=row["duration_us"] / 1000,
        **{name: row[name] for name in names},
    )


def _time_in(sequence: str) -> datetime | None:
    try:
        return time_of(Sequence.from_text(sequence).ms)
    except (ValueError, OverflowError):
        return None
