"""What was tried for a quarantined operation before it was given up, as the ledger's deliveries tell it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import select

from workers.ledger.rows import milliseconds_of, time_of
from workers.ledger.tables import deliveries
from workers.quarantine.entries import replaced

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, Executable, RowMapping

    from workers.ledger.database import Ledger
    from workers.quarantine.entries import EntryDetail

MOST_ATTEMPTS: Final = 100
"""Tries that are shown of one entry, the latest."""
CLOCKS_MS: Final = 600_000
"""Milliseconds that two hosts' clocks may differ by and the tries are found all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastTry:
    """One try of a batch that the entry's operation was in, as the ledger has it.

    at          when it began
    operations  in the batch: a refused profile's get fewer until it stands alone
    outcome     "delivered" (without the profile), "retry" or "held"
    event_type  of the query that failed; "" where none did
    """

    at: datetime
    operations: int
    outcome: str
    event_type: str
    code: str
    reason: str


def history(ledger: Ledger, entry: EntryDetail) -> list[PastTry]:
    """The tries of its batches, and of those of the entries that it replaces, in order of time; at most the newest 100.

    [] for what never reached an integration. LedgerError.
    """
    with ledger.reading() as connection:
        found = [row for each in _line(connection, entry) for row in connection.execute(_tries(each)).mappings()]
    newest = sorted(found, key=lambda row: row["started_ms"])[-MOST_ATTEMPTS:]
    return [PastTry(at=cast("datetime", time_of(row["started_ms"])), **_without(row, "started_ms")) for row in newest]


def _without(row: RowMapping, name: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != name}


def _line(connection: Connection, entry: EntryDetail) -> list[EntryDetail]:
    """The entry and all that it replaces, one after the other."""
    line = [entry]
    while len(line) <= MOST_ATTEMPTS and (before := replaced(connection, line[-1])) is not None:
        line.append(before)
    return line


def _tries(entry: EntryDetail) -> Executable:
    column = deliveries.c
    pushed_ms = int(entry.sequence[:13] or 0)
    names = (column.started_ms, column.operations, column.outcome, column.event_type, column.code, column.reason)
    return (
        select(*names)
        # Within its time, for which there is an index. Clocks differ: a stream's from a deliverer's.
        .where(column.started_ms.between(pushed_ms - CLOCKS_MS, milliseconds_of(entry.at) + CLOCKS_MS))
        .where(column.integration == entry.integration, column.segment == entry.segment)
        .where(column.first <= entry.sequence, column.last >= entry.sequence)
        .order_by(column.started_ms.desc())
        .limit(MOST_ATTEMPTS)
    )
