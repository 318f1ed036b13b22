"""What gives a statement its meaning in SQLite, and what COMMIT promises: set in every session, and asserted.

Python's SQLite may have been built with other defaults.
"""

from __future__ import annotations

import sqlite3
import time

from workers.errors import ErrorClass, HoldLevel, TargetError

PINNED = {
    "journal_mode": "wal",  # readers do not stop the writer, nor it them
    "synchronous": "2",  # FULL: a lane is trimmed after COMMIT, so it must be on the disk
    "foreign_keys": "1",
    "ignore_check_constraints": "0",
    "recursive_triggers": "0",
    "trusted_schema": "0",
}
"""Pragmas, with the values that they then have."""


PAUSE = 0.01
"""Seconds between two tries to change the journal's mode."""


def set_up(connection: sqlite3.Connection, patience: float) -> None:
    """Sets what must hold in the session and asserts it; sqlite3.Error, or TargetError (HOLD, CONNECTOR).

    patience  seconds to wait for the file's lock, which a new file's journal needs
    """
    deadline = time.monotonic() + patience
    for name, value in PINNED.items():
        kept = _read(connection, name)
        if kept != value:
            _set(connection, name, value, deadline)
            kept = _read(connection, name)
        if kept is not None and kept != value:  # None: this SQLite has no such pragma, nor what it is about
            reason = f"{name} is {kept!r} instead of {value!r} although the session has set it"
            raise TargetError(ErrorClass.HOLD, "sqlite session", reason, level=HoldLevel.CONNECTOR)


def _read(connection: sqlite3.Connection, name: str) -> str | None:
    row = connection.execute(f"PRAGMA {name}").fetchone()
    return None if row is None else str(row[0])


def _set(connection: sqlite3.Connection, name: str, value: str, deadline: float) -> None:
    # A change of the journal's mode fails at once where another session is in the file, whatever busy_timeout says.
    while True:
        try:
            connection.execute(f"PRAGMA {name} = {value}")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                raise
            time.sleep(PAUSE)
        else:
            return
