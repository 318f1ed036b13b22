"""PostgreSQL 12 and later, by psycopg 3 and, below its cursors, libpq.

BEGIN and the lane's lock go in one string (simple protocol), which ends with the transaction: one round trip. A user's
statement goes by the extended protocol, without parameters: the server itself then refuses a second statement in it.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
import select
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo

from workers.connectors.sql.link import MARGIN, Link, encoded, surprise, without_nul
from workers.connectors.sql.postgresql import errors as postgresql_errors
from workers.connectors.sql.url import address
from workers.connectors.sql.verdicts import UNLISTED, Verdict, judge
from workers.errors import ErrorClass, HoldLevel, Phase, TargetError

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

    from workers.connectors.contract import Target

log = logging.getLogger(__name__)

OPTIONS = frozenset(
    {"host", "port", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "channel_binding", "gssencmode"}
    | {"target_session_attrs", "require_auth"}
)

# A transaction that waits for another one's row says so (RETRY) before the statement's timeout says less (AMBIGUOUS).
LOCK_SHARE = 0.8
GRACE = 5.0
"""Seconds that an ended session gets to let go of its lock."""
IDLE_IN_TRANSACTION = 60.0
"""Seconds beyond the statement's timeout after which the server ends a transaction that nobody goes on with."""

FINE = frozenset({pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK})
FAILED = frozenset({pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE})
# What the server may say that it has done (rule 21).
TAGS = frozenset({b"INSERT", b"UPDATE", b"DELETE", b"MERGE", b"SELECT", b"CALL"})
BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"


class Silent(Exception):
    """The server did not answer in time."""


class PostgresqlLink(Link):
    """One connection to PostgreSQL."""

    def __init__(self, connection: psycopg.Connection, target: Target) -> None:
        super().__init__()
        self._connection = connection
        self._libpq = connection.pgconn
        self._libpq.nonblocking = 1
        self._target = target
        self._silent = False
        self._answers = select.poll()
        self._answers.register(self._libpq.socket, select.POLLIN)
        _set_up(self)

    def begin(self, lock: str | None, patience: float) -> None:
        """As `Link.begin`."""
        if lock is None:
            self.run(BEGIN)
        elif not self._begin_with(lock_number(lock)):
            self._wait_for(lock_number(lock), patience)

    def execute(self, statement: str) -> int:
        """As `Link.execute`."""
        data = encoded("postgresql", without_nul("postgresql", statement))
        self._libpq.send_query_params(data, None)
        result = self._results(self._target.statement_timeout)[-1]
        self._check(result)
        return result.command_tuples or 0

    def value(self, *statements: str) -> str:
        """As `Link.value`, in one round trip."""
        return (self.run("; ".join(statements))[-1].get_value(0, 0) or b"").decode()

    def commit(self) -> None:
        """As `Link.commit`."""
        result = self.run("COMMIT")[-1]
        if result.command_status != b"COMMIT":
            # An aborted transaction answers COMMIT with ROLLBACK, and that is no error to PostgreSQL.
            raise TargetError(ErrorClass.RETRY, "postgresql commit", "the server rolled back instead of committing")

    def rollback(self) -> None:
        """As `Link.rollback`."""
        self.run("ROLLBACK")

    def release(self) -> None:
        """The lane's lock ends with the transaction: nothing to do."""

    def judge(self, error: Exception, phase: Phase) -> TargetError:
        """As `Link.judge`."""
        return _judge(error, phase)

    @property
    def lost(self) -> bool:
        """As `Link.lost`."""
        return self._silent or self._libpq.status != pq.ConnStatus.OK

    @property
    def fileno(self) -> int | None:
        """As `Link.fileno`."""
        return None if self._libpq.status != pq.ConnStatus.OK else self._libpq.socket

    def close(self) -> None:
        """As `Link.close`."""
        with suppress(psycopg.Error):
            self._connection.close()

    def abandon(self) -> None:
        """As `Link.abandon`: only the descriptor is closed; libpq does nothing more in a process not its own."""
        with suppress(OSError, psycopg.Error):
            os.close(self._libpq.socket)

    def run(self, statements: str, seconds: float | None = None) -> list[PGresult]:
        """Runs statements of our own, all in one round trip; one result for each."""
        self._libpq.send_query(statements.encode())
        return self._results(self._target.statement_timeout if seconds is None else seconds)

    def parameter(self, name: bytes) -> bytes | None:
        """What the server reports of a setting."""
        return self._libpq.parameter_status(name)

    def _results(self, seconds: float) -> list[PGresult]:
        """Everything the server answers within `seconds` and a margin; raises Silent or psycopg.Error."""
        deadline = time.monotonic() + seconds + MARGIN
        self._send(deadline)
        results = []
        while (result := self._next(deadline)) is not None:
            results.append(result)
            if result.status not in FINE and result.status not in FAILED:  # COPY would wait for us for ever
                raise surprise("postgresql", "the query came out empty, or asked for more than one answer")
        failed = [result for result in results if result.status in FAILED]
        if failed or not results:
            raise psycopg.errors.error_from_result(failed[0]) if failed else psycopg.OperationalError
        return results

    def _send(self, deadline: float) -> None:
        if not self._libpq.flush():
            return
        both = select.poll()
        both.register(self._libpq.socket, select.POLLIN | select.POLLOUT)
        while self._libpq.flush():
            # A server that does not read may be waiting for us to read.
            if self._wait(both, deadline) & select.POLLIN:
                self._libpq.consume_input()

    def _next(self, deadline: float) -> PGresult | None:
        while self._libpq.is_busy():
            self._wait(self._answers, deadline)
            try:
                self._libpq.consume_input()
            except psycopg.OperationalError:
                break  # it hung up; why it did may have been read before that, and is the result
        return self._libpq.get_result()

    def _wait(self, poll: select.poll, deadline: float) -> int:
        events = poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
        if not events:
            self._silent = True
            raise Silent
        return events[0][1]

    def _check(self, result: PGresult) -> None:
        tag = (result.command_status or b"").split(b" ")[0]
        if self._libpq.transaction_status != pq.TransactionStatus.INTRANS:
            raise surprise("postgresql", "the query ended the transaction that it ran in")
        if tag not in TAGS:
            raise surprise("postgresql", f"the query is a {tag.decode(errors='replace')}, which no query may be")
        if not _escaping_holds(self):
            raise surprise("postgresql", "the query changed a setting that escaping relies on")

    def _begin_with(self, lock: int) -> bool:
        answer = self.run(f"{BEGIN}; SELECT pg_try_advisory_xact_lock({lock})")[-1]
        return answer.get_value(0, 0) == b"t"

    def _wait_for(self, lock: int, patience: float) -> None:
        if self._locked_within(lock, patience):
            return
        self._end_holders(lock)
        self.run(BEGIN)
        if not self._locked_within(lock, GRACE):
            reason = "the lane's lock is held by a session that would not end"
            raise TargetError(ErrorClass.RETRY, "postgresql lock", reason)

    def _locked_within(self, lock: int, patience: float) -> bool:
        """Waits within the open transaction; where it was in vain the transaction is rolled back."""
        # Waiting for a lock is no statement of the user's: its timeout does not count here.
        waiting = f"SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = {_milliseconds(patience)}"
        usual = f"SET LOCAL statement_timeout = {_statement(self._target)}; SET LOCAL lock_timeout = "
        usual += str(_lock_wait(self._target))
        try:
            self.run(f"{waiting}; SELECT pg_advisory_xact_lock({lock}); {usual}", patience)
        except psycopg.errors.LockNotAvailable:
            self.run("ROLLBACK")
            return False
        return True

    def _end_holders(self, lock: int) -> None:
        high, low = (lock >> 32) & 0xFFFFFFFF, lock & 0xFFFFFFFF
        log.warning("ending the session of %s that did not give back lock %s", self._target.key, lock)
        try:
            self.run(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
                f" AND classid = {high} AND objid = {low} AND objsubid = 1 AND pid <> pg_backend_pid()"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        except psycopg.errors.InsufficientPrivilege:
            reason = "the lane's lock is held by a session that this user may not end"
            raise TargetError(ErrorClass.RETRY, "postgresql 42501", reason) from None


def lock_number(lock: str) -> int:
    """The lane's lock as PostgreSQL's advisory locks take it: 64 bits, signed."""
    return int.from_bytes(hashlib.blake2b(lock.encode(), digest_size=8).digest(), signed=True)


def connect(target: Target) -> PostgresqlLink:
    """A new link, set up and asserted. Raises only TargetError: HOLD for the CONNECTOR, or RETRY."""
    parameters = _parameters(target)
    connection = None
    try:
        connection = psycopg.connect(make_conninfo(**parameters), autocommit=True)
        return PostgresqlLink(connection, target)
    except Exception as error:
        if connection is not None:
            connection.close()
        if isinstance(error, TargetError):
            raise
        raise _judge_connecting(error) from None


def _parameters(target: Target) -> dict[str, Any]:
    place = address(target, OPTIONS)
    return {
        "host": place.host,
        "port": place.port,
        "user": place.user,
        "dbname": place.database,
        "password": target.password,
        "connect_timeout": max(1, math.ceil(target.connect_timeout)),
        "application_name": target.session_name,
        "client_encoding": "UTF8",
        # A link that died without a word is found out while it waits (half a minute) and while it sends.
        "keepalives": 1,
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": _milliseconds(target.statement_timeout + MARGIN),
        **place.options,
    }


def _set_up(link: PostgresqlLink) -> None:
    """Sets what must hold in the session and asserts it, in one round trip."""
    target = link._target  # noqa: SLF001 - a part of the link that reads better outside of it
    settings = {
        "standard_conforming_strings": "on",
        "backslash_quote": "safe_encoding",
        "statement_timeout": f"{_statement(target)}ms",
        "lock_timeout": f"{_lock_wait(target)}ms",
        "idle_in_transaction_session_timeout": f"{_milliseconds(target.statement_timeout + IDLE_IN_TRANSACTION)}ms",
    }
    calls = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in settings.items())
    answer = link.run(f"SELECT {calls}", target.connect_timeout)[-1]
    if answer.get_value(0, 1) != b"safe_encoding" or not _escaping_holds(link):
        reason = "the server did not keep the settings that escaping relies on; is there a pooler between?"
        raise TargetError(ErrorClass.HOLD, "postgresql session", reason, level=HoldLevel.CONNECTOR)


def _escaping_holds(link: PostgresqlLink) -> bool:
    return link.parameter(b"standard_conforming_strings") == b"on" and link.parameter(b"client_encoding") == b"UTF8"


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _statement(target: Target) -> int:
    return _milliseconds(target.statement_timeout)


def _lock_wait(target: Target) -> int:
    return _milliseconds(target.statement_timeout * LOCK_SHARE)


def _judge(error: Exception, phase: Phase) -> TargetError:
    if isinstance(error, Silent):
        return judge(postgresql_errors.SILENT, phase, "postgresql silent")
    if isinstance(error, psycopg.Error):
        code = f"postgresql {error.sqlstate or 'link'}"
        return judge(postgresql_errors.verdict(error.sqlstate), phase, code, where=_where(error), detail=str(error))
    unknown = Verdict(ErrorClass.UNKNOWN, "the driver failed in an unknown way")
    return judge(unknown, phase, f"postgresql {type(error).__name__}", detail=f"{type(error).__name__}: {error}")


def _judge_connecting(error: Exception) -> TargetError:
    if not isinstance(error, psycopg.OperationalError) or error.sqlstate is not None:
        return _judge(error, Phase.CONNECT)
    verdict = postgresql_errors.connecting(str(error))
    reason = UNLISTED.reason if verdict is UNLISTED else verdict.reason
    return judge(Verdict(verdict.error_class, reason), Phase.CONNECT, "postgresql connect", detail=str(error))


def _where(error: psycopg.Error) -> str:
    # Fields of their own in the protocol, which hold names from the schema and nothing else.
    names = {"table": error.diag.table_name, "column": error.diag.column_name, "constraint": error.diag.constraint_name}
    return ", ".join(f"{kind} {name!r}" for kind, name in names.items() if name)
