"""The audit log as people and programs read it (`segsync audit`); written by `ledger/acts.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from workers.ledger.rows import milliseconds_of, stored_text, time_of
from workers.ledger.tables import acts

if TYPE_CHECKING:
    from datetime import datetime

    from workers.ledger.database import Ledger

MOST_ACTS: Final = 10_000
"""What one look may return."""


@dataclass(frozen=True, slots=True)
class PastAct:
    """What somebody has had done; the fields of `outcomes.Acted`."""

    at: datetime
    who: str
    via: str
    act: str
    target: str
    reason: str
    address: str
    failed: str


def list_acts(
    ledger: Ledger,
    since: datetime | None = None,
    until: datetime | None = None,
    *,
    target: str | None = None,
    limit: int = MOST_ACTS,
) -> list[PastAct]:
    """The newest, newest first; all since the beginning where no time is given. LedgerError."""
    wanted = [] if target is None else [acts.c.target == stored_text(target, 1_000)]
    if since is not None:
        wanted.append(acts.c.at_ms >= milliseconds_of(since))
    if until is not None:
        wanted.append(acts.c.at_ms < milliseconds_of(until))
    names = ("who", "via", "act", "target", "reason", "address", "failed")
    query = select(acts.c.at_ms, *(acts.c[name] for name in names)).where(*wanted)
    query = query.order_by(acts.c.at_ms.desc(), acts.c.id.desc()).limit(min(limit, MOST_ACTS))
    with ledger.reading() as connection:
        return [PastAct(time_of(at_ms), *texts) for at_ms, *texts in connection.execute(query)]  # type: ignore[arg-type]
