"""What PostgreSQL says of itself.

EXPLAIN without ANALYZE finds what PREPARE does not: missing rights, and ON CONFLICT without its unique key. A READ
ONLY transaction takes it, so nothing can be changed even by a function that planning calls. CALL cannot be explained.
Tried on PostgreSQL 18.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import psycopg

from workers.connectors.inspection import Refusal, Step, failed, taken
from workers.connectors.sql.postgresql.link import connect, lock_number
from workers.connectors.sql.postgresql.tables import Tables
from workers.errors import Phase, TargetError

if TYPE_CHECKING:
    from workers.connectors.contract import Target
    from workers.connectors.inspection import Table
    from workers.connectors.sql.postgresql.tables import Row

OLDEST = 120000
"""As `server_version_num` has it: 12, the oldest that segsync was tried on."""
PATIENCE = 2.0
"""Seconds for a lock that nobody can hold: its name was made up a moment ago."""
BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY"
EXPLAIN = "EXPLAIN (COSTS OFF) "


class PostgresqlExamined:
    """`examining.Examined` on PostgreSQL."""

    dialect = "postgresql"

    def __init__(self, target: Target) -> None:
        self._target = target
        self._link = connect(target)

    def steps(self) -> list[Step]:
        """As `Examined.steps`."""
        looks = {
            "version": self._version,
            "direct": self._direct,
            "lock": self._lock,
            "ending": self._ending,
            "writes": self._writes,
        }
        return taken(looks, lambda: self._link.lost)

    def explain(self, statement: str) -> Refusal | None:
        """As `Examined.explain`: EXPLAIN in a transaction that may only read and is rolled back."""
        self._ask(BEGIN)
        try:
            self._link.run(EXPLAIN + statement)
        except Exception as error:  # noqa: BLE001 - drivers raise more than their own errors; judge knows them all
            return self._refused(error)
        finally:
            if not self._link.lost:
                self._ask("ROLLBACK")
        return None

    def table(self, schema: str, name: str) -> Table | None:
        """As `Examined.table`."""
        return Tables(self._ask).table(schema, name)

    def close(self) -> None:
        """As `Examined.close`."""
        self._link.close()

    # --- The server ---------------------------------------------------------------------------------------------

    def _version(self) -> Step:
        ((text, number),) = self._ask("SELECT current_setting('server_version'), current_setting('server_version_num')")
        if int(number or 0) < OLDEST:
            return Step("version", "mistake", f"PostgreSQL {text} is too old; expected 12 or later")
        return Step("version", "fine", f"PostgreSQL {text}")

    def _lock(self) -> Step:
        try:
            self._link.begin(f"check {secrets.token_hex(8)}", PATIENCE)
            self._link.rollback()
        except Exception as error:  # noqa: BLE001 - as in `explain`
            return failed("lock", self._link.judge(error, Phase.LOCK))
        return Step("lock", "fine", "a lock can be taken (pg_advisory_xact_lock)")

    def _ending(self) -> Step:
        """Ends a second session of our own, as the next deliverer of a lane would (rule 19)."""
        other = PostgresqlExamined(self._target)
        number = lock_number(f"check {secrets.token_hex(8)}")
        try:
            other._ask(BEGIN)
            other._ask(f"SELECT pg_advisory_xact_lock({number})")
            ended = self._ask(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
                f" AND classid = {(number >> 32) & 0xFFFFFFFF} AND objid = {number & 0xFFFFFFFF} AND objsubid = 1"
                " AND pid <> pg_backend_pid()"
            )
        finally:
            other.close()
        if ended != [("t",)]:
            return Step(
                "ending", "mistake", "a session that holds a lock cannot be seen and ended; is a pooler between?"
            )
        return Step("ending", "fine", "may end a session of its own user")

    def _direct(self) -> Step:
        """A pooler answers the login with a number of its own; in transaction mode a link changes its session."""
        told, real = self._link._libpq.backend_pid, self._session()  # noqa: SLF001 - what libpq was told at login
        remedy = "expected the server's own address, or session mode with a session for each link"
        try:
            changes = self._changes(real)
        except TargetError as error:
            return Step("direct", "mistake", f"a second link gets no session of its own ({error}); {remedy}")
        if changes:
            what = (
                "a pooler in transaction mode is between (such as PgBouncer), so the settings that escaping relies on "
                f"go astray; {remedy}"
            )
            return Step("direct", "mistake", what)
        if told != real:
            return Step("direct", "warning", f"a pooler is between, in session mode as it seems; {remedy}")
        return Step("direct", "fine", "no pooler between")

    def _changes(self, real: int) -> bool:
        """Whether the session is another one while a second link is in a transaction."""
        other = PostgresqlExamined(self._target)
        try:
            other._ask(BEGIN)
            return self._session() != real
        finally:
            other.close()

    def _session(self) -> int:
        return int(self._ask("SELECT pg_backend_pid()")[0][0] or 0)

    def _writes(self) -> Step:
        ((replica, read_only),) = self._ask("SELECT pg_is_in_recovery(), current_setting('transaction_read_only')")
        if replica == "t":
            return Step("writes", "mistake", "the server is a replica; expected the URL of the primary")
        if read_only == "on":
            what = (
                "transactions may only read here: default_transaction_read_only is on for the user, database or server"
            )
            return Step("writes", "mistake", what)
        return Step("writes", "fine", "the server takes changes")

    # --- The link -----------------------------------------------------------------------------------------------

    def _ask(self, statement: str) -> list[Row]:
        """A question of our own; TargetError."""
        try:
            result = self._link.run(statement)[-1]
        except Exception as error:  # noqa: BLE001 - as in `explain`
            raise self._link.judge(error, Phase.LOCK) from None
        columns = range(result.nfields)
        return [tuple(_text(result.get_value(row, column)) for column in columns) for row in range(result.ntuples)]

    def _refused(self, error: Exception) -> Refusal:
        judged = self._link.judge(error, Phase.EXECUTE)
        if self._link.lost:
            raise judged from None
        return Refusal(_short(judged, error), _position(error))


def _short(judged: TargetError, error: Exception) -> TargetError:
    """The error with the server's sentence and hint, without the picture of the statement that libpq adds."""
    if isinstance(error, psycopg.Error) and error.diag.message_primary:
        said = (error.diag.message_primary, error.diag.message_hint)
        judged.detail = "; ".join(part for part in said if part)
    return judged


def _position(error: Exception) -> int | None:
    place = error.diag.statement_position if isinstance(error, psycopg.Error) else None
    return int(place) - len(EXPLAIN) if place and int(place) > len(EXPLAIN) else None


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()
