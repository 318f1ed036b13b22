"""Oracle 12.1 and later, by python-oracledb, thin.

The lane's lock is DBMS_LOCK's where this user may use it, else a row of the table segsync_lane; both end with the
transaction. Each session carries its lock's name as its action, by which it is found where it must be ended.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import oracledb

from workers.connectors.sql.link import MARGIN, Link, calls, encoded, surprise, without_nul
from workers.connectors.sql.oracle.connection import open_connection
from workers.connectors.sql.oracle.judging import code_of, judged, judged_connecting
from workers.connectors.sql.oracle.session import set_up
from workers.errors import ErrorClass, HoldLevel, Phase, TargetError
from workers.log import SESSION_ENDED, tell

if TYPE_CHECKING:
    from workers.connectors.contract import Target

GRACE = 5.0
"""Seconds that an ended session gets to let go of its lock."""
EXCLUSIVE = 6
"""DBMS_LOCK's word for it."""
GRANTED = (0, 4)
TIMED_OUT = 1
"""What DBMS_LOCK.REQUEST returns when the lock stays another's; 0 when it was given, 4 when it is ours already."""
NUMBERS = 2**30
"""How many locks DBMS_LOCK has."""
TABLE = "segsync_lane"
CREATE = f"CREATE TABLE {TABLE} (lane CHAR(32) PRIMARY KEY)"
# Numbers that mean here that a lock stays another's, or that a right, a package or a table is missing.
BUSY = frozenset({54, 30006})
NO_PACKAGE = frozenset({6550, 904, 942, 1031})
NO_RIGHT = frozenset({942, 1031})
NOT_THERE = frozenset({30, 26, 31})
TRANSACTION = "DBMS_TRANSACTION.LOCAL_TRANSACTION_ID"


class OracleLink(Link):
    """One connection to Oracle."""

    def __init__(self, connection: oracledb.Connection, target: Target) -> None:
        super().__init__()
        self._connection = connection
        self._cursor: Any = connection.cursor()
        self._target = target
        self._transaction: str | None = None
        self._kept: object = None
        self._limit(target.connect_timeout)
        set_up(self._cursor, target)
        self._by_package = self._may_lock()
        self._limit(target.statement_timeout)

    def begin(self, lock: str | None, patience: float) -> None:
        """As `Link.begin`: Oracle begins a transaction with its first change, so here it is made to have one."""
        if lock is not None:
            self._connection.action = lock_name(lock)
            if not self._locked_within(lock, patience):
                self._end_holders(lock)
                if not self._locked_within(lock, GRACE):
                    reason = "the lane's lock is held by a session that would not end"
                    raise TargetError(ErrorClass.RETRY, "oracle lock", reason)
        self._transaction = self._call(f"{TRANSACTION}(TRUE)", str)

    def execute(self, statement: str) -> int:
        """As `Link.execute`."""
        encoded("oracle", statement)
        rows = self.run(without_nul("oracle", statement))
        # A trigger or a function cannot commit; a procedure that is called can, and then there is another transaction.
        if calls(statement) and self._call(f"{TRANSACTION}(FALSE)", str) != self._transaction:
            raise surprise("oracle", "the query ended the transaction that it ran in")
        return rows

    def value(self, *statements: str) -> str:
        """As `Link.value`; what is NULL is Oracle's empty text."""
        for statement in statements[:-1]:
            self.run(statement)
        found = self.rows(statements[-1])[0][0]
        return "" if found is None else str(found)

    def run(self, statement: str) -> int:
        """Runs one statement and reads all that it gives; the rows that it changed."""
        self._cursor.execute(statement)
        if self._cursor.description:
            self._cursor.fetchall()
            return 0
        return max(0, int(self._cursor.rowcount))

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        """The rows of a question of our own."""
        self._cursor.execute(statement)
        found: list[tuple[object, ...]] = self._cursor.fetchall()
        return found

    def parse(self, statement: str) -> None:
        """Lets the server read a statement, which it does not run unless it is DDL."""
        self._cursor.parse(statement)

    def kill(self, session: str) -> None:
        """Ends a session, by its number and serial number; one that is gone already is fine."""
        try:
            self.run(f"ALTER SYSTEM KILL SESSION '{session}' IMMEDIATE")
        except oracledb.Error as error:
            if code_of(error) not in NOT_THERE:
                raise

    def place_of(self, error: Exception) -> int | None:
        """The character of the statement at which the server stopped, from 1; None where it does not say."""
        offset = getattr(error.args[0], "offset", 0) if error.args else 0
        return offset + 1 if offset else None

    @property
    def session(self) -> str:
        """The session's number and serial number, which no other one has."""
        return f"{self._connection.session_id},{self._connection.serial_num}"

    @property
    def version(self) -> str:
        """The server's."""
        return str(self._connection.version)

    @property
    def locks_by(self) -> str:
        """What the lane's lock is."""
        return "DBMS_LOCK" if self._by_package else f"a row of {TABLE}"

    def check_deferred(self) -> bool:
        """As `Link.check_deferred`."""
        self.run("SET CONSTRAINTS ALL IMMEDIATE")
        return True

    def commit(self) -> None:
        """As `Link.commit`."""
        self._connection.commit()

    def rollback(self) -> None:
        """As `Link.rollback`."""
        self._connection.rollback()

    def release(self) -> None:
        """The lane's lock ends with the transaction: nothing to do."""

    def judge(self, error: Exception, phase: Phase) -> TargetError:
        """As `Link.judge`."""
        return judged(error, phase)

    @property
    def lost(self) -> bool:
        """As `Link.lost`."""
        return self._kept is not None or not self._connection.is_healthy()

    @property
    def fileno(self) -> int | None:
        """As `Link.fileno`: the driver keeps its socket to itself."""
        return None

    def close(self) -> None:
        """As `Link.close`: what is open is rolled back first, lest anybody's end of a session commits it."""
        self._limit(MARGIN)
        for end in (self._connection.rollback, self._connection.close):
            with suppress(Exception):  # it is gone in any case
                end()

    def abandon(self) -> None:
        """As `Link.abandon`: the driver's own part is kept, as its end would say goodbye to the server."""
        self._kept, self._connection._impl = self._connection._impl, None  # noqa: SLF001 - there is no other way

    def _limit(self, seconds: float) -> None:
        """How long each call may take from now on; then the driver breaks it off (DPY-4024)."""
        self._connection.call_timeout = max(1, round(seconds * 1000))

    def _may_lock(self) -> bool:
        """Whether DBMS_LOCK is granted: asked by sleeping no time at all."""
        try:
            self._cursor.execute("BEGIN DBMS_LOCK.SLEEP(0); END;")
        except oracledb.Error as error:
            if code_of(error) not in NO_PACKAGE:
                raise
            return False
        return True

    def _locked_within(self, lock: str, patience: float) -> bool:
        # Waiting for a lock is no statement of the user's: its timeout does not count here.
        self._limit(patience + MARGIN)
        try:
            return self._request(lock, patience) if self._by_package else self._lock_row(lock, patience)
        finally:
            self._limit(self._target.statement_timeout)

    def _request(self, lock: str, patience: float) -> bool:
        wait = round(patience + 0.49)
        got = self._call(f"DBMS_LOCK.REQUEST({lock_number(lock)}, {EXCLUSIVE}, {wait}, TRUE)", int)
        if got in GRANTED:
            return True
        if got == TIMED_OUT:
            return False
        raise TargetError(ErrorClass.RETRY, "oracle lock", f"DBMS_LOCK gives no lock now ({got})")

    def _lock_row(self, lock: str, patience: float) -> bool:
        lane = hashlib.blake2b(lock.encode(), digest_size=16).hexdigest()
        try:
            # A row that another session is inserting at this moment is waited for by the unique key, then met.
            self.run(
                f"INSERT INTO {TABLE} (lane) SELECT '{lane}' FROM dual"
                f" WHERE NOT EXISTS (SELECT 1 FROM {TABLE} WHERE lane = '{lane}')"
            )
            self._connection.commit()
            self.run(f"SELECT lane FROM {TABLE} WHERE lane = '{lane}' FOR UPDATE WAIT {round(patience + 0.49)}")
        except oracledb.Error as error:
            if code_of(error) in BUSY:
                return False
            if code_of(error) in NO_RIGHT:
                reason = (
                    "this user has no lock: expected GRANT EXECUTE ON SYS.DBMS_LOCK to it, or the table that"
                    f" {CREATE} makes"
                )
                raise TargetError(ErrorClass.HOLD, "oracle lock", reason, level=HoldLevel.CONNECTOR) from None
            raise
        return True

    def _end_holders(self, lock: str) -> None:
        self._connection.rollback()
        try:
            for session, serial in self.rows(holders(lock)):
                tell(SESSION_ENDED, session=session, connector=self._target.key, lock=lock_name(lock))
                self.kill(f"{session},{serial}")
        except oracledb.Error as error:
            if code_of(error) not in NO_RIGHT:
                raise
            reason = "the lane's lock is held by a session that this user may not see or end"
            raise TargetError(ErrorClass.RETRY, f"oracle {code_of(error)}", reason) from None

    def _call(self, function: str, kind: type) -> Any:  # noqa: ANN401 - as the function has it
        """A function of PL/SQL's."""
        answer = self._cursor.var(kind)
        self._cursor.execute(f"BEGIN :answer := {function}; END;", answer=answer)
        return answer.getvalue()


def holders(lock: str) -> str:
    """Asks which other sessions carry a lock's name."""
    return (
        f"SELECT sid, serial# FROM v$session WHERE action = '{lock_name(lock)}'"
        " AND sid <> TO_NUMBER(SYS_CONTEXT('USERENV', 'SID'))"
    )


def lock_number(lock: str) -> int:
    """The lane's lock as DBMS_LOCK takes it: 30 bits, so two lanes may meet, and then wait for each other."""
    return int.from_bytes(hashlib.blake2b(lock.encode(), digest_size=8).digest()) % NUMBERS


def lock_name(lock: str) -> str:
    """The lane's lock as a session carries it: an action has at most 32 bytes.

    >>> lock_name("installation/crm-segments/7")
    'segsync:27f24f7bb42a5af3a8a5e5d2'
    """
    return f"segsync:{hashlib.blake2b(lock.encode(), digest_size=12).hexdigest()}"


def connect(target: Target) -> OracleLink:
    """A new link, set up and asserted. Raises only TargetError: HOLD for the CONNECTOR, or RETRY."""
    connection = None
    try:
        connection = open_connection(target)
        return OracleLink(connection, target)
    except Exception as error:
        if connection is not None:
            connection.close()
        if isinstance(error, TargetError):
            raise
        raise judged_connecting(error) from None
