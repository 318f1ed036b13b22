"""What people, and programs in their place, had segsync do: the audit log (`segsync audit`).

Each is a record of the outcomes stream, written before the act: a ledger that is away stops nobody, and nothing is done
that nobody wrote down.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, insert, select

from workers.ledger.rows import act_row, milliseconds_of, stored_text, time_of
from workers.ledger.tables import acts
from workers.outcomes import Acted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from workers.ledger.database import Ledger
    from workers.outcomes import Record

KEPT_MS: Final = 400 * 24 * 3_600_000
"""A year, and what it takes to look back on it."""
MOST_FORGOTTEN: Final = 1_000
"""Rows that one transaction deletes."""
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


def write_acts(connection: Connection, records: Sequence[Record]) -> None:
    """Writes those that are new, and deletes some that are older than `KEPT_MS`, in the connection's transaction."""
    # By uid: a record that was sent twice is one.
    rows = {row["uid"]: row for row in (act_row(record) for record in records if isinstance(record, Acted))}
    if not rows:
        return
    known = set(connection.execute(select(acts.c.uid).where(acts.c.uid.in_(list(rows)))).scalars())
    if new := [row for uid, row in rows.items() if uid not in known]:
        connection.execute(insert(acts), new)
    # By the earlier of two clocks: one that is far ahead must not take what is kept.
    newest = max(record.at_ms for record in records if isinstance(record, Acted))
    _forget(connection, min(newest, int(time.time() * 1000)) - KEPT_MS)


def _forget(connection: Connection, before_ms: int) -> None:
    old = select(acts.c.id).where(acts.c.at_ms < before_ms).limit(MOST_FORGOTTEN)
    connection.execute(delete(acts).where(acts.c.id.in_(list(connection.execute(old).scalars()))))


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
