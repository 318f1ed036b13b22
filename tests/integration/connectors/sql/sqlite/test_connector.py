"""What is SQLite's own: its errors, its file, its lock."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.rows import Database
from workers.connectors import connect
from workers.errors import ErrorClass, HoldLevel, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.connectors.contract import Target
    from workers.connectors.sql.connector import SqlConnector

ISOLATE, SPLIT, HOLD, AMBIGUOUS = ErrorClass.ISOLATE, ErrorClass.SPLIT, ErrorClass.HOLD, ErrorClass.AMBIGUOUS

SCHEMA = (
    "CREATE TABLE parents (id INTEGER PRIMARY KEY)",
    """CREATE TABLE t (
        id INTEGER PRIMARY KEY, name TEXT UNIQUE CHECK (length(name) < 6), parent INT REFERENCES parents,
        needed TEXT NOT NULL DEFAULT 'x'
    )""",
    "INSERT INTO t (id, name) VALUES (1, 'ann')",
    "CREATE TABLE typed (n INT) STRICT",
    "CREATE TABLE watched (id INT)",
    "CREATE TRIGGER refuse BEFORE INSERT ON watched BEGIN SELECT RAISE(ABORT, 'no'); END",
    "CREATE TABLE watching (id INT)",
    "CREATE TRIGGER twice AFTER INSERT ON watching BEGIN INSERT INTO typed VALUES (1); END",
)
FOREVER = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
def target(sqlite_target: Target) -> Target:
    with Database(sqlite_target) as database:
        database.run(*SCHEMA)
    return replace(sqlite_target, statement_timeout=3.0)


@pytest.fixture
def connector(target: Target) -> Iterator[SqlConnector]:
    connector = connect(target)
    yield connector
    connector.dispose()


def path_of(target: Target) -> Path:
    return Path(target.url.removeprefix("sqlite:///"))


def run(connector: SqlConnector, statement: str) -> TargetError:
    session = connector.open()
    session.begin(None, 0)
    try:
        with pytest.raises(TargetError) as caught:
            session.execute(statement)
        return caught.value
    finally:
        session.discard()


@pytest.mark.parametrize(
    ("code", "error_class", "statement"),
    [
        ("SQLITE_CONSTRAINT_PRIMARYKEY", ISOLATE, "INSERT INTO t (id) VALUES (1)"),
        ("SQLITE_CONSTRAINT_UNIQUE", ISOLATE, "INSERT INTO t (name) VALUES ('ann')"),
        ("SQLITE_CONSTRAINT_NOTNULL", ISOLATE, "INSERT INTO t (needed) VALUES (NULL)"),
        ("SQLITE_CONSTRAINT_CHECK", ISOLATE, "INSERT INTO t (name) VALUES ('longer')"),
        ("SQLITE_CONSTRAINT_FOREIGNKEY", ISOLATE, "INSERT INTO t (parent) VALUES (9)"),
        ("SQLITE_CONSTRAINT", ISOLATE, "INSERT INTO typed VALUES ('x')"),
        ("SQLITE_CONSTRAINT_TRIGGER", ISOLATE, "INSERT INTO watched VALUES (1)"),
        ("SQLITE_MISMATCH", ISOLATE, "INSERT INTO t (id) VALUES ('x')"),
        ("SQLITE_ERROR", ISOLATE, "INSERT INTO t (name) VALUES (json('{'))"),
        ("SQLITE_ERROR", ISOLATE, "INSERT INTO t (id) VALUES (abs(-9223372036854775808))"),
        ("SQLITE_ERROR", HOLD, "INSERT INTO nowhere VALUES (1)"),
        ("SQLITE_ERROR", HOLD, "INSERT INTO t (none) VALUES (1)"),
        ("SQLITE_ERROR", HOLD, "INSERT INTO t (id) VALUES (1, 2)"),
        ("SQLITE_ERROR", HOLD, "INSERT INTO"),
        ("SQLITE_ERROR", HOLD, "INSERT INTO t (name) VALUES ('open"),
        ("SQLITE_ERROR", HOLD, "SELECT no_such_function()"),
        ("SQLITE_ERROR", HOLD, "INSERT INTO t (id) VALUES (2) ON CONFLICT (needed) DO NOTHING"),
        ("SQLITE_ERROR", SPLIT, f"SELECT {'+'.join('1' * 2000)}"),
        ("SQLITE_ERROR", SPLIT, " UNION ".join(["SELECT 1"] * 600)),
        ("statements", HOLD, "DELETE FROM t; DELETE FROM typed"),
        ("SQLITE_INTERRUPT", AMBIGUOUS, FOREVER),
        ("text", ISOLATE, "INSERT INTO t (name) VALUES ('\ud800')"),
        ("text", ISOLATE, "INSERT INTO t (name) VALUES ('\0')"),
    ],
)
def test_a_query_that_fails(connector: SqlConnector, code: str, error_class: ErrorClass, statement: str) -> None:
    error = run(connector, statement)
    # A newer Python may know a longer name.
    assert error.code.startswith(f"sqlite {code}")
    assert error.error_class is error_class
    if error_class is HOLD:
        assert error.level is HoldLevel.INTEGRATION
    assert "no rule" not in error.reason


@pytest.mark.parametrize(
    ("end", "statement"),
    [
        ("(table 'nowhere')", "INSERT INTO nowhere VALUES (1)"),
        ("(table 't', column 'none')", "INSERT INTO t (none) VALUES (1)"),
        ("(column 't.needed')", "INSERT INTO t (needed) VALUES (NULL)"),
        ("(column 't.name')", "INSERT INTO t (name) VALUES ('ann')"),
    ],
)
def test_names_are_told(connector: SqlConnector, end: str, statement: str) -> None:
    assert run(connector, statement).reason.endswith(end)


@pytest.mark.parametrize("statement", ["COMMIT", "ROLLBACK", "END"])
def test_a_query_that_ends_the_transaction_holds_the_integration(connector: SqlConnector, statement: str) -> None:
    error = run(connector, statement)
    assert (error.code, error.error_class, error.level) == ("sqlite surprise", HOLD, HoldLevel.INTEGRATION)


@pytest.mark.parametrize(
    ("rows", "statement"),
    [
        (2, "INSERT INTO typed VALUES (1), (2)"),
        (1, "WITH x AS (SELECT 7 AS n) INSERT INTO typed SELECT n FROM x"),
        (1, "INSERT INTO typed VALUES (1) RETURNING n"),
        (0, "DELETE FROM typed"),
        (0, "SELECT 1"),
        (1, "INSERT INTO watching VALUES (1)"),
    ],
)
def test_rows_are_counted_as_python_does_or_never_less_than_zero(
    connector: SqlConnector, rows: int, statement: str
) -> None:
    session = connector.open()
    session.begin(None, 0)
    assert session.execute(statement) == rows
    session.discard()


def test_the_session_is_durable_and_checks_foreign_keys(connector: SqlConnector) -> None:
    link: Any = connector.open()._link
    pragmas = ("journal_mode", "synchronous", "foreign_keys", "trusted_schema")
    values = [link._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas]
    assert values == ["wal", 2, 1, 0]


DEFERRED = "CREATE TABLE later (id INTEGER PRIMARY KEY, p INT REFERENCES parents DEFERRABLE INITIALLY DEFERRED)"


def checked(connector: SqlConnector, statement: str) -> bool:
    """Of a statement that is tried and taken back."""
    session = connector.open()
    session.begin(None, 0)
    try:
        session.execute(statement)
        told = session.check_deferred()
        session.rollback()
        return told
    finally:
        session.close()


def test_what_would_be_refused_at_commit_is_refused_when_it_is_asked(connector: SqlConnector, target: Target) -> None:
    with Database(target) as database:
        database.run(DEFERRED, "INSERT INTO parents VALUES (1)")
    assert checked(connector, "INSERT INTO later VALUES (1, 1)")
    with pytest.raises(TargetError, match=r"SQLITE_CONSTRAINT_FOREIGNKEY.*table 'later'") as caught:
        checked(connector, "INSERT INTO later VALUES (2, 9)")
    assert caught.value.error_class is ISOLATE


def test_a_row_that_pointed_at_none_before_is_nobodys_fault_now(connector: SqlConnector, target: Target) -> None:
    with Database(target) as database:
        database.run(DEFERRED, "INSERT INTO parents VALUES (1)", "PRAGMA foreign_keys = 0")
        database.run("INSERT INTO later VALUES (5, 9)")
    assert not checked(connector, "INSERT INTO later VALUES (1, 1)")
    with pytest.raises(TargetError, match="SQLITE_CONSTRAINT_FOREIGNKEY"):
        checked(connector, "INSERT INTO later VALUES (2, 9)")


def test_a_look_that_takes_too_long_tells_nothing(
    connector: SqlConnector, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 20000) SELECT x, 1 FROM n"
    with Database(target) as database:
        database.run(DEFERRED, "INSERT INTO parents VALUES (1)")
    monkeypatch.setattr("workers.connectors.sql.sqlite.link.LOOKING", 0.0)
    assert not checked(connector, f"INSERT INTO later {many}")


def test_patience_bounds_the_wait_for_the_file(connector: SqlConnector, target: Target) -> None:
    session = connector.open()
    with Database(target) as database:
        database.run("BEGIN IMMEDIATE")
        with pytest.raises(TargetError) as caught:
            session.begin("lane", 0.4)
        session.discard()
    assert (caught.value.code, caught.value.error_class) == ("sqlite SQLITE_BUSY", ErrorClass.RETRY)


def test_a_new_file_is_opened_while_another_writes_in_it(connector: SqlConnector, target: Target) -> None:
    """Its journal is not yet what we need, and SQLite changes that only where nobody is in the file."""
    with Database(target) as database:
        assert database.rows("PRAGMA journal_mode") == [("delete",)]
        database.run("BEGIN IMMEDIATE")
        timer = threading.Timer(0.3, database.run, ["COMMIT"])
        timer.start()
        session = connector.open()
        timer.join()
    session.close()


def test_the_files_lock_is_waited_for(connector: SqlConnector, target: Target) -> None:
    session = connector.open()
    with Database(target) as database:
        database.run("BEGIN IMMEDIATE")
        timer = threading.Timer(0.3, database.run, ["COMMIT"])
        timer.start()
        session.begin("lane", 5)
        timer.join()
    session.rollback()
    session.close()


def test_a_first_connection_to_a_busy_file_is_retried(target: Target) -> None:
    with Database(target) as database:
        database.run("BEGIN IMMEDIATE")
        assert refused(replace(target, connect_timeout=0.2)).error_class is ErrorClass.RETRY


def test_a_file_that_was_replaced_is_opened_anew(connector: SqlConnector, target: Target) -> None:
    connector.open().close()
    path = path_of(target)
    other = path.with_name("other.db")
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE fresh (id INT)")
    connection.close()
    for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        name.unlink(missing_ok=True)
    other.rename(path)
    session = connector.open()
    session.begin(None, 0)
    assert session.execute("INSERT INTO fresh VALUES (1)") == 1
    session.commit()
    session.close()


def refused(target: Target) -> TargetError:
    connector = connect(target)
    with pytest.raises(TargetError) as probed:
        connector.probe()
    with pytest.raises(TargetError) as caught:
        connector.open()
    assert (probed.value.code, probed.value.reason) == (caught.value.code, caught.value.reason)
    return caught.value


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("sqlite:////nowhere/at/all.db", "sqlite SQLITE_CANTOPEN"),
        ("sqlite:////tmp", "sqlite SQLITE_CANTOPEN"),
        ("sqlite://", "sqlite url"),
        ("sqlite:///:memory:", "sqlite url"),
        ("sqlite://host/x.db", "sqlite url"),
        ("sqlite:///x.db?mode=rwc", "sqlite url"),
        ("mysql://u@h/x", "sqlite url"),
        ("", "sqlite url"),
        ("x.db", "sqlite url"),
    ],
)
def test_what_is_no_database_holds_the_connector(target: Target, url: str, code: str) -> None:
    error = refused(replace(target, url=url))
    assert (error.code, error.error_class, error.level) == (code, HOLD, HoldLevel.CONNECTOR)


def test_a_file_that_is_no_database_holds_the_connector(target: Target, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database, just text" * 100)
    error = refused(replace(target, url=f"sqlite:///{tmp_path / 'text.db'}"))
    assert (error.code, error.level) == ("sqlite SQLITE_NOTADB", HoldLevel.CONNECTOR)


def test_a_missing_file_is_never_made(target: Target, tmp_path: Path) -> None:
    refused(replace(target, url=f"sqlite:///{tmp_path / 'typo.db'}"))
    assert not (tmp_path / "typo.db").exists()


def test_a_file_name_may_hold_what_means_something_in_a_uri(target: Target, tmp_path: Path) -> None:
    (tmp_path / "a b#c.db").touch()
    connect(replace(target, url=f"sqlite:///{tmp_path}/a b#c.db")).probe()
