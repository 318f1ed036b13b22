"""MySQL 5.7 and later, MariaDB 10.4 and later, by PyMySQL.

The lane's lock is GET_LOCK: held by the session over its transactions until another one is taken or the session rests.
"""

from __future__ import annotations

import hashlib
import logging
import math
import ssl
from typing import TYPE_CHECKING, Any

import pymysql
from pymysql.constants import SERVER_STATUS

from workers.connectors.sql.link import MARGIN, Link, calls, encoded, surprise
from workers.connectors.sql.mysql import errors as mysql_errors
from workers.connectors.sql.url import Address, address
from workers.connectors.sql.verdicts import Verdict, judge
from workers.errors import ErrorClass, HoldLevel, Phase, TargetError

if TYPE_CHECKING:
    from workers.connectors.contract import Target

log = logging.getLogger(__name__)

OPTIONS = frozenset(
    {"unix_socket", "ssl_ca", "ssl_cert", "ssl_key", "ssl_verify_cert", "ssl_verify_identity", "ssl_disabled"}
)
SWITCHES = frozenset({"ssl_verify_cert", "ssl_verify_identity", "ssl_disabled"})

# Exactly these, whatever the server's default: strict, so that a value that does not fit is refused and not bent
# (STRICT_ALL_TABLES for tables without transactions); ANSI_QUOTES and NO_BACKSLASH_ESCAPES, which would make
# our escaping wrong, are not among them.
SQL_MODES = ("STRICT_TRANS_TABLES", "STRICT_ALL_TABLES", "ERROR_FOR_DIVISION_BY_ZERO", "NO_ENGINE_SUBSTITUTION")
UNSAFE_MODES = frozenset({"ANSI_QUOTES", "NO_BACKSLASH_ESCAPES"})

# A transaction that waits for another one's row says so (RETRY) before the statement's timeout says less (AMBIGUOUS).
LOCK_SHARE = 0.8
GRACE = 5.0
"""Seconds that an ended session gets to let go of its lock."""


class Connection(pymysql.Connection):  # type: ignore[misc]  # PyMySQL has no type hints
    """PyMySQL's connection, with the parts of its inside that we cannot do without."""

    def limit(self, seconds: float) -> None:
        """Seconds that one read or write may take from now on."""
        self._read_timeout = self._write_timeout = seconds

    def run(self, statement: bytes) -> int:
        """Sends one statement as it stands and drains all its results; returns the affected rows of the last."""
        rows: int = self.query(statement)
        while self._result is not None and self._result.has_next:
            rows = self.next_result()
        return rows

    def row(self, statement: str) -> tuple[Any, ...]:
        """The first row of a statement's only result."""
        self.run(statement.encode())
        row: tuple[Any, ...] = self._result.rows[0]
        return row

    @property
    def socket_number(self) -> int | None:
        """The socket's file descriptor; None where it is closed."""
        return None if self._sock is None else int(self._sock.fileno())

    def hang_up(self) -> None:
        """Closes the socket without the goodbye that `close` sends."""
        self._force_close()


class MysqlLink(Link):
    """One connection to MySQL or MariaDB."""

    def __init__(self, connection: Connection, target: Target) -> None:
        super().__init__()
        self._connection = connection
        self._target = target
        self._mariadb = "mariadb" in connection.get_server_info().lower()
        self._lock: str | None = None
        self._id, self._largest = _set_up(connection, target, mariadb=self._mariadb)

    def begin(self, lock: str | None, patience: float) -> None:
        """As `Link.begin`."""
        if lock is not None and lock_name(lock) != self._lock:
            self._take(lock_name(lock), patience)
        self._connection.run(b"START TRANSACTION")
        self._check()

    def execute(self, statement: str) -> int:
        """As `Link.execute`."""
        data = encoded("mysql", statement)
        # One byte goes before the statement. The server would cut the link, which looks like an outage.
        if len(data) + 1 >= self._largest:
            raise judge(mysql_errors.VERDICTS[1153], Phase.EXECUTE, "mysql 1153")
        try:
            rows = self._call(data) if calls(statement) else self._connection.run(data)
        except pymysql.Error as error:
            if _timed_out(error):
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
        if self._lock is not None:
            lock, self._lock = self._lock, None
            self._connection.run(f"DO RELEASE_LOCK('{lock}')".encode())

    def judge(self, error: Exception, phase: Phase) -> TargetError:
        """As `Link.judge`."""
        return _judge(error, phase)

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
            if _code(error) != NO_SUCH_SAVEPOINT:
                raise
            raise surprise("mysql", "the query ended the transaction that it ran in") from None
        return rows

    def _check(self) -> None:
        status = self._connection.server_status
        if not status & SERVER_STATUS.SERVER_STATUS_IN_TRANS:
            raise surprise("mysql", "the query ended the transaction that it ran in")
        if status & SERVER_STATUS.SERVER_STATUS_NO_BACKSLASH_ESCAPES:
            raise surprise("mysql", "the query changed sql_mode, which escaping relies on")

    def _take(self, lock: str, patience: float) -> None:
        old, self._lock = self._lock, None
        if not self._get_lock(lock, patience, old):
            self._end_holder(lock)
            if not self._get_lock(lock, GRACE):
                reason = "the lane's lock is held by a session that would not end"
                raise TargetError(ErrorClass.RETRY, "mysql lock", reason)
        self._lock = lock

    def _get_lock(self, lock: str, patience: float, old: str | None = None) -> bool:
        release = f"RELEASE_LOCK('{old}')" if old else "NULL"
        # Waiting for a lock is no statement of the user's: its timeout does not count here.
        prefix = "SET STATEMENT max_statement_time = 0 FOR " if self._mariadb else ""
        self._connection.limit(patience + MARGIN)
        row = self._connection.row(f"{prefix}SELECT {release}, GET_LOCK('{lock}', {math.ceil(patience)})")
        self._connection.limit(self._target.statement_timeout + MARGIN)
        return bool(row[1])

    def _end_holder(self, lock: str) -> None:
        (holder,) = self._connection.row(f"SELECT IS_USED_LOCK('{lock}')")
        if holder is None:
            return
        log.warning("ending session %s of %s, which did not give back lock %s", holder, self._target.key, lock)
        try:
            self._connection.run(f"KILL {int(holder)}".encode())
        except pymysql.Error as error:
            if _code(error) == NO_SUCH_SESSION:
                return
            reason = "the lane's lock is held by a session that this user may not end"
            raise TargetError(ErrorClass.RETRY, f"mysql {_code(error)}", reason) from None

    def _kill(self) -> None:
        """Ends the statement that we no longer wait for: MySQL itself has no timeout for changes (rule 20)."""
        try:
            connection = _connect(self._target)
            try:
                connection.run(f"KILL {self._id}".encode())
            finally:
                connection.close()
        except Exception:  # noqa: BLE001 - it may be out of reach altogether; the timeout is what is reported
            log.warning("session %s of %s took too long and could not be ended", self._id, self._target.key)


NO_SUCH_SESSION = 1094
NO_SUCH_SAVEPOINT = 1305
SAVEPOINT = "segsync_call"


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
        connection = _connect(target)
        return MysqlLink(connection, target)
    except Exception as error:
        if connection is not None:
            connection.hang_up()
        if isinstance(error, TargetError):
            raise
        raise _judge(error, Phase.CONNECT) from None


def _connect(target: Target) -> Connection:
    place = address(target, OPTIONS)
    return Connection(
        host=place.host,
        port=place.port or 0,
        user=place.user,
        # As bytes: PyMySQL would take text for Latin-1.
        password=(target.password or "").encode(),
        database=place.database,
        charset="utf8mb4",
        # Transactions are opened by START TRANSACTION; after anything that ends one the server's report then says so,
        # while without autocommit the next one would have begun unseen.
        autocommit=True,
        program_name=target.session_name,
        connect_timeout=target.connect_timeout,
        # Until the session is set up; then `limit` says what a statement may take.
        read_timeout=target.connect_timeout,
        write_timeout=target.connect_timeout,
        **_options(place),
    )


def _options(place: Address) -> dict[str, str | bool]:
    return {name: _switch(name, text) if name in SWITCHES else text for name, text in place.options.items()}


def _switch(name: str, text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        reason = f"parameter {name!r} of the URL is {text!r}; expected 'true' or 'false'"
        raise TargetError(ErrorClass.HOLD, "mysql url", reason, level=HoldLevel.CONNECTOR)
    return text.lower() == "true"


def _set_up(connection: Connection, target: Target, *, mariadb: bool) -> tuple[int, int]:
    """Sets what must hold in the session and asserts it; returns its id and the largest packet."""
    wait = max(1, int(target.statement_timeout * LOCK_SHARE))
    # Else a server's init_connect could have taken it away without the driver's noticing.
    limits = f"autocommit = 1, innodb_lock_wait_timeout = {wait}, lock_wait_timeout = {wait}"
    if mariadb:  # MySQL has a timeout for SELECT only
        limits += f", max_statement_time = {target.statement_timeout:.3f}"
    connection.run(f"SET SESSION sql_mode = '{','.join(SQL_MODES)}', {limits}".encode())
    # The isolation level cannot share a SET with other variables.
    connection.run(b"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
    isolation = "@@tx_isolation" if mariadb else "@@transaction_isolation"
    session, largest, modes, charset, autocommit, level = connection.row(
        f"SELECT CONNECTION_ID(), @@max_allowed_packet, @@sql_mode, @@character_set_client, @@autocommit, {isolation}"
    )
    _expect(set(modes.split(",")) >= set(SQL_MODES), "sql_mode", modes)
    _expect(UNSAFE_MODES.isdisjoint(modes.split(",")), "sql_mode", modes)
    _expect(charset == "utf8mb4", "character_set_client", charset)
    _expect(int(autocommit) == 1, "autocommit", str(autocommit))
    _expect(level == "READ-COMMITTED", "the isolation level", level)
    connection.limit(target.statement_timeout + MARGIN)
    return int(session), int(largest)


def _expect(holds: bool, name: str, found: str) -> None:
    if not holds:
        reason = f"{name} is {found!r} although the session has set it; is there a proxy that changes sessions?"
        raise TargetError(ErrorClass.HOLD, "mysql session", reason, level=HoldLevel.CONNECTOR)


def _judge(error: Exception, phase: Phase) -> TargetError:
    if not isinstance(error, pymysql.Error):
        return _judge_foreign(error, phase)
    code = _code(error)
    message = str(error.args[1]) if len(error.args) > 1 else ""
    place = mysql_errors.where(code, message)
    return judge(_verdict(error, code, phase), phase, f"mysql {code}", where=place, detail=message)


def _verdict(error: pymysql.Error, code: int, phase: Phase) -> Verdict:
    cause = getattr(error, "original_exception", None) or error.__context__
    if isinstance(cause, ssl.SSLError) and phase is Phase.CONNECT:
        return mysql_errors.VERDICTS[2026]
    if _timed_out(error) and phase is Phase.EXECUTE:
        return mysql_errors.TIMEOUT
    return mysql_errors.verdict(code)


def _judge_foreign(error: Exception, phase: Phase) -> TargetError:
    # PyMySQL raises RuntimeError where a login needs the package `cryptography`, OSError for TLS files, and more.
    detail = f"{type(error).__name__}: {error}"
    if isinstance(error, RuntimeError) and "cryptography" in str(error):
        missing = "this account's login without TLS needs the Python package 'cryptography'"
        return judge(Verdict(ErrorClass.HOLD, missing), phase, "mysql login", detail=detail)
    if isinstance(error, OSError) and phase is Phase.CONNECT:
        unreadable = "a file that the URL names for TLS cannot be used"
        return judge(Verdict(ErrorClass.HOLD, unreadable), phase, "mysql tls", detail=detail)
    unknown = Verdict(ErrorClass.UNKNOWN, "the driver failed in an unknown way")
    return judge(unknown, phase, f"mysql {type(error).__name__}", detail=detail)


def _code(error: pymysql.Error) -> int:
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0


def _timed_out(error: pymysql.Error) -> bool:
    return isinstance(error.__context__, TimeoutError)
