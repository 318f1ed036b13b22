"""Runs of resyncs that are over, as the ledger has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from workers.ledger.rows import stored_text
from workers.ledger.tables import resyncs
from workers.outcomes import Resynced

if TYPE_CHECKING:
    from workers.ledger.database import Ledger

NAMES = tuple(column.name for column in resyncs.c if column.name != "id")
OUTCOMES: Final = ("done", "needs confirmation", "failed", "cancelled", "equal", "differs")
"""How a run can end."""


def last_resyncs(
    ledger: Ledger,
    most: int,
    *,
    integration: str | None = None,
    segment: str | None = None,
    outcome: str | None = None,
) -> list[Resynced]:
    """The runs that ended last, of these that fit (None: any), the newest first. LedgerError."""
    columns = [resyncs.c[name] for name in NAMES]
    query = select(*columns).order_by(resyncs.c.ended_ms.desc(), resyncs.c.id.desc()).limit(most)
    for name, wanted in (("integration", integration), ("segment", segment), ("outcome", outcome)):
        if wanted is not None:
            query = query.where(resyncs.c[name] == stored_text(wanted))
    with ledger.reading() as connection:
        return [Resynced(**dict(row)) for row in connection.execute(query).mappings()]
