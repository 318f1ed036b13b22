"""Runs of resyncs that are over, as the ledger has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from workers.ledger.tables import resyncs
from workers.outcomes import Resynced

if TYPE_CHECKING:
    from workers.ledger.database import Ledger

NAMES = tuple(column.name for column in resyncs.c if column.name != "id")


def last_resyncs(ledger: Ledger, most: int) -> list[Resynced]:
    """The runs that ended last, the newest first. LedgerError."""
    columns = [resyncs.c[name] for name in NAMES]
    query = select(*columns).order_by(resyncs.c.ended_ms.desc(), resyncs.c.id.desc()).limit(most)
    with ledger.reading() as connection:
        return [Resynced(**dict(row)) for row in connection.execute(query).mappings()]
