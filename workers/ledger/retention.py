"""What has become old goes from the ledger, a little at a time; the sums by the hour stay."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, func, or_, select, update

from workers.ledger.sums import HOUR_MS
from workers.ledger.tables import deliveries, identity, queries, resyncs

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from workers.ledger.database import Ledger

SLICE: Final = 2_000
"""Deliveries, and runs of resyncs, that one transaction takes out: others write in between."""


def forget(
    ledger: Ledger, before_ms: int, seconds: float, *, clock: Callable[[], float] = time.monotonic
) -> tuple[int, bool]:
    """Deletes deliveries, their queries, and runs of resyncs of the hours that ended before `before_ms`.

    Slices of SLICE deliveries or runs, for about `seconds`; at least one. Returns how many deliveries went, and whether
    all is done. Entries of the quarantine stay, and so do all sums. LedgerError.
    """
    limit = before_ms - before_ms % HOUR_MS
    until, gone = clock() + seconds, 0
    while True:
        with ledger.changing() as connection:
            many, is_done = _slice(connection, limit)
        gone += many
        if is_done or clock() >= until:
            return gone, is_done


def _slice(connection: Connection, limit: int) -> tuple[int, bool]:
    column = deliveries.c
    old = select(column.id).where(column.started_ms < limit).order_by(column.started_ms).limit(SLICE)
    ids = list(connection.execute(old).scalars())
    if ids:
        _mark(connection, limit)
        connection.execute(delete(queries).where(queries.c.delivery.in_(ids)))
        connection.execute(delete(deliveries).where(column.id.in_(ids)))
    over = select(resyncs.c.id).where(resyncs.c.ended_ms < limit).order_by(resyncs.c.ended_ms).limit(SLICE - len(ids))
    runs = list(connection.execute(over).scalars())
    if runs:
        connection.execute(delete(resyncs).where(resyncs.c.id.in_(runs)))
    return len(ids), len(ids) + len(runs) < SLICE


def _mark(connection: Connection, limit: int) -> None:
    """Statistics count whole hours from their sums alone, from now on, up to there."""
    kept = identity.c.kept_ms
    connection.execute(update(identity).where(or_(kept.is_(None), kept < limit)).values(kept_ms=limit))


def has_old(ledger: Ledger, before_ms: int) -> bool:
    """Whether anything is to go; a look at two indices. LedgerError."""
    limit = before_ms - before_ms % HOUR_MS
    with ledger.reading() as connection:
        found = [
            connection.execute(select(func.min(at))).scalar() for at in (deliveries.c.started_ms, resyncs.c.ended_ms)
        ]
    return any(oldest is not None and oldest < limit for oldest in found)
