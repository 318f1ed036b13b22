"""The schema: made once however many ask for it at once, never taken back, never mixed up with a stranger's."""

from __future__ import annotations

import multiprocessing
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, event, text

from tests.integration.ledger.records import delivery, rows
from tests.waiting import PATIENCE
from workers.ledger import migrations
from workers.ledger.database import Ledger
from workers.ledger.errors import LedgerError
from workers.ledger.rows import delivery_row
from workers.ledger.schema import SCHEMA
from workers.ledger.statistics import errors
from workers.ledger.tables import VERSION_TABLE, deliveries, metadata
from workers.quarantine.entries import count_open

if TYPE_CHECKING:
    from tests.servers.postgresql import PostgresqlServer

pytestmark = pytest.mark.usefixtures("real_migrations")


def _upgrade(url: str, barrier: Any, answers: Any) -> None:
    ledger = Ledger(url)
    barrier.wait(PATIENCE)
    try:
        ledger.upgrade()
        answers.put("upgraded")
    except Exception as error:  # noqa: BLE001 - the parent shows it
        answers.put(repr(error))


def test_processes_that_start_at_once_all_find_the_schema(ledger_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(4), context.Queue()
    processes = [context.Process(target=_upgrade, args=(ledger_url, barrier, answers)) for _ in range(4)]
    for process in processes:
        process.start()

    assert [answers.get(timeout=PATIENCE) for _ in processes] == ["upgraded"] * 4

    for process in processes:
        process.join(PATIENCE)
    assert Ledger(ledger_url).write([delivery()]) == 1


def test_the_schema_is_what_the_code_writes_to(ledger: Ledger) -> None:
    """The migrations and `ledger_tables` say the same, so autogenerate has nothing to add."""
    with ledger.reading() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options | {"version_table": VERSION_TABLE})

        assert compare_metadata(context, metadata) == []


def test_the_version_that_the_code_expects_is_the_newest() -> None:
    assert migrations.versions()[0] == SCHEMA


def test_an_upgrade_with_nothing_to_do_waits_for_nobody(ledger: Ledger) -> None:
    """A worker must start while another one writes."""
    with ledger.writing() as writer, writer._connection.begin():
        ledger.upgrade()


def test_records_stay_through_an_upgrade(ledger: Ledger) -> None:
    ledger.write([delivery()])

    ledger.upgrade()

    assert len(rows(ledger, deliveries)) == 1


def test_what_an_older_segsync_wrote_stands_for_one_each(empty_url: str) -> None:
    ledger = Ledger(empty_url)
    with ledger.writing() as writer, writer._connection.begin():
        config = migrations._config()
        config.attributes["connection"] = writer._connection
        command.upgrade(config, "0001")
        old = {name: value for name, value in delivery_row(delivery()).items() if name not in ("tries", "event_type")}
        columns, values = ", ".join(f'"{name}"' for name in old), ", ".join(f":{name}" for name in old)
        writer._connection.execute(text(f"INSERT INTO deliveries ({columns}) VALUES ({values})"), old)

    ledger.upgrade()

    assert [row["tries"] for row in rows(ledger, deliveries)] == [1]
    assert ledger.write([delivery(uid="another")]) == 1


def test_a_newer_schema_is_refused(ledger: Ledger) -> None:
    with ledger.writing() as writer, writer._connection.begin():
        writer._connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))

    with pytest.raises(LedgerError, match=f"version '9999', made by a newer segsync; this one knows '{SCHEMA}'"):
        ledger.upgrade()


def test_a_database_of_somebody_else_is_refused(ledger_url: str) -> None:
    engine = create_engine(ledger_url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE deliveries (parcel INTEGER)"))
    engine.dispose()

    with pytest.raises(LedgerError, match="already has a table 'deliveries' that segsync did not make"):
        Ledger(ledger_url).upgrade()


def test_a_database_with_other_tables_is_shared(ledger_url: str) -> None:
    """Even with one whose program uses Alembic as well."""
    engine = create_engine(ledger_url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num TEXT)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('theirs')"))
    engine.dispose()
    ledger = Ledger(ledger_url)

    ledger.upgrade()

    assert ledger.write([delivery()]) == 1


def test_a_failed_upgrade_leaves_nothing_behind(ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(ledger_url)
    upgrade = migrations.upgrade

    def break_off(connection: Any) -> None:
        upgrade(connection)
        connection.execute(text("SELECT * FROM nowhere"))

    with monkeypatch.context() as patched:
        patched.setattr(migrations, "upgrade", break_off)
        with pytest.raises(LedgerError, match="its tables are missing"):
            ledger.upgrade()

    ledger.upgrade()
    assert ledger.write([delivery()]) == 1


def test_a_database_that_cannot_hold_every_script_is_refused(
    postgresql_server: PostgresqlServer, namespace: str
) -> None:
    with postgresql_server.admin() as admin:
        admin.execute(f"CREATE DATABASE {namespace} OWNER segsync ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    try:
        with pytest.raises(LedgerError, match="its encoding is 'LATIN1'; expected 'UTF8'"):
            Ledger(postgresql_server.url(namespace)).upgrade()
    finally:
        postgresql_server.drop_database(namespace)


def test_paths_that_are_special_to_alembic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the file, and of the place that segsync is installed in."""
    folder = tmp_path / "100% sure"
    shutil.copytree(Path(migrations.__file__).parent, folder)
    monkeypatch.setattr(migrations, "__file__", str(folder / "__init__.py"))
    ledger = Ledger(f"sqlite:///{folder}/ledger.db")

    ledger.upgrade()

    assert ledger.write([delivery()]) == 1


def test_a_file_is_safe_and_shared(tmp_path: Path) -> None:
    """Readers beside a writer (WAL); no commit lost to a power cut (FULL, 2); locks waited for."""
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.upgrade()

    with ledger.reading() as connection:
        pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        found = [connection.execute(text(f"PRAGMA {pragma}")).scalar() for pragma in pragmas]

    assert found == ["wal", 2, 1, 10_000]


def test_a_server_s_session_is_named_and_bounded(postgresql_url: str) -> None:
    with Ledger(postgresql_url).reading() as connection:
        found = [
            connection.execute(text(f"SHOW {setting}")).scalar()
            for setting in ("application_name", "statement_timeout")
        ]

    assert found == ["segsync:ledger", "2min"]


def test_open_entries_and_failures_are_found_by_their_indexes(tmp_path: Path) -> None:
    """SQLite uses a partial index only for the very condition it was made with."""
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.upgrade()
    seen: list[str] = []
    event.listen(ledger._engine, "before_cursor_execute", lambda *arguments: seen.append(arguments[2]))
    count_open(ledger)
    errors(ledger, datetime(2023, 11, 15, tzinfo=UTC))
    statements = [statement for statement in seen if statement.startswith("SELECT")]

    with ledger.reading() as connection:
        plans = [
            str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", (0,) * statement.count("?")).all())
            for statement in statements
        ]

    plans = [plan for plan in plans if "ledger_identity" not in plan]
    assert "INDEX quarantine_open" in plans[0]
    assert "INDEX quarantine_at (at_ms>?)" in plans[1]
