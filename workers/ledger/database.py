"""The ledger: what was delivered, what failed and why, and the quarantine.

Its tables are in `workers/ledger/tables.py`; all that is in them comes from the records of
`workers/outcomes.py`, by way of `workers/ledger/ingest.py`. Writing a record twice is writing it once
(rule 28). SQLite (WAL) or PostgreSQL; MySQL is not claimed.

Importing this loads SQLAlchemy, 0.2 s: only the ledger's own modules do.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import NullPool, bindparam, create_engine, event, func, inspect, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError

from workers.errors import SegsyncError
from workers.ledger.entry_states import apply_changes, purge
from workers.ledger.tables import deliveries, delivery_row, metadata, quarantine, quarantine_row, queries, query_rows
from workers.outcomes import Delivery, Quarantined

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Column, Connection, Engine, Table
    from sqlalchemy.engine.interfaces import DBAPIConnection

    from workers.ledger.tables import Row
    from workers.outcomes import Record

SCHEMA: Final = "0002"
"""The newest version in `workers/migrations/versions`; here too, so that Alembic is loaded only to upgrade."""

VERSION_TABLE: Final = "ledger_version"
"""Alembic's own table; not `alembic_version`, which a database that is shared with another program may have."""

_DRIVERS: Final = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}

BUSY_TIMEOUT: Final = 10
"""Seconds to wait for another writer of the SQLite file."""

STATEMENT_TIMEOUT: Final = 120
"""Seconds a statement may take in PostgreSQL; an upgrade's have no limit."""

_UPGRADE_LOCK: Final = 0x5E65_1ED6_E2
"""PostgreSQL's advisory lock for upgrades: any number, as long as it stays the same."""


class LedgerError(SegsyncError):
    """The ledger cannot be used now: our own sentence, never a row's value or a statement.

    code  the driver's, as in "SQLITE_BUSY" or "40P01"; "" where no server or file was asked
    """

    def __init__(self, place: str, reason: str, code: str = "") -> None:
        self.code = code
        super().__init__(f"ledger {place}: {reason}" + (f" ({code})" if code else ""))


class Ledger:
    """One ledger. Safe to share between threads; survives a fork, since it keeps no open connection.

    url       resolved: `sqlite:////abs/segsync.db` or `postgresql://user@host/db`; segsync picks the driver
    password  apart from the URL, so that no character of it can be misread; wins over one in the URL

    Nothing is opened before the first use. Every method raises `LedgerError` only.
    """

    def __init__(self, url: str, *, password: str | None = None) -> None:
        parsed = _parse(url)
        self.place: Final = _place(parsed)
        """Where it is, for messages: dialect, file or host; no password."""
        with _told(self.place):
            self._engine: Final = _engine(_with_password(parsed, password))

    @property
    def dialect(self) -> str:
        """The database's kind: "sqlite" or "postgresql"."""
        return self._engine.dialect.name

    def upgrade(self) -> None:
        """Brings the schema up to date; any number of processes may do so at once.

        Cheap where nothing is to be done: one look, no lock. LedgerError where the schema is of a newer
        segsync, or the database holds tables of these names that are not ours.
        """
        with self.reading() as connection:
            if _version(connection) == SCHEMA:
                return
        with _told(self.place), self._engine.connect() as connection:
            _prepare(connection)
            with connection.execution_options(segsync_begin="BEGIN IMMEDIATE").begin():
                self._migrate(connection)

    def write(self, records: Sequence[Record]) -> int:
        """Writes all of them or none, and returns how many were new.

        What is known is left as it is: an entry by its `uid`, a delivery by its `uid` and `started_ms`. What
        becomes of entries is written in the order of the records, and does not count as new.
        Any record can be written: what a database would refuse in a text or a number is replaced.
        """
        with self.writing() as writer:
            return writer.write(records)

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """A writer with a connection of its own, for many transactions by one thread."""
        with _told(self.place), self._engine.connect() as connection:
            yield Writer(self.place, connection.execution_options(segsync_begin="BEGIN IMMEDIATE"))

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for reading; errors of what is done with it come out as LedgerError."""
        with _told(self.place), self._engine.begin() as connection:
            yield connection

    def _migrate(self, connection: Connection) -> None:
        # Alembic takes 0.15 s to load, and is needed once in a ledger's life.
        from workers.ledger import migrations  # noqa: PLC0415 - start-up time

        _lock_schema(connection)
        found = _version(connection)
        if found is None:
            self._refuse_encoding(connection)
            self._refuse_strangers(connection)
        elif found not in migrations.versions():
            raise LedgerError(
                self.place, f"its schema is version {found!r}, made by a newer segsync; this one knows {SCHEMA!r}"
            )
        migrations.upgrade(connection)

    def _refuse_encoding(self, connection: Connection) -> None:
        # Names of segments are in any script: one that cannot be written would stop all that follow it.
        if self.dialect == "postgresql":
            encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
            if encoding != "UTF8":
                raise LedgerError(self.place, f"its encoding is {encoding!r}; expected 'UTF8'")

    def _refuse_strangers(self, connection: Connection) -> None:
        strangers = sorted(set(metadata.tables) & set(inspect(connection).get_table_names()))
        if strangers:
            raise LedgerError(
                self.place,
                f"it already has a table {strangers[0]!r} that segsync did not make; "
                "give the ledger a database of its own",
            )


class Writer:
    """Writes to one ledger through one connection; made by `Ledger.writing`."""

    def __init__(self, place: str, connection: Connection) -> None:
        self._place = place
        self._connection = connection

    def write(self, records: Sequence[Record]) -> int:
        """As `Ledger.write`. After a LedgerError the writer is of no more use."""
        entries = [quarantine_row(record) for record in records if isinstance(record, Quarantined)]
        with _told(self._place), self._connection.begin():
            new = self._write_deliveries([record for record in records if isinstance(record, Delivery)])
            new += len(self._insert(quarantine, entries, quarantine.c.id))
            # After all entries: what becomes of one stands behind it in the stream.
            apply_changes(self._connection, records)
            return new

    def purge(self, before_ms: int, most: int) -> int:
        """Deletes up to so many entries of the quarantine that were resolved before that; returns how many."""
        with _told(self._place), self._connection.begin():
            return purge(self._connection, before_ms, most)

    def _write_deliveries(self, tries: Sequence[Delivery]) -> int:
        rows = [delivery_row(record) for record in tries]
        records = {(row["started_ms"], row["uid"]): record for row, record in zip(rows, tries, strict=True)}
        new = self._insert(deliveries, rows, deliveries.c.id, deliveries.c.started_ms, deliveries.c.uid)
        runs = [row for id_, *key in new for row in query_rows(id_, records[tuple(key)])]
        self._insert(queries, runs, queries.c.position)
        return len(new)

    def _insert(self, table: Table[Any], rows: list[Row], *returned: Column[Any]) -> list[tuple[Any, ...]]:
        """Inserts what is not there yet and returns columns of what was inserted."""
        if not rows:
            return []
        if self._connection.dialect.name == "sqlite":
            insert = sqlite.insert(table).on_conflict_do_nothing()
            return list(self._connection.execute(insert.returning(*returned), rows))
        return list(self._connection.execute(_unnested(table, rows).returning(*returned)))


def _unnested(table: Table[Any], rows: list[Row]) -> postgresql.Insert:
    # One array for each column: 14,000 deliveries/s; 7,000 by executemany; 4,400 as many rows of VALUES, since
    # psycopg reads every placeholder in Python.
    names = list(rows[0])
    arrays = [
        bindparam(name, [row[name] for row in rows], type_=postgresql.ARRAY(table.c[name].type)) for name in names
    ]
    values = func.unnest(*arrays).table_valued(*names).render_derived()
    return postgresql.insert(table).from_select(names, select(values)).on_conflict_do_nothing()


def _parse(url: str) -> URL:
    # What cannot be parsed is not shown: a password may be anywhere in it.
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise LedgerError("url", "not a URL; expected sqlite:////folder/file.db or postgresql://...") from None
    if parsed.get_backend_name() not in _DRIVERS:
        raise LedgerError("url", f"unknown scheme {parsed.drivername!r}; expected sqlite or postgresql")
    if "@" in (parsed.host or ""):
        raise LedgerError("url", "an '@' is left in its host; write the '@' of a password as %40")
    if parsed.get_backend_name() == "sqlite" and not _is_file(parsed):
        raise LedgerError("url", "names no file; expected sqlite:///file.db, or sqlite:////folder/file.db")
    return parsed


def _with_password(url: URL, password: str | None) -> URL:
    if password is None:
        return url
    if url.get_backend_name() == "sqlite":
        raise LedgerError("url", "a SQLite file has no password; expected none")
    return url.set(password=password)


def _is_file(url: URL) -> bool:
    # Memory would be another database for each connection and each process.
    path = url.database or ""
    return path not in ("", ":memory:") and not path.startswith("file:") and not (url.host or url.username)


def _place(url: URL) -> str:
    where = "" if url.host is None else f" on {url.host!r}"
    return f"{url.get_backend_name()} {url.database!r}{where}"


def _engine(url: URL) -> Engine:
    # No pool: connections are few (one for each drain), none must cross a fork, and a restarted server is met
    # by a fresh one.
    dialect = url.get_backend_name()
    driver = url.set(drivername=_DRIVERS[dialect])
    if dialect == "sqlite":
        engine = create_engine(driver, poolclass=NullPool, hide_parameters=True, connect_args={"timeout": BUSY_TIMEOUT})
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    settings = {name: value for name, value in _LIBPQ.items() if name not in url.query}
    # hstore would be asked for by each new connection.
    engine = create_engine(
        driver, poolclass=NullPool, hide_parameters=True, connect_args=settings, use_native_hstore=False
    )
    event.listen(engine, "begin", _begin_postgresql)
    return engine


_LIBPQ: Final = {
    "application_name": "segsync:ledger",
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


def _set_up_sqlite(connection: DBAPIConnection, _record: object) -> None:
    # The driver's own BEGIN comes late and is never IMMEDIATE: `_begin_sqlite` sends ours.
    connection.isolation_level = None
    # FULL, since a power cut must not take entries of the quarantine that Redis no longer has (promise 1).
    connection.executescript(
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
        "PRAGMA cache_size = -16000; PRAGMA wal_autocheckpoint = 4000"
    )


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes its lock at once (BEGIN IMMEDIATE): a reader that turns writer fails where it should wait.
    connection.exec_driver_sql(connection.get_execution_options().get("segsync_begin", "BEGIN"))


def _begin_postgresql(connection: Connection) -> None:
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}s'")


def _prepare(connection: Connection) -> None:
    """Readies a SQLite file for its tables: the journal cannot be changed within a transaction."""
    if connection.dialect.name != "sqlite":
        return
    until = time.monotonic() + BUSY_TIMEOUT
    while not _use_wal(connection):
        if time.monotonic() > until:
            return  # whoever is in the way can do it, or the next upgrade; the old journal is as safe
        time.sleep(0.02)


def _use_wal(connection: Connection) -> bool:
    # SQLite does not wait when two connections ask at once: one of them fails, in 2 of 100 races of eight.
    try:
        with connection.execution_options(segsync_begin="SELECT 1").begin():
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    except OperationalError as exc:
        if _code(exc) != "SQLITE_BUSY":
            raise
        return False
    return True


def _lock_schema(connection: Connection) -> None:
    """Waits for other processes' upgrades; SQLite's BEGIN IMMEDIATE has done so already."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SET LOCAL lock_timeout = '60s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_UPGRADE_LOCK})")


def _version(connection: Connection) -> str | None:
    """The schema's version; None where there is none yet."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    version: str | None = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    return version


_REASONS: Final = (
    ("SQLITE_BUSY", f"another process kept its file locked for {BUSY_TIMEOUT} s"),
    ("SQLITE_CANTOPEN", "its file can be neither opened nor made"),
    ("SQLITE_READONLY", "its file may not be written"),
    ("SQLITE_FULL", "its disk is full"),
    ("SQLITE_IOERR", "its disk fails"),
    ("SQLITE_CORRUPT", "its file is damaged"),
    ("SQLITE_NOTADB", "its file is no SQLite database"),
    ("08", "the link was lost"),
    ("25006", "it may only be read; is it a standby?"),
    ("28", "it refused the user or the password"),
    ("3D000", "there is no such database"),
    ("42501", "its user lacks a right; it must own its tables"),
    ("42P01", "its tables are missing"),
    ("53100", "its disk is full"),
    ("53300", "it has no connection to spare"),
    ("55P03", "another process has been upgrading it for 60 s"),
    ("57014", f"a statement took longer than {STATEMENT_TIMEOUT} s"),
    ("57P", "it is shutting down or starting"),
)
"""What a driver's code means; the first that the code begins with."""


@contextmanager
def _told(place: str) -> Iterator[None]:
    """Turns a driver's error into a LedgerError; `from None`, since tracebacks would show the driver's text."""
    try:
        yield
    except SQLAlchemyError as exc:
        raise _translate(place, exc) from None


def _translate(place: str, exc: SQLAlchemyError) -> LedgerError:
    """Our own sentence; the driver's may hold values (PostgreSQL shows the failing row)."""
    if not isinstance(exc, DBAPIError):
        return LedgerError(place, f"unexpected {type(exc).__name__}")
    code = _code(exc)
    if code == "SQLITE_ERROR" and str(exc.orig).startswith("no such table"):
        return LedgerError(place, "its tables are missing", code)
    if not code and isinstance(exc, OperationalError):
        return LedgerError(place, "it cannot be reached, or it refused the user or the database")
    reason = next((reason for prefix, reason in _REASONS if code.startswith(prefix)), "it failed")
    return LedgerError(place, reason, code)


def _code(exc: DBAPIError) -> str:
    return getattr(exc.orig, "sqlstate", None) or getattr(exc.orig, "sqlite_errorname", None) or ""
