"""What gives a statement its meaning in SQLite, and what COMMIT promises: set in every session, and asserted.

Python's SQLite may have been built with other defaults.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.errors import ErrorClass, HoldLevel, TargetError

if TYPE_CHECKING:
    import sqlite3

PINNED = {
    "journal_mode": "wal",  # readers do not stop the writer, nor it them
    "synchronous": "2",  # FULL: a lane is trimmed after COMMIT, so it must be on the disk
    "foreign_keys": "1",
    "ignore_check_constraints": "0",
    "recursive_triggers": "0",
    "trusted_schema": "0",
}
"""Pragmas, with the values that they then have."""


def set_up(connection: sqlite3.Connection) -> None:
    """Sets what must hold in the session and asserts it; sqlite3.Error, or TargetError (HOLD, CONNECTOR)."""
    for name, value in PINNED.items():
        connection.execute(f"PRAGMA {name} = {value}")
        kept = connection.execute(f"PRAGMA {name}").fetchone()
        if kept is not None and str(kept[0]) != value:  # None: this SQLite has no such pragma, nor what it is about
            reason = f"{name} is {kept[0]!r} instead of {value!r} although the session has set it"
            raise TargetError(ErrorClass.HOLD, "sqlite session", reason, level=HoldLevel.CONNECTOR)
