"""PostgreSQL 12 and later, by psycopg 3 and, below its cursors, libpq.

BEGIN and the lane's lock go in one string (simple protocol), which ends with the transaction: one round trip. A user's
statement with a semicolon anywhere, in a value too, goes by the extended protocol, without parameters: the server
itself then refuses a second statement in it. That takes a third longer than the simple one, which will do where there
is no semicolon, and so no second statement (postgresql.org/docs/current/protocol-flow.html).
"""

from __future__ import annotations

import hashlib
import os
import select
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo

from workers.connectors.sql.link import MARGIN, Link, encoded, surprise, without_nul
from workers.connectors.sql.postgresql.connection import parameters
from workers.connectors.sql.postgresql.judging import Silent, judged, judged_connecting
from workers.connectors.sql.postgresql.session import held, lock_limit, milliseconds, set_up, statement_limit
from workers.errors import ErrorClass, Phase, TargetError
from workers.log import SESSION_ENDED, tell

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

    from workers.connectors.contract import Target

GRACE = 5.0
"""Seconds that an ended session gets to let go of its lock."""
FINE = frozenset({pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK})
FAILED = frozenset({pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE})
# What the server may say that it has done (rule 21).
TAGS = frozenset({b"INSERT", b"UPDATE", b"DELETE", b"MERGE", b"SELECT", b"CALL"})
BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"


class PostgresqlLink(Link):
    """One connection to PostgreSQL."""

    takes_several = True

    def __init__(self, connection: psycopg.Connection, target: Target) -> None:
        super().__init__()
        self._connection = connection
        self._libpq = connection.pgconn
        self._libpq.nonblocking = 1
        self._target = target
        self._silent = False
        self._answers = select.poll()
        self._answers.register(self._libpq.socket, select.POLLIN)
        set_up(self, target)

    def begin(self, lock: str | None, patience: float) -> None:
        """As `Link.begin`."""
        if lock is None:
            self.run(BEGIN)
        elif not self._begin_with(lock_number(lock)):
            self._wait_for(lock_number(lock), patience)

    def begin_together(self, locks: list[str]) -> None:
        """As `Link.begin_together`, in one round trip."""
        numbers = ", ".join(str(lock_number(lock)) for lock in locks)
        ask = f"SELECT bool_and(pg_try_advisory_xact_lock(lock)) FROM unnest(ARRAY[{numbers}]::bigint[]) AS lock"
        if self.run(f"{BEGIN}; {ask}")[-1].get_value(0, 0) != b"t":
            raise TargetError(ErrorClass.RETRY, "postgresql lock", "another session holds the lock of one of the lanes")

    def execute(self, statement: str) -> int:
        """As `Link.execute`."""
        data = encoded("postgresql", without_nul("postgresql", statement))
        if b";" in data:
            self._libpq.send_query_params(data, None)
        else:
            self._libpq.send_query(data)
        result = self._results(self._target.statement_timeout)[-1]
        self._check(result)
        return result.command_tuples or 0

    def value(self, *statements: str) -> str:
        """As `Link.value`, in one round trip."""
        return (self.run("; ".join(statements))[-1].get_value(0, 0) or b"").decode()

    def check_deferred(self) -> bool:
        """As `Link.check_deferred`."""
        self.run("SET CONSTRAINTS ALL IMMEDIATE")
        return True

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
        return judged(error, phase)

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
        self.has_sent()
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
        if not held(self, self._target):
            raise surprise("postgresql", "the query changed a setting that gives literals their meaning")

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
        waiting = f"SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = {milliseconds(patience)}"
        usual = f"SET LOCAL statement_timeout = {statement_limit(self._target)}; SET LOCAL lock_timeout = "
        usual += str(lock_limit(self._target))
        try:
            self.run(f"{waiting}; SELECT pg_advisory_xact_lock({lock}); {usual}", patience)
        except psycopg.errors.LockNotAvailable:
            self.run("ROLLBACK")
            return False
        return True

    def _end_holders(self, lock: int) -> None:
        high, low = (lock >> 32) & 0xFFFFFFFF, lock & 0xFFFFFFFF
        tell(SESSION_ENDED, session="of another worker", connector=self._target.key, lock=lock)
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
    words = parameters(target)
    connection = None
    try:
        connection = psycopg.connect(make_conninfo(**words), autocommit=True)
        return PostgresqlLink(connection, target)
    except Exception as error:
        if connection is not None:
            connection.close()
        if isinstance(error, TargetError):
            raise
        raise judged_connecting(error) from None
