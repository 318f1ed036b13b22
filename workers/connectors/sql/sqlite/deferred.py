"""Foreign keys that SQLite would look at only when a transaction is committed (sqlite.org/foreignkeys.html, 4.2)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

# A table may say so in a comment as well: it is looked at for nothing then.
_DEFERRED = "SELECT name FROM sqlite_master WHERE type = 'table' AND instr(upper(sql), 'DEFERRED') > 0"

Violations = Counter[tuple[object, ...]]
"""Table, rowid (None in one WITHOUT ROWID), table that is pointed at, and which of the table's foreign keys it is."""


def tables(connection: sqlite3.Connection) -> list[str]:
    """Those with a foreign key that may be deferred; sqlite3.Error."""
    return [str(row[0]) for row in connection.execute(_DEFERRED)]


def violations(connection: sqlite3.Connection, among: list[str]) -> Violations:
    """Rows of these tables that point at none, as the open transaction sees them; sqlite3.Error.

    Reads the tables as a whole, and finds what was there before foreign keys were looked at, too.
    """
    found: Violations = Counter()
    for table in among:
        quoted = '"' + table.replace('"', '""') + '"'
        found.update(tuple(row) for row in connection.execute(f"PRAGMA foreign_key_check({quoted})"))
    return found
