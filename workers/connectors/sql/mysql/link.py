"""MySQL 5.7 and later, MariaDB 10.4 and later, by PyMySQL.

A lane's lock is GET_LOCK: held by the session over its transactions until others are taken or the session rests.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

import pymysql
from pymysql.constants import SERVER_STATUS

from workers.connectors.sql.link import MARGIN, Link, calls, encoded, surprise
from workers.connectors.sql.mysql.codes import VERDICTS
from workers.connectors.sql.mysql.connection import open_connection
from workers.connectors.sql.mysql.judging import code_of, judged, timed_out
from workers.connectors.sql.mysql.session import set_up
from workers.connectors.sql.verdicts import judge
from workers.errors import ErrorClass, Phase, TargetError
from workers.log import SESSION_ENDED, SESSION_STUCK, tell

if TYPE_CHECKING:
    from workers.connectors.contract import Target
    from workers.connectors.sql.mysql.connection import Connection

GRACE = 5.0
"""Seconds that an ended session gets to let go of its lock."""


class MysqlLink(Link):
    """One connection to MySQL or MariaDB."""

    takes_several = True

    def __init__(self, connection: Connection, target: Target) -> None:
        super().__init__()
        self._connection = connection
        self._target = target
        self._mariadb = "mariadb" in connection.get_server_info().lower()
        self._locks: list[str] = []
        self._id, self._largest = set_up(connection, target, mariadb=self._mariadb)

    def begin(self, lock: str | None, patience: float) -> None:
        """As `Link.begin`."""
        if lock is not None and [lock_name(lock)] != self._locks:
            self._take(lock_name(lock), patience)
        self._start()

    def begin_together(self, locks: list[str]) -> None:
        """As `Link.begin_together`."""
        old, self._locks = self._locks, [lock_name(lock) for lock in locks]
        if not all(self._get_locks(self._locks, 0, old)):
            raise TargetError(ErrorClass.RETRY, "mysql lock", "another session holds the lock of one of the lanes")
        self._start()

    def execute(self, statement: str) -> int:
        """As `Link.execute`."""
        data = encoded("mysql", statement)
        # One byte goes before the statement. The server would cut the link, which looks like an outage.
        if len(data) + 1 >= self._largest:
            raise judge(VERDICTS[1153], Phase.EXECUTE, "mysql 1153")
        self._connection.sent = self.has_sent
        try:
            rows = self._call(data) if calls(statement) else self._connection.run(data)
        except pymysql.Error as error:
            if timed_out(error):
                self._kill()
            raise
        self._check()
        return max(rows, 0)

    def value(self, *statements: str) -> str:
        """As `Link.value`."""
        for statement in statements[:-1]:
            self._connection.run(statement.encode())
        return str(self._connection.row(statements[-1])[0])

    def commit(self) -> None:
        """As `Link.commit`."""
        self._connection.run(b"COMMIT")

    def rollback(self) -> None:
        """As `Link.rollback`."""
        self._connection.run(b"ROLLBACK")

    def release(self) -> None:
        """As `Link.release`."""
        if self._locks:
            locks, self._locks = self._locks, []
            self._connection.run(f"DO {', '.join(map(_release, locks))}".encode())

    def judge(self, error: Exception, phase: Phase) -> TargetError:
        """As `Link.judge`."""
        return judged(error, phase)

    @property
    def lost(self) -> bool:
        """As `Link.lost`."""
        return not self._connection.open

    @property
    def fileno(self) -> int | None:
        """As `Link.fileno`."""
        return self._connection.socket_number

    def close(self) -> None:
        """As `Link.close`."""
        if not self.lost:
            self._connection.limit(MARGIN)
            self._connection.close()

    def abandon(self) -> None:
        """As `Link.abandon`."""
        self._connection.hang_up()

    def _call(self, statement: bytes) -> int:
        """A procedure that commits and begins again leaves no trace in the server's report, but no savepoint either."""
        self._connection.run(f"SAVEPOINT {SAVEPOINT}".encode())
        rows = self._connection.run(statement)
        self._check()
        try:
            self._connection.run(f"RELEASE SAVEPOINT {SAVEPOINT}".encode())
        except pymysql.Error as error:
            if code_of(error) != NO_SUCH_SAVEPOINT:
                raise
            raise surprise("mysql", "the query ended the transaction that it ran in") from None
        return rows

    def _check(self) -> None:
        status = self._connection.server_status
        if not status & SERVER_STATUS.SERVER_STATUS_IN_TRANS:
            raise surprise("mysql", "the query ended the transaction that it ran in")
        if status & SERVER_STATUS.SERVER_STATUS_NO_BACKSLASH_ESCAPES:
            raise surprise("mysql", "the query changed sql_mode, which escaping relies on")

    def _start(self) -> None:
        self._connection.run(b"START TRANSACTION")
        self._check()

    def _take(self, lock: str, patience: float) -> None:
        old, self._locks = self._locks, []
        if not all(self._get_locks([lock], patience, old)):
            self._end_holder(lock)
            if not all(self._get_locks([lock], GRACE, [])):
                reason = "the lane's lock is held by a session that would not end"
                raise TargetError(ErrorClass.RETRY, "mysql lock", reason)
        self._locks = [lock]

    def _get_locks(self, locks: list[str], patience: float, old: list[str]) -> list[object]:
        """Of each lock whether it was got within so many seconds; the old ones are let go before."""
        asked = [*map(_release, old), *(f"GET_LOCK('{lock}', {math.ceil(patience)})" for lock in locks)]
        # Waiting for a lock is no statement of the user's: its timeout does not count here.
        prefix = "SET STATEMENT max_statement_time = 0 FOR " if self._mariadb else ""
        self._connection.limit(patience * len(locks) + MARGIN)
        row = self._connection.row(f"{prefix}SELECT {', '.join(asked)}")
        self._connection.limit(self._target.statement_timeout + MARGIN)
        return list(row[len(old) :])

    def _end_holder(self, lock: str) -> None:
        (holder,) = self._connection.row(f"SELECT IS_USED_LOCK('{lock}')")
        if holder is None:
            return
        tell(SESSION_ENDED, session=holder, connector=self._target.key, lock=lock)
        try:
            self._connection.run(f"KILL {int(holder)}".encode())
        except pymysql.Error as error:
            if code_of(error) == NO_SUCH_SESSION:
                return
            reason = "the lane's lock is held by a session that this user may not end"
            raise TargetError(ErrorClass.RETRY, f"mysql {code_of(error)}", reason) from None

    def _kill(self) -> None:
        """Ends the statement that we no longer wait for: MySQL itself has no timeout for changes (rule 20)."""
        try:
            connection = open_connection(self._target)
            try:
                connection.run(f"KILL {self._id}".encode())
            finally:
                connection.close()
        except Exception:  # noqa: BLE001 - it may be out of reach altogether; the timeout is what is reported
            tell(SESSION_STUCK, session=self._id, connector=self._target.key)


# Codes of https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html that mean nothing is lost here.
NO_SUCH_SESSION = 1094
NO_SUCH_SAVEPOINT = 1305
SAVEPOINT = "segsync_call"


def _release(lock: str) -> str:
    return f"RELEASE_LOCK('{lock}')"


def lock_name(lock: str) -> str:
    """The lane's lock as GET_LOCK takes it: at most 64 characters, and MySQL compares them without case.

    >>> lock_name("installation/crm-segments/7")
    'segsync:5e0c1b6a7b6dbd1e2e47b3c4a03a1b90'
    """
    return f"segsync:{hashlib.blake2b(lock.encode(), digest_size=16).hexdigest()}"


def connect(target: Target) -> MysqlLink:
    """A new link, set up and asserted. Raises only TargetError: HOLD for the CONNECTOR, or RETRY."""
    connection = None
    try:
        connection = open_connection(target)
        return MysqlLink(connection, target)
    except Exception as error:
        if connection is not None:
            connection.hang_up()
        if isinstance(error, TargetError):
            raise
        raise judged(error, Phase.CONNECT) from None
