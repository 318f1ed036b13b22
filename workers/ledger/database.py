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

from sqlalchemy import bindparam, func, inspect, select, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import OperationalError

from workers.ledger.acts import write_acts
from workers.ledger.engine import engine_of, file_of, parse, place_of, with_password
from workers.ledger.entry_states import apply_changes, purge
from workers.ledger.errors import BUSY_TIMEOUT, LedgerError, code_of, told
from workers.ledger.rows import delivery_row, quarantine_row, query_rows, resync_row
from workers.ledger.schema import SCHEMA
from workers.ledger.sums import added_to_failed_hours, added_to_hours, failed_hours_of, hours_of
from workers.ledger.tables import (
    VERSION_TABLE,
    deliveries,
    failed_hours,
    hours,
    metadata,
    quarantine,
    queries,
    resyncs,
)
from workers.outcomes import Delivery, Quarantined, Resynced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Column, ColumnElement, Connection, Table
    from sqlalchemy.dialects import postgresql

    from workers.ledger.rows import Row
    from workers.outcomes import Record

_UPGRADE_LOCK: Final = 0x5E65_1ED6_E2
"""PostgreSQL's advisory lock for upgrades: any number, as long as it stays the same."""


class Ledger:
    """One ledger. Safe to share between threads; survives a fork, since it keeps no open connection.

    url       resolved: `sqlite:////abs/segsync.db` or `postgresql://user@host/db`; segsync picks the driver
    password  apart from the URL, so that no character of it can be misread; wins over one in the URL. "" for none,
              that of this process's environment included

    Nothing is opened before the first use, and only `upgrade` makes a file. Every method raises `LedgerError` only.
    """

    def __init__(self, url: str, *, password: str | None = None) -> None:
        parsed = parse(url)
        self.place: Final = place_of(parsed)
        """Where it is, for messages: dialect, file or host; no password."""
        self._file: Final = file_of(parsed)
        with told(self.place):
            self._engine: Final = engine_of(with_password(parsed, password))

    @property
    def dialect(self) -> str:
        """The database's kind: "sqlite" or "postgresql"."""
        return self._engine.dialect.name

    def upgrade(self) -> None:
        """Brings the schema up to date; any number of processes may do so at once.

        Cheap where nothing is to be done: one look, no lock. LedgerError where the schema is of a newer
        segsync, or the database holds tables of these names that are not ours.
        """
        with told(self.place), self._engine.begin() as connection:
            if _version(connection) == SCHEMA:
                return
        with told(self.place), self._engine.connect() as connection:
            _prepare(connection)
            with connection.execution_options(segsync_begin="BEGIN IMMEDIATE").begin():
                self._migrate(connection)

    def schema(self) -> str | None:
        """The schema's version; None for an empty one, and for a file that is not there. Makes nothing. LedgerError."""
        if self._is_gone():
            return None
        with self.reading() as connection:
            return _version(connection)

    def _is_gone(self) -> bool:
        return self._file is not None and not self._file.exists()

    def _refuse_gone(self) -> None:
        # SQLite would make a new one, and what is empty would be taken for the ledger.
        if self._is_gone():
            raise LedgerError(self.place, "its file is gone: it was removed, or its disk is not mounted")

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
        self._refuse_gone()
        with told(self.place), self._engine.connect() as connection:
            yield Writer(self.place, connection.execution_options(segsync_begin="BEGIN IMMEDIATE"))

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for reading; errors of what is done with it come out as LedgerError."""
        self._refuse_gone()
        with told(self.place), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def changing(self) -> Iterator[Connection]:
        """A connection for a change that is no record, in a transaction of its own; LedgerError."""
        self._refuse_gone()
        with told(self.place), self._engine.execution_options(segsync_begin="BEGIN IMMEDIATE").begin() as connection:
            yield connection

    def rewrite(self) -> None:
        """Where it is a file: written anew without what was deleted, its journal emptied. As large, as long."""
        if self.dialect != "sqlite":
            return
        with told(self.place), self._engine.connect() as connection:
            connection.execution_options(segsync_begin="SELECT 1").exec_driver_sql("VACUUM")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

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
        with told(self._place), self._connection.begin():
            new = self._write_deliveries([record for record in records if isinstance(record, Delivery)])
            new += len(self._insert(quarantine, entries, quarantine.c.id))
            new += len(self._insert(resyncs, [resync_row(r) for r in records if isinstance(r, Resynced)], resyncs.c.id))
            write_acts(self._connection, records)
            # After all entries: what becomes of one stands behind it in the stream.
            apply_changes(self._connection, records)
            return new

    def purge(self, before_ms: int, most: int) -> int:
        """Deletes up to so many entries of the quarantine that were resolved before that; returns how many."""
        with told(self._place), self._connection.begin():
            return purge(self._connection, before_ms, most)

    def _write_deliveries(self, tries: Sequence[Delivery]) -> int:
        rows = [delivery_row(record) for record in tries]
        records = {(row["started_ms"], row["uid"]): record for row, record in zip(rows, tries, strict=True)}
        new = self._insert(deliveries, rows, deliveries.c.id, deliveries.c.started_ms, deliveries.c.uid)
        known = {(row["started_ms"], row["uid"]): row for row in rows}
        runs = {tuple(key): query_rows(id_, records[tuple(key)]) for id_, *key in new}
        self._insert(queries, [row for each in runs.values() for row in each], queries.c.position)
        # Only what is new: a record that is written twice is counted once.
        self._add(hours, hours_of((known[key], each) for key, each in runs.items()), added_to_hours)
        self._add(failed_hours, failed_hours_of(known[key] for key in runs), added_to_failed_hours)
        return len(new)

    def _add(self, table: Table[Any], rows: list[Row], added: Callable[[Any], dict[str, ColumnElement[Any]]]) -> None:
        """Adds sums to what is there."""
        if not rows:
            return
        key = [column.name for column in table.primary_key]
        if self._connection.dialect.name == "sqlite":
            one = sqlite.insert(table)
            self._connection.execute(one.on_conflict_do_update(index_elements=key, set_=added(one.excluded)), rows)
            return
        many = _unnested(table, rows)
        self._connection.execute(many.on_conflict_do_update(index_elements=key, set_=added(many.excluded)))

    def _insert(self, table: Table[Any], rows: list[Row], *returned: Column[Any]) -> list[tuple[Any, ...]]:
        """Inserts what is not there yet and returns columns of what was inserted."""
        if not rows:
            return []
        if self._connection.dialect.name == "sqlite":
            one = sqlite.insert(table).on_conflict_do_nothing()
            return list(self._connection.execute(one.returning(*returned), rows))
        many = _unnested(table, rows).on_conflict_do_nothing()
        return list(self._connection.execute(many.returning(*returned)))


def _unnested(table: Table[Any], rows: list[Row]) -> postgresql.Insert:
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - with all its drivers: no other ledger waits for them

    # One array for each column: 14,000 deliveries/s; 7,000 by executemany; 4,400 as many rows of VALUES, since
    # psycopg reads every placeholder in Python.
    names = list(rows[0])
    arrays = [
        bindparam(name, [row[name] for row in rows], type_=postgresql.ARRAY(table.c[name].type)) for name in names
    ]
    values = func.unnest(*arrays).table_valued(*names).render_derived()
    return postgresql.insert(table).from_select(names, select(values))


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
        if code_of(exc) != "SQLITE_BUSY":
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
