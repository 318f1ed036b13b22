"""SQL Server 2016 and later and Azure SQL Database, by python-tds.

The lane's lock is sp_getapplock, owned by the transaction: it ends with it, and one batch begins both. All statements
of a query go in one batch (docs/templates.md).
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from workers.connectors.sql.link import MARGIN, Link, encoded, surprise
from workers.connectors.sql.mssql.connection import Refused, TdsConnection, open_connection
from workers.connectors.sql.mssql.errors import OVERSIZE
from workers.connectors.sql.mssql.judging import judged, judged_connecting
from workers.connectors.sql.mssql.session import set_up
from workers.connectors.sql.verdicts import judge
from workers.errors import ErrorClass, HoldLevel, Phase, TargetError
from workers.log import SESSION_ENDED, SESSION_STUCK, tell

if TYPE_CHECKING:
    from workers.connectors.contract import Target

GRACE = 5.0
"""Seconds that an ended session gets to let go of its lock."""
HEADERS = 22
"""Bytes before the text of a batch (MS-TDS 2.2.5.3, ALL_HEADERS)."""
BEGIN = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; BEGIN TRANSACTION"
GRANTED = (0, 1)
TIMED_OUT = -1
"""What sp_getapplock returns when the lock stays another's; 0 and 1 when it was given."""
INTERRUPTED = (-2, -3)
NOT_ACTIVE = 6106
"""The error of KILL for a session that has ended by itself."""
NO_RIGHT = frozenset({229, 262, 297, 300, 371, 6102})


class MssqlLink(Link):
    """One connection to SQL Server."""

    def __init__(self, connection: TdsConnection, target: Target) -> None:
        super().__init__()
        self._connection = connection
        self._target = target
        self._transaction = 0
        self._id = set_up(connection, target)
        self._database = connection.database

    def begin(self, lock: str | None, patience: float) -> None:
        """As `Link.begin`."""
        if lock is None:
            self._run(BEGIN)
        elif not self._lock(lock_name(lock), 0, BEGIN):
            self._wait_for(lock_name(lock), patience)
        self._transaction = self._connection.transaction
        self._check()

    def execute(self, statement: str) -> int:
        """As `Link.execute`."""
        encoded("mssql", statement)
        if 2 * len(statement) + HEADERS >= self._connection.largest:
            raise judge(OVERSIZE, Phase.EXECUTE, "mssql size")
        rows = self._run(statement)
        self._check()
        return rows

    def value(self, *statements: str) -> str:
        """As `Link.value`."""
        for statement in statements[:-1]:
            self._run(statement)
        found = self.rows(statements[-1])[0][0]
        return "" if found is None else str(found)

    def rows(self, statement: str, seconds: float | None = None) -> list[tuple[object, ...]]:
        """The rows of a question of our own; raises what the driver raises."""
        return self._connection.rows(statement, self._limit() if seconds is None else seconds)

    def check_deferred(self) -> bool:
        """As `Link.check_deferred`: SQL Server checks everything with the statement."""
        return True

    def commit(self) -> None:
        """As `Link.commit`."""
        self._run("COMMIT TRANSACTION")
        if self._connection.transaction:
            # It was begun more than once, and this has ended the innermost alone; the link goes, and rolls back.
            raise surprise("mssql", "the query began a transaction of its own and did not end it")

    def rollback(self) -> None:
        """As `Link.rollback`."""
        self._run("IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION")

    def release(self) -> None:
        """The lane's lock ends with the transaction: nothing to do."""

    def judge(self, error: Exception, phase: Phase) -> TargetError:
        """As `Link.judge`."""
        return judged(error, phase)

    @property
    def lost(self) -> bool:
        """As `Link.lost`."""
        return self._connection.lost

    @property
    def fileno(self) -> int | None:
        """As `Link.fileno`."""
        return self._connection.fileno

    def close(self) -> None:
        """As `Link.close`."""
        self._connection.close()

    def abandon(self) -> None:
        """As `Link.abandon`: nothing is said on the wire; the descriptor is closed in this process alone."""
        if (number := self._connection.fileno) is not None:
            os.close(number)
        self._connection.lost = True

    def _limit(self) -> float:
        return self._target.statement_timeout

    def _run(self, batch: str) -> int:
        """A batch within the statement's time: SQL Server itself has no limit for statements (rule 20)."""
        try:
            return self._connection.run(batch, self._limit())
        except TimeoutError:
            if not self._connection.cancel(MARGIN):
                tell(SESSION_STUCK, session=self._id, connector=self._target.key)
            self._connection.close()
            raise

    def _check(self) -> None:
        """A procedure that commits and begins again has another transaction, with another number."""
        if not self._transaction or self._connection.transaction != self._transaction:
            raise surprise("mssql", "the query ended the transaction that it ran in")
        if self._connection.database != self._database:
            raise surprise("mssql", "the query changed the session's database")

    def _wait_for(self, lock: str, patience: float) -> None:
        if self._lock(lock, patience):
            return
        self._run("ROLLBACK TRANSACTION")
        self._end_holder(lock)
        if not self._lock(lock, GRACE, BEGIN):
            reason = "the lane's lock is held by a session that would not end"
            raise TargetError(ErrorClass.RETRY, "mssql lock", reason)

    def _lock(self, lock: str, patience: float, begin: str = "") -> bool:
        """Takes the lock in the open transaction, or in the one that `begin` opens; False where it stays another's."""
        got = self.rows(
            f"{begin + '; ' if begin else ''}DECLARE @got int; EXEC @got = sp_getapplock @Resource = N'{lock}',"
            f" @LockMode = 'Exclusive', @LockOwner = 'Transaction', @LockTimeout = {round(patience * 1000)};"
            " SELECT @got",
            patience + MARGIN,
        )[0][0]
        if got in GRANTED:
            return True
        if got == TIMED_OUT:
            return False
        if got in INTERRUPTED:
            raise TargetError(ErrorClass.RETRY, "mssql lock", "waiting for the lane's lock was cut short by a deadlock")
        reason = f"sp_getapplock gives no lock ({got}): expected a login that is a member of the role public"
        raise TargetError(ErrorClass.HOLD, "mssql lock", reason, level=HoldLevel.CONNECTOR)

    def _end_holder(self, lock: str) -> None:
        try:
            for (session,) in self.rows(holders(lock)):
                tell(SESSION_ENDED, session=session, connector=self._target.key, lock=lock)
                self._kill(int(str(session)))
        except Refused as error:
            if error.number not in NO_RIGHT:
                raise
            reason = "the lane's lock is held by a session that this user may not see or end"
            raise TargetError(ErrorClass.RETRY, f"mssql {error.number}", reason) from None

    def _kill(self, session: int) -> None:
        try:
            self._run(f"KILL {session}")
        except Refused as error:
            if error.number != NOT_ACTIVE:
                raise


def holders(lock: str) -> str:
    """Asks which sessions hold a lock: its name stands in brackets in the view, behind the role's number."""
    return (
        "SELECT CAST(request_session_id AS int) FROM sys.dm_tran_locks WHERE resource_type = N'APPLICATION'"
        " AND resource_database_id = DB_ID() AND request_status = N'GRANT' AND request_session_id <> @@SPID"
        f" AND resource_description LIKE N'%[[]{lock}]%'"
    )


def lock_name(lock: str) -> str:
    """The lane's lock as sp_getapplock takes it: 32 characters, which is as much of a name as the server shows.

    >>> lock_name("installation/crm-segments/7")
    'segsync:27f24f7bb42a5af3a8a5e5d2'
    """
    return f"segsync:{hashlib.blake2b(lock.encode(), digest_size=12).hexdigest()}"


def connect(target: Target) -> MssqlLink:
    """A new link, set up and asserted. Raises only TargetError: HOLD for the CONNECTOR, or RETRY."""
    connection = None
    try:
        connection = open_connection(target)
        return MssqlLink(connection, target)
    except Exception as error:
        if connection is not None:
            connection.close()
        if isinstance(error, TargetError):
            raise
        raise judged_connecting(error) from None
