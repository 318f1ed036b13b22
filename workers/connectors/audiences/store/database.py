"""The store's database: SQLite (WAL) or PostgreSQL, the ledger's or one of its own; one process keeps its connections.

Everything raises TargetError only: RETRY where the database is away, so that ad lanes wait and no others; ISOLATE where
it does not take a value, which is the value's fault and passes by no wait.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from sqlalchemy import QueuePool, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, OperationalError, SQLAlchemyError

from workers.connectors.audiences.store.tables import STORE_VERSION_TABLE, store_metadata
from workers.connectors.audiences.store.written import NOTHING, count_up, read_written
from workers.errors import ErrorClass, HoldLevel, Phase, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection

    from workers.connectors.audiences.store.written import StoreWatch

STORE_SCHEMA: Final = "0010"
"""The newest version in `migrations/versions`; here too, so that Alembic is loaded only to upgrade."""
_UPGRADE_LOCK: Final = 0x5E65_1ED6_AD
"""PostgreSQL's advisory lock for upgrades: any number, as long as it stays the same."""
_MAY_NOT: Final = "42501"
"""PostgreSQL's insufficient_privilege."""
_OF_THE_DATA: Final = ("22", "54000")
"""PostgreSQL's data exceptions, and program_limit_exceeded: what is too large for an index."""
_BUSY_SECONDS: Final = 10
_DRIVERS: Final = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}
_LIBPQ: Final = {
    "application_name": "segsync:ads",
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    # Who stalls between two statements must not keep an audience's row from others.
    "options": "-c statement_timeout=120s -c lock_timeout=60s -c idle_in_transaction_session_timeout=30s",
}


class Store:
    """One store. Safe to share between threads; begins anew in a forked child.

    url    as SQLAlchemy's, with its password: `sqlite:////abs/segsync.db` or `postgresql://user:pass@host/db`
    watch  what is known of it, for whoever writes: an older copy is then refused. Whoever only reads needs none
    """

    def __init__(self, url: str, watch: StoreWatch | None = None) -> None:
        self._of_this_process: Final = _engine(url)
        self._pid = os.getpid()
        self._ready = False
        self._watch = watch

    @property
    def _engine(self) -> Engine:
        if self._pid != os.getpid():
            self._of_this_process.dispose(close=False)  # the parent goes on using them
            self._pid = os.getpid()
        return self._of_this_process

    def close(self) -> None:
        """Closes the connections that it keeps."""
        self._engine.dispose()

    @property
    def dialect(self) -> str:
        """The database's kind: "sqlite" or "postgresql"."""
        return self._engine.dialect.name

    def upgrade(self) -> None:
        """Brings the schema up to date; any number of processes may do so at once. Cheap where it is.

        With a watch: TargetError (HOLD, CONNECTOR) for an older copy, or another store; redis.RedisError.
        """
        self._upgrade()
        if self._watch is None:
            return
        known = self._watch.known()
        if known != NOTHING:
            with self.reading() as connection:
                found = read_written(connection, self._watch.connector)
            self._watch.check(found, known)

    def accept(self) -> None:
        """With a watch: this is the store from now on, and not the one before, should it come back. As `upgrade`."""
        assert self._watch is not None  # noqa: S101 - a connector's store has one
        self._upgrade()
        known = self._watch.known()
        with self._changing() as connection:
            found = count_up(connection, self._watch.connector, known.counted)
        self._watch.accept(found)

    def _upgrade(self) -> None:
        if self._ready:
            return
        with self.reading() as connection:
            self._ready = _version(connection) == STORE_SCHEMA
        if self._ready:
            return
        with _told(self._engine), self._engine.connect() as connection:
            if self.dialect == "sqlite":
                with suppress(OperationalError):  # whoever is in the way has done it, or will
                    connection.execution_options(segsync_begin="SELECT 1").exec_driver_sql("PRAGMA journal_mode = WAL")
                connection.rollback()
            with connection.execution_options(segsync_begin="BEGIN IMMEDIATE").begin():
                self._migrate(connection)
        self._ready = True

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that changes nothing."""
        with _told(self._engine), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def changing(self) -> Iterator[Connection]:
        """A transaction, committed at its end; no other writer meanwhile, where the database is a file.

        With a watch it is counted, and nothing is written to an older copy. As `upgrade`.
        """
        if self._watch is None:
            with self._changing() as connection:
                yield connection
            return
        known = self._watch.known()
        with self._changing() as connection:
            yield connection
            self._watch.check(read_written(connection, self._watch.connector), known)
            found = count_up(connection, self._watch.connector)
        self._watch.tell(found)

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        with _told(self._engine), self._engine.execution_options(segsync_begin="BEGIN IMMEDIATE").begin() as connection:
            yield connection

    @contextmanager
    def trying(self) -> Iterator[Connection]:
        """As `changing`, and taken back at its end."""
        engine = self._engine.execution_options(segsync_begin="BEGIN IMMEDIATE")
        with _told(self._engine), engine.connect() as connection, connection.begin() as transaction:
            yield connection
            transaction.rollback()

    def rewrite(self) -> None:
        """Where it is a file: written anew without what was deleted, its journal emptied. As large, as long."""
        if self.dialect != "sqlite":
            return
        with _told(self._engine), self._engine.connect() as connection:
            connection.execution_options(segsync_begin="SELECT 1").exec_driver_sql("VACUUM")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def _migrate(self, connection: Connection) -> None:
        # Alembic takes 0.15 s to load, and is needed once in a store's life.
        from workers.connectors.audiences.store import migrations  # noqa: PLC0415 - start-up time

        if self.dialect == "postgresql":
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_UPGRADE_LOCK})")
        found = _version(connection)
        if found is None:
            strangers = sorted(set(store_metadata.tables) & set(inspect(connection).get_table_names()))
            if strangers:
                raise _needs_someone(f"its database has a table {strangers[0]!r} that segsync did not make")
        elif found not in migrations.versions():
            raise _needs_someone(f"its schema is version {found!r}, made by a newer segsync than {STORE_SCHEMA!r}")
        migrations.upgrade(connection)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(STORE_VERSION_TABLE):
        return None
    version: str | None = connection.execute(text(f"SELECT version_num FROM {STORE_VERSION_TABLE}")).scalar()
    return version


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise _needs_someone("its URL is none; expected sqlite:////folder/file.db or postgresql://…") from None
    dialect = parsed.get_backend_name()
    if dialect not in _DRIVERS:
        raise _needs_someone(f"its database is {dialect!r}; expected sqlite or postgresql")
    driver = parsed.set(drivername=_DRIVERS[dialect])
    if dialect == "sqlite":
        engine = create_engine(
            driver, poolclass=QueuePool, hide_parameters=True, connect_args={"timeout": _BUSY_SECONDS}
        )
        event.listen(engine, "do_connect", lambda *_: _make_private(parsed.database or ""))
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    settings = {name: value for name, value in _LIBPQ.items() if name not in parsed.query}
    return create_engine(
        driver, hide_parameters=True, pool_pre_ping=True, connect_args=settings, use_native_hstore=False
    )


def takes_nul(connection: Connection) -> bool:
    """Whether a text of this store may hold a NUL: SQLite's may, PostgreSQL's may not."""
    return connection.dialect.name == "sqlite"


def _make_private(path: str) -> None:
    # It holds people's data: a new file is its owner's alone. One that is there stays as somebody set it.
    with suppress(OSError):  # SQLite says what is wrong with the place
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _set_up_sqlite(connection: DBAPIConnection, _record: object) -> None:
    connection.isolation_level = None
    # FULL: what a lane has handed over must survive a power cut.
    connection.executescript("PRAGMA synchronous = FULL; PRAGMA cache_size = -16000")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("segsync_begin", "BEGIN"))


def _needs_someone(what: str) -> TargetError:
    return TargetError(
        ErrorClass.HOLD, "ads store", f"the store of ad accounts cannot be used: {what}", level=HoldLevel.CONNECTOR
    )


@contextmanager
def _told(engine: Engine) -> Iterator[None]:
    """Turns a driver's error into ours; `from None`, since tracebacks would show the driver's text."""
    try:
        yield
    except UnicodeEncodeError:
        raise _of_the_data("ads store unicode") from None
    except SQLAlchemyError as exc:
        code = ""
        if isinstance(exc, DBAPIError):
            code = getattr(exc.orig, "sqlstate", None) or getattr(exc.orig, "sqlite_errorname", None) or ""
        if code == _MAY_NOT:
            raise _needs_someone(f"its user may not make tables in {_place(engine)}, or use them") from None
        where = f"ads store {code}".rstrip()
        if isinstance(exc, DataError) or code.startswith(_OF_THE_DATA):
            raise _of_the_data(where) from None
        reason = f"the store of ad accounts ({_place(engine)}) cannot be used now"
        raise TargetError(ErrorClass.RETRY, where, reason, phase=Phase.CONNECT) from None


def _of_the_data(where: str) -> TargetError:
    return TargetError(ErrorClass.ISOLATE, where, "the store of ad accounts does not take a value of it")


def _place(engine: Engine) -> str:
    """Where it is; never its password."""
    host = f"{engine.url.host}, " if engine.url.host else ""
    return f"{host}{engine.url.database or 'no database'}"
