"""SQLite, by Python's own module: for demonstrations, tests and small targets.

One writer at a time for the whole file: BEGIN IMMEDIATE takes that lock, so the lane's needs none of its own.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from workers.connectors.sql.link import Link, surprise, without_nul
from workers.connectors.sql.sqlite import deferred
from workers.connectors.sql.sqlite import errors as sqlite_errors
from workers.connectors.sql.sqlite.options import OPTIONS
from workers.connectors.sql.sqlite.session import set_up
from workers.connectors.sql.url import address
from workers.connectors.sql.verdicts import Verdict, judge
from workers.errors import ErrorClass, HoldLevel, Phase, TargetError

if TYPE_CHECKING:
    from workers.connectors.contract import Target

INSTRUCTIONS = 20_000
"""SQLite's instructions between two looks at the clock: a millisecond or less."""
LOOKING = 1.0
"""Seconds that a look at deferred foreign keys may take, which reads tables as a whole while others wait."""


class SqliteLink(Link):
    """One connection to a SQLite file."""

    takes_several = True

    def __init__(self, connection: sqlite3.Connection, path: Path, target: Target) -> None:
        super().__init__()
        self._connection = connection
        self._path = path
        self._file = _identity(path)
        self._timeout = target.statement_timeout
        self._deadline = float("inf")
        connection.set_progress_handler(self._late, INSTRUCTIONS)
        self._busy: float | None = None
        set_up(connection, target.connect_timeout)

    def begin(self, lock: str | None, patience: float) -> None:  # noqa: ARG002 - the file has one lock for all lanes
        """As `Link.begin`."""
        self._wait(patience)
        self._connection.execute("BEGIN IMMEDIATE")
        self._wait(self._timeout)

    def begin_together(self, locks: list[str]) -> None:
        """As `Link.begin_together`; the file's lock, which is that of all lanes, is waited for."""
        self.begin(locks[0], self._timeout)

    def execute(self, statement: str) -> int:
        """As `Link.execute`."""
        before = self._connection.total_changes
        self._deadline = time.monotonic() + self._timeout
        try:
            cursor = self._connection.execute(without_nul("sqlite", statement))
            for _ in cursor:  # RETURNING and SELECT: a statement is over when its last row has been read
                pass
        finally:
            self._deadline = float("inf")
        if not self._connection.in_transaction:
            raise surprise("sqlite", "the query ended the transaction that it ran in")
        # Python counts only what begins with INSERT, UPDATE, DELETE or REPLACE, so WITH … INSERT is -1.
        return cursor.rowcount if cursor.rowcount >= 0 else self._connection.total_changes - before

    def value(self, *statements: str) -> str:
        """As `Link.value`."""
        for statement in statements[:-1]:
            self._connection.execute(statement)
        return str(self._connection.execute(statements[-1]).fetchone()[0])

    def check_deferred(self) -> bool:
        """As `Link.check_deferred`; False where it takes too long, or where nobody can tell old violations from new."""
        self._deadline = time.monotonic() + min(LOOKING, self._timeout)
        try:
            return self._no_violation()
        except sqlite3.Error:  # too late, or a foreign key that points at no unique key
            return False
        finally:
            self._deadline = float("inf")

    def commit(self) -> None:
        """As `Link.commit`."""
        self._connection.execute("COMMIT")

    def rollback(self) -> None:
        """As `Link.rollback`."""
        self._connection.execute("ROLLBACK")

    def release(self) -> None:
        """The file's lock ends with the transaction: nothing to do."""

    def judge(self, error: Exception, phase: Phase) -> TargetError:
        """As `Link.judge`."""
        return judged(error, phase)

    @property
    def lost(self) -> bool:
        """Whether the file was removed or replaced: what is written to the old one nobody reads."""
        return _identity(self._path) != self._file

    @property
    def fileno(self) -> int | None:
        """None: there is no server."""
        return None

    def close(self) -> None:
        """As `Link.close`."""
        with suppress(sqlite3.Error):
            self._connection.close()

    def abandon(self) -> None:
        """Nothing: closing a parent's connection would break the parent's locks (sqlite.org/howtocorrupt.html)."""

    def _no_violation(self) -> bool:
        """Takes the transaction back where there is a violation, and leaves another one open."""
        among = deferred.tables(self._connection)
        found = deferred.violations(self._connection, among)
        if not found:
            return True
        self._connection.execute("ROLLBACK")
        self._connection.execute("BEGIN")
        new = found - deferred.violations(self._connection, among)
        if not new:
            return False  # what was there before may have become another violation of the same row
        name, (table, *_) = "SQLITE_CONSTRAINT_FOREIGNKEY", next(iter(new))
        raise judge(sqlite_errors.VERDICTS[name], Phase.EXECUTE, f"sqlite {name}", where=f"table {table!r}")

    def _late(self) -> bool:
        return time.monotonic() > self._deadline

    def _wait(self, seconds: float) -> None:
        if seconds != self._busy:
            self._connection.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")
            self._busy = seconds


def connect(target: Target) -> SqliteLink:
    """A new link, set up. Raises only TargetError: HOLD for the CONNECTOR, or RETRY. Never makes the file."""
    path = path_of(target)
    connection = None
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=target.connect_timeout,
            isolation_level=None,
            check_same_thread=False,  # the pool hands a link to one thread at a time
        )
        return SqliteLink(connection, path, target)
    except Exception as error:
        if connection is not None:
            connection.close()
        if isinstance(error, TargetError):
            raise
        raise judged(error, Phase.CONNECT) from None


def path_of(target: Target) -> Path:
    """The file that a target is; TargetError (HOLD, CONNECTOR) where its URL names none."""
    place = address(target, OPTIONS)
    if place.host or not place.database or place.database == ":memory:":
        reason = f"the URL of connector {target.key!r} names no file; expected sqlite:///path or sqlite:////path"
        raise TargetError(ErrorClass.HOLD, "sqlite url", reason, level=HoldLevel.CONNECTOR)
    return Path(place.database)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - Path.stat is three times as slow, and this runs per session
    except OSError:
        return None
    return status.st_dev, status.st_ino


def judged(error: Exception, phase: Phase) -> TargetError:
    """Whatever Python's module raises, judged."""
    detail = f"{type(error).__name__}: {error}"
    if isinstance(error, UnicodeEncodeError):
        text = "a value holds half a surrogate pair, which is no character"
        return judge(Verdict(ErrorClass.ISOLATE, text), phase, "sqlite text")
    name = sqlite_errors.named(error) if isinstance(error, sqlite3.Error) else None
    if name is not None:
        verdict, place = sqlite_errors.verdict(name, str(error)), sqlite_errors.where(str(error))
        return judge(verdict, phase, f"sqlite {name}", where=place, detail=str(error))
    # Without a code: what Python's module refuses by itself.
    if "one statement at a time" in str(error):
        return judge(sqlite_errors.SEVERAL, phase, "sqlite statements", detail=detail)
    if "too large" in str(error):
        return judge(sqlite_errors.TOO_LARGE, phase, "sqlite large", detail=detail)
    unknown = Verdict(ErrorClass.UNKNOWN, "the driver failed in an unknown way")
    return judge(unknown, phase, f"sqlite {type(error).__name__}", detail=detail)
