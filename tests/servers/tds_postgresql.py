"""SQL Server's sessions, transactions and locks as segsync asks for them, over a real PostgreSQL.

PostgreSQL runs what both databases write in the same way (INSERT … VALUES (N'…'), SELECT, DELETE), in real
transactions; what segsync itself sends (SET, BEGIN TRANSACTION, sp_getapplock, KILL) is played here. Of T-SQL's own
language it shows nothing.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

import psycopg

from tests.servers.locks import Locks
from tests.servers.tds import Refuse, Result, TdsServer
from workers.connectors.contract import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

from tests.servers.tds import Login

OPTIONS = {
    "IMPLICIT_TRANSACTIONS": 2, "ANSI_WARNINGS": 8, "ANSI_PADDING": 16, "ANSI_NULLS": 32, "ARITHABORT": 64,
    "ARITHIGNORE": 128, "QUOTED_IDENTIFIER": 256, "NOCOUNT": 512, "ANSI_NULL_DFLT_ON": 1024,
    "CONCAT_NULL_YIELDS_NULL": 4096, "NUMERIC_ROUNDABORT": 8192, "XACT_ABORT": 16384,
}  # fmt: skip
"""As "Configure the user options" has them."""
NUMBERS = {
    "23505": 2627, "42P01": 208, "42703": 207, "42601": 102, "22001": 2628, "23502": 515, "23514": 547, "22P02": 245,
    "55P03": 1222, "40P01": 1205, "57014": 1222,
}  # fmt: skip
_LOCK = re.compile(
    r"(?P<begin>.*BEGIN TRANSACTION; )?DECLARE @got int; EXEC @got = sp_getapplock @Resource = N'(?P<name>[^']+)',"
    r" @LockMode = 'Exclusive', @LockOwner = 'Transaction', @LockTimeout = (?P<wait>\d+); SELECT @got"
)


# As the tests' tables and the preset's queries have them; what a literal holds is left alone.
_WORDS = (
    ("+CAST(N'' AS nvarchar(max))+", "||"),
    (" WITH (HOLDLOCK)", ""),
    ("datetime2(6)", "timestamp(6)"),
    ("varbinary(8000)", "text"),
    ("nvarchar(", "varchar("),
    (" COLLATE Latin1_General_100_BIN2", ' COLLATE "C"'),
)
_LITERAL = re.compile(r"(\+CAST\(N'' AS nvarchar\(max\)\)\+)|N?('(?:[^']|'')*')")


def _in_postgresqls_words(batch: str) -> str:
    pieces, at = [], 0
    for found in _LITERAL.finditer(batch):
        pieces += [_translated(batch[at : found.start()] + (found[1] or "")), found[2] or ""]
        at = found.end()
    return "".join([*pieces, _translated(batch[at:])])


def _translated(text: str) -> str:
    for words, meant in _WORDS:
        text = text.replace(words, meant)
    return text


class Shared:
    """What all sessions have in common: locks, numbers, and who may end whom.

    url       the database of PostgreSQL that statements are run in
    may_kill  False: nobody may see or end other sessions
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.password = "secret"
        self.may_kill = True
        self.dateformat = ""
        self.server: TdsServer
        self.locks = Locks()
        self.numbers = itertools.count(1)

    def target(self, options: str = "encrypt=false") -> Target:
        """Where a connector finds it; only what has a certificate is spoken to through TLS."""
        url = f"mssql://sync@127.0.0.1:{self.server.port}/crm?{options}"
        return Target("crm", "mssql", url, password=self.password, session_name="segsync:crm")

    def session(self, login: Login) -> Session:
        """A new session, for the one user that there is."""
        if (login.user, login.password) != ("sync", self.password):
            raise Refuse(18456, f"Login failed for user '{login.user}'.", severity=14)
        return Session(self, login.session)


class Session:
    """`tds.Backend`."""

    def __init__(self, shared: Shared, number: int) -> None:
        self.transaction = 0
        self.number = number
        self._shared = shared
        self.options = 0
        self.compiles_only = False
        self._link = psycopg.connect(shared.url, autocommit=True)
        self._link.execute("SET lock_timeout = '20s'")

    def run(self, batch: str) -> list[Result]:
        """As `Backend.run`."""
        if lock := _LOCK.fullmatch(batch):
            if lock["begin"]:
                self._begin()
            return [
                Result(
                    1, [(0 if self._shared.locks.take(lock["name"], self, int(lock["wait"]) / 1000) else -1,)], ("",)
                )
            ]
        if batch.startswith("SET ") and "BEGIN TRANSACTION" not in batch:
            self._set(batch)
        elif batch.endswith("BEGIN TRANSACTION"):
            self._begin()
        elif batch.startswith("KILL "):
            self._kill(int(batch.removeprefix("KILL ")))
        elif batch.endswith(("COMMIT TRANSACTION", "ROLLBACK TRANSACTION")):
            self._end("COMMIT" if "COMMIT" in batch else "ROLLBACK")
        else:
            return self._ask(batch)
        return []

    def cancel(self) -> None:
        """As `Backend.cancel`."""
        self._link.cancel()

    def close(self) -> None:
        """As `Backend.close`."""
        self._link.close()
        self._shared.locks.let_go(self)

    def _set(self, batch: str) -> None:
        for name, value in re.findall(r"SET ([A-Z_]+) (ON|OFF)", batch):
            if name == "NOEXEC":
                self.compiles_only = value == "ON"
            bit = OPTIONS.get(name, 0)
            self.options = self.options | bit if value == "ON" else self.options & ~bit

    def _begin(self) -> None:
        self._link.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        self.transaction = next(self._shared.numbers)

    def _end(self, how: str) -> None:
        if not self.transaction:
            if how == "COMMIT":
                raise Refuse(3902, "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.")
            return
        self.transaction = 0
        try:
            self._link.execute(how)
        finally:
            self._shared.locks.let_go(self)

    def _ask(self, batch: str) -> list[Result]:
        if "@@SPID AS int), CAST(@@OPTIONS" in batch:
            (mask,) = re.findall(r"@@OPTIONS & (\d+)", batch)
            values = (self.number, self.options & int(mask), 7, self._shared.dateformat or "20260203", "us_english", 0)
            return [Result(1, [values], ("", "", "", "", "", ""))]
        if "sys.dm_tran_locks" in batch:
            return [self._holders(batch)]
        return self._statement(batch)

    def _statement(self, batch: str) -> list[Result]:
        batch = _in_postgresqls_words(batch)
        if self.compiles_only:
            batch = f"BEGIN; {batch.rstrip().rstrip(';')}; ROLLBACK"
        update, condition, insert = batch.partition("; IF @@ROWCOUNT = 0 ")
        if condition:
            found = self._statement(update)
            return found if found[0].count else self._statement(insert)
        try:
            cursor = self._link.execute(batch.encode())
        except psycopg.Error as error:
            if self.compiles_only:
                self._link.execute("ROLLBACK")
            if self.transaction:
                self._end("ROLLBACK")
            raise Refuse(NUMBERS.get(error.sqlstate or "", 50000), str(error).partition("\n")[0]) from None
        if cursor.description:
            return [Result(cursor.rowcount, list(cursor.fetchall()), tuple(each.name for each in cursor.description))]
        return [Result(None if cursor.rowcount < 0 else cursor.rowcount)]

    def _holders(self, batch: str) -> Result:
        if not self._shared.may_kill:
            raise Refuse(300, "VIEW SERVER STATE permission was denied on object 'server', database 'master'.")
        (name,) = re.findall(r"LIKE N'%\[\[\](segsync:\w+)\]%'", batch)
        owner = self._shared.locks.owner(name)
        rows = [(owner.number,)] if isinstance(owner, Session) and owner is not self else []
        return Result(len(rows), rows, ("session",))

    def _kill(self, number: int) -> None:
        if not self._shared.server.end(number):
            raise Refuse(6106, f"Process ID {number} is not an active process ID.")


def serve(url: str) -> Iterator[Shared]:
    """A server over a database of PostgreSQL, which it empties, until it is closed."""
    with psycopg.connect(url, autocommit=True) as link:
        link.execute("DROP SCHEMA public CASCADE")
        link.execute("CREATE SCHEMA public")
    shared = Shared(url)
    shared.server = TdsServer(shared.session)
    yield shared
    shared.server.close()
