"""What python-oracledb gives, as segsync uses it, over a real PostgreSQL: connections, cursors, errors.

The driver's own protocol is not spoken: only its Python side is played, with its own classes of errors. PostgreSQL
runs what both databases write in the same way, in real transactions; DBMS_LOCK, DBMS_TRANSACTION, v$session and the
session's settings are played. Of Oracle's own language it shows nothing.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

import psycopg
from oracledb.errors import _Error

from tests.servers.locks import Locks
from workers.connectors.contract import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    import oracledb

NUMBERS = {
    "23505": 1, "42P01": 942, "42703": 904, "42601": 900, "22001": 12899, "23502": 1400, "23514": 2290, "22P02": 1722,
    "40P01": 60, "55P03": 30006, "42501": 1031,
}  # fmt: skip
ZONE = "TIME_ZONE"


def refusal(number: int, text: str = "no") -> oracledb.DatabaseError:
    """An error of the server's, as the driver raises it: some become errors of its own."""
    return _raised(_Error(f"ORA-{number:05}: {text}", code=number))


def driver_error(code: str, text: str) -> oracledb.DatabaseError:
    """An error of the driver's own."""
    return _raised(_Error(f"{code}: {text}"))


def _raised(error: _Error) -> oracledb.DatabaseError:
    kind: type[oracledb.DatabaseError] = error.exc_type
    return kind(error)


def _unistr(found: re.Match[str]) -> str:
    """A literal as PostgreSQL writes it; others than UNISTR's stay as they are."""
    return found[0] if found[1] is None else f"U&'{found[1]}'"


class Shared:
    """What all sessions have in common.

    grants  what this user may: "lock" DBMS_LOCK, "kill" others' sessions
    keeps   settings that a logon trigger puts back whatever a session sets
    answers what stands in a question -> its rows
    failing statement's beginning -> errors to raise, one each time
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.password = "secret"
        self.grants = {"lock", "kill"}
        self.keeps: dict[str, str] = {}
        self.answers: dict[str, list[Any]] = {}
        self.failing: dict[str, list[Exception]] = {}
        self.locks = Locks()
        self.numbers = itertools.count(1)
        self.sessions: dict[int, Connection] = {}
        self.opened: list[oracledb.ConnectParams] = []
        self.executed: list[str] = []

    def connect(self, *, params: oracledb.ConnectParams) -> Connection:
        """As `oracledb.connect`."""
        self.opened.append(params)
        if self.failing.get("connect"):
            raise self.failing["connect"].pop(0)
        if params.user != "sync":
            raise refusal(1017, "invalid username/password; logon denied")
        connection = Connection(self)
        self.sessions[connection.session_id] = connection
        return connection

    def target(self) -> Target:
        """Where a connector finds it."""
        return Target("crm", "oracle", "oracle://sync@db/crm", password=self.password, session_name="segsync:crm")


class Connection:
    """`oracledb.Connection`, as far as it is used."""

    version = "19.0.0.0.0"
    module = ""
    action = ""
    serial_num = 1
    autocommit = False

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.session_id = next(shared.numbers)
        self.call_timeout = 0
        self._impl: object | None = object()
        self.settings: dict[str, str] = {}
        self.number: str | None = None
        self.ended = False
        self.link = psycopg.connect(shared.url)
        self.link.execute("SET lock_timeout = '20s'")
        self.link.commit()

    def cursor(self) -> Cursor:
        return Cursor(self)

    def is_healthy(self) -> bool:
        return not self.ended and not self.link.closed

    def commit(self) -> None:
        self.check("COMMIT")
        self.link.commit()
        self.over()

    def rollback(self) -> None:
        self.shared.executed.append("ROLLBACK")
        self.check("ROLLBACK")
        self.link.rollback()
        self.over()

    def close(self) -> None:
        self.shared.executed.append("CLOSE")
        self.end()

    def over(self) -> None:
        self.number = None
        self.shared.locks.let_go(self)

    def end(self) -> None:
        self.ended = True
        self.link.close()
        self.over()

    def check(self, statement: str) -> None:
        """Raises what was asked for this statement, or that the session was ended."""
        if self.ended:
            raise refusal(28, "your session has been killed")
        for beginning, errors in self.shared.failing.items():
            if statement.startswith(beginning) and errors:
                error = errors.pop(0)
                if getattr(error.args[0], "full_code", "") == "DPY-4011":
                    self.end()
                raise error


class Variable:
    """`oracledb.Var`."""

    def __init__(self) -> None:
        self.found: object = None

    def getvalue(self) -> object:
        return self.found


class Cursor:
    """`oracledb.Cursor`, as far as it is used."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._shared = connection.shared
        self._rows: list[Any] = []
        self.description: object = None
        self.rowcount = 0

    def var(self, _kind: type) -> Variable:
        return Variable()

    def close(self) -> None:
        """Nothing to do."""

    def fetchall(self) -> list[Any]:
        return self._rows

    def fetchmany(self, size: int) -> list[Any]:
        some, self._rows = self._rows[:size], self._rows[size:]
        return some

    def parse(self, statement: str) -> None:
        self._connection.check("PARSE")
        self._sent(f"EXPLAIN {statement}")
        self._connection.link.rollback()

    def execute(self, statement: str, **binds: Variable) -> None:
        self._shared.executed.append(statement)
        self._connection.check(statement)
        self._rows, self.description, self.rowcount = [], None, 0
        if binds:
            self._function(statement, binds["answer"])
        elif "DBMS_LOCK.SLEEP" in statement:
            if "lock" not in self._shared.grants:
                raise refusal(6550, "PLS-00201: identifier 'DBMS_LOCK' must be declared")
        elif statement.startswith("ALTER SESSION SET "):
            self._set(statement)
        elif statement.startswith("ALTER SYSTEM KILL SESSION"):
            self._kill(statement)
        elif (played := self._played(statement)) is not None:
            self._rows, self.description = played, ["played"]
        else:
            self._sent(statement)
            if self._connection.autocommit:
                self._connection.commit()

    def _function(self, statement: str, answer: Variable) -> None:
        if lock := re.search(r"DBMS_LOCK\.REQUEST\((\d+), 6, (\d+), TRUE\)", statement):
            got = self._shared.locks.take(lock[1], self._connection, int(lock[2]))
            answer.found = 0 if got else 1
        elif "LOCAL_TRANSACTION_ID(TRUE)" in statement:
            self._connection.number = self._connection.number or f"{next(self._shared.numbers)}.1.1"
            answer.found = self._connection.number
        else:
            answer.found = self._connection.number

    def _set(self, statement: str) -> None:
        for name, value in re.findall(r"(\w+) = (?:'([^']*)'|[A-Z ]+)", statement.removeprefix("ALTER SESSION SET ")):
            self._connection.settings[name] = self._shared.keeps.get(name, value)

    def _kill(self, statement: str) -> None:
        if "kill" not in self._shared.grants:
            raise refusal(1031, "insufficient privileges")
        (number,) = re.findall(r"'(\d+),1' IMMEDIATE", statement)
        self._shared.sessions[int(number)].end()

    def _played(self, statement: str) -> list[Any] | None:
        for part, rows in self._shared.answers.items():
            if part in statement:
                return rows
        if "nls_session_parameters" in statement:
            return [pair for pair in self._connection.settings.items() if pair[0] != ZONE]
        if "SESSIONTIMEZONE" in statement:
            zone = self._connection.settings[ZONE]
            return [("+00:00" if zone == "UTC" else zone,)]
        if "v$session" in statement:
            if "kill" not in self._shared.grants:
                raise refusal(942, "table or view does not exist")
            (action,) = re.findall(r"action = '([^']+)'", statement)
            others = [each for each in self._shared.sessions.values() if each is not self._connection]
            return [(each.session_id, 1) for each in others if each.action == action and not each.ended]
        return None

    def _sent(self, statement: str) -> None:
        # What PostgreSQL writes in another way.
        text = re.sub(r"varchar2\((\d+) char\)", r"varchar(\1)", statement, flags=re.IGNORECASE)
        text, wait = re.subn(r"FOR UPDATE WAIT (\d+)", "FOR UPDATE", text)
        if "segsync_position" in text:  # where no text of a test's own holds two quotes
            text = re.sub(r"(?<=[ ,(])''(?=[ ,)]|$)", "NULL", text)
        text = text.replace("VARCHAR2", "varchar").replace("number(19)", "bigint")
        if text.startswith("MERGE "):
            text = re.sub(r"TO_CHAR\(UNISTR\('((?:[^']|'')*)'\)\)|'(?:[^']|'')*'", _unistr, text)
            text = re.sub(r"UPDATE SET (.*)", lambda found: found[0].replace("t.", ""), text)
        if self._connection.call_timeout:
            self._connection.link.execute(f"SET statement_timeout = {self._connection.call_timeout}")
        if wait:
            (seconds,) = re.findall(r"WAIT (\d+)", statement)
            self._connection.link.execute(f"SET lock_timeout = '{seconds}s'")
        try:
            cursor = self._connection.link.execute(text.encode())
        except psycopg.Error as error:
            raise self._error(error) from None
        self.rowcount = cursor.rowcount
        if cursor.description:
            self._rows, self.description = list(cursor.fetchall()), cursor.description

    def _error(self, error: psycopg.Error) -> Exception:
        if self._connection.ended or self._connection.link.closed:
            return refusal(28, "your session has been killed")
        self._connection.link.rollback()
        if error.sqlstate == "57014":
            return driver_error("DPY-4024", f"call timeout of {self._connection.call_timeout} ms exceeded")
        return refusal(NUMBERS.get(error.sqlstate or "", 20001), str(error).partition("\n")[0])


def serve(url: str) -> Iterator[Shared]:
    """A database of PostgreSQL, which it empties, and whatever is in it when it ends is left."""
    with psycopg.connect(url, autocommit=True) as link:
        link.execute("DROP SCHEMA public CASCADE")
        link.execute("CREATE SCHEMA public")
        link.execute("CREATE VIEW dual AS SELECT 'X'::text AS dummy")
    shared = Shared(url)
    yield shared
    for connection in shared.sessions.values():
        connection.end()
