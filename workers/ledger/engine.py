"""How the ledger's database is opened: SQLite in WAL with real BEGINs, PostgreSQL by psycopg, neither with a pool."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import NullPool, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from workers.ledger.errors import BUSY_TIMEOUT, STATEMENT_TIMEOUT, LedgerError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection

_DRIVERS: Final = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}
_NO_FILE: Final = "/dev/null/none"
"""A path that no file ever has, so that libpq reads no file of passwords."""


def parse(url: str) -> URL:
    """The URL; LedgerError for one that leads to no ledger."""
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


def with_password(url: URL, password: str | None) -> URL:
    """The URL with a password that is kept apart from it; None leaves it as it is, and what libpq finds by itself.

    With "" there is none: that of PGPASSWORD or ~/.pgpass is not sent either.
    """
    if password is None:
        return url
    if url.get_backend_name() == "sqlite":
        raise LedgerError("url", "a SQLite file has no password; expected none")
    if not password:
        return url.update_query_dict({"password": "", "passfile": _NO_FILE})
    return url.set(password=password)


def _is_file(url: URL) -> bool:
    # Memory would be another database for each connection and each process.
    path = url.database or ""
    return path not in ("", ":memory:") and not path.startswith("file:") and not (url.host or url.username)


def file_of(url: URL) -> Path | None:
    """The file that the ledger is, for one host alone; None where it is a server's."""
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def place_of(url: URL) -> str:
    """Where that is, for messages: dialect, file or host; no password."""
    where = "" if url.host is None else f" on {url.host!r}"
    return f"{url.get_backend_name()} {url.database!r}{where}"


def engine_of(url: URL) -> Engine:
    """An engine whose every connection is fresh."""
    # No pool: connections are few (one for each drain), none must cross a fork, and a restarted server is met
    # by a fresh one.
    dialect = url.get_backend_name()
    driver = url.set(drivername=_DRIVERS[dialect])
    if dialect == "sqlite":
        engine = create_engine(driver, poolclass=NullPool, hide_parameters=True, connect_args={"timeout": BUSY_TIMEOUT})
        event.listen(engine, "do_connect", partial(_make_private, url.database or ""))
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


def _make_private(path: str, *_: object) -> None:
    # The quarantine holds people's data: a new file is its owner's alone. One that is there stays as somebody set it.
    with suppress(OSError):  # SQLite says what is wrong with the place
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


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
