"""What people, and programs in their place, had segsync do: the audit log (`segsync audit`).

Each is a record of the outcomes stream, written before the act: a ledger that is away stops nobody, and nothing is done
that nobody wrote down.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, insert, select

from workers.ledger.rows import act_row
from workers.ledger.tables import acts
from workers.outcomes import Acted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from workers.outcomes import Record

KEPT_MS: Final = 400 * 24 * 3_600_000
"""A year, and what it takes to look back on it."""
MOST_FORGOTTEN: Final = 1_000
"""Rows that one transaction deletes."""


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
