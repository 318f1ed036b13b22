"""PostgreSQL's table of errors, each provoked on a real server."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.servers.postgresql import PASSWORD, PASSWORD_USER, REFUSED_USER
from tests.servers.process import free_port
from tests.servers.rows import Database
from workers.connectors import connect
from workers.errors import ErrorClass, HoldLevel, Phase, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.postgresql import PostgresqlServer
    from workers.connectors.contract import Target
    from workers.connectors.sql.connector import SqlConnector

ISOLATE, SPLIT, RETRY, AMBIGUOUS = ErrorClass.ISOLATE, ErrorClass.SPLIT, ErrorClass.RETRY, ErrorClass.AMBIGUOUS
HOLD = ErrorClass.HOLD

LARGE = "INSERT INTO guarded (region) SELECT string_agg(md5(i::text), '') FROM generate_series(1, 400) i"
SCHEMA = """
CREATE TABLE parents (id int PRIMARY KEY);
INSERT INTO parents VALUES (1);
CREATE TABLE t (
    id int PRIMARY KEY, name varchar(5), n smallint CHECK (n > 0), day date, parent int REFERENCES parents,
    needed text NOT NULL DEFAULT 'x', twice int GENERATED ALWAYS AS (id * 2) STORED, data jsonb,
    during int4range, EXCLUDE USING gist (during WITH &&)
);
INSERT INTO t (id, during, parent) VALUES (1, '[1,5)', 1);
CREATE TABLE later (id int UNIQUE DEFERRABLE INITIALLY DEFERRED);
CREATE VIEW positive AS SELECT id, n FROM t WHERE id > 0 WITH CHECK OPTION;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no: %', NEW.id; END $$;
CREATE TABLE watched (id int);
CREATE TRIGGER refuse BEFORE INSERT ON watched FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.code = 'assert' THEN ASSERT false; END IF;
    IF NEW.code = 'case' THEN CASE 1 WHEN 2 THEN NULL; END CASE; END IF;
    IF NEW.code = 'strict' THEN SELECT id INTO STRICT NEW.n FROM parents WHERE id = 99; END IF;
    RAISE EXCEPTION 'no' USING ERRCODE = NEW.code; END $$;
CREATE TABLE said (code text, n int);
CREATE TRIGGER say BEFORE INSERT ON said FOR EACH ROW EXECUTE FUNCTION say();
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'no' USING TABLE = NEW.email, COLUMN = NEW.email, CONSTRAINT = NEW.email; END $$;
CREATE TABLE told (email text);
CREATE TRIGGER tell BEFORE INSERT ON told FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TABLE guarded (id int, region text, q tsquery, path jsonpath);
CREATE INDEX ON guarded (region);
CREATE POLICY eu ON guarded USING (true) WITH CHECK (region IS NULL OR region <> 'us');
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
ALTER TABLE guarded FORCE ROW LEVEL SECURITY;
CREATE TABLE used_up (id smallint GENERATED ALWAYS AS IDENTITY (START 32767), v int);
INSERT INTO used_up (v) VALUES (1);
CREATE PROCEDURE committing() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$;
"""


@pytest.fixture
def target(postgresql_target: Target) -> Target:
    with Database(postgresql_target) as database:
        database.run(SCHEMA)
    return replace(postgresql_target, statement_timeout=1.0)


@pytest.fixture
def connector(target: Target) -> Iterator[SqlConnector]:
    connector = connect(target)
    yield connector
    connector.dispose()


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
        ("23505", ISOLATE, "INSERT INTO t (id) VALUES (1)"),
        ("23502", ISOLATE, "INSERT INTO t (id, needed) VALUES (2, NULL)"),
        ("23503", ISOLATE, "INSERT INTO t (id, parent) VALUES (2, 99)"),
        ("23503", ISOLATE, "DELETE FROM parents"),
        ("23514", ISOLATE, "INSERT INTO t (id, n) VALUES (2, -1)"),
        ("23P01", ISOLATE, "INSERT INTO t (id, during) VALUES (2, '[2,3)')"),
        ("22001", ISOLATE, "INSERT INTO t (id, name) VALUES (2, 'longer')"),
        ("22003", ISOLATE, "INSERT INTO t (id, n) VALUES (2, 70000)"),
        ("22007", ISOLATE, "INSERT INTO t (id, day) VALUES (2, 'someday')"),
        ("22008", ISOLATE, "INSERT INTO t (id, day) VALUES (2, '2026-02-31')"),
        ("22012", ISOLATE, "INSERT INTO t (id) VALUES (1 / 0)"),
        ("22P02", ISOLATE, "INSERT INTO t (id) VALUES ('seven')"),
        ("22P02", ISOLATE, "INSERT INTO t (id, data) VALUES (2, '{')"),
        ("22021", ISOLATE, r"INSERT INTO t (id, name) VALUES (2, E'\xff')"),
        ("22023", ISOLATE, "SELECT decode('x', 'no such format')"),
        ("21000", ISOLATE, "INSERT INTO t (id) VALUES (5), (5) ON CONFLICT (id) DO UPDATE SET n = 1"),
        ("44000", ISOLATE, "INSERT INTO positive (id) VALUES (-1)"),
        ("P0001", ISOLATE, "INSERT INTO watched VALUES (1)"),
        ("CRM01", ISOLATE, "INSERT INTO said VALUES ('CRM01')"),
        ("45000", ISOLATE, "INSERT INTO said VALUES ('45000')"),
        ("57P01", ISOLATE, "INSERT INTO said VALUES ('57P01')"),
        ("42501", ISOLATE, "INSERT INTO said VALUES ('42501')"),
        ("XX000", ISOLATE, "INSERT INTO said VALUES ('XX000')"),
        ("HV000", ISOLATE, "INSERT INTO said VALUES ('HV000')"),
        ("38000", ISOLATE, "INSERT INTO said VALUES ('38000')"),
        ("39000", ISOLATE, "INSERT INTO said VALUES ('39000')"),
        ("40001", RETRY, "INSERT INTO said VALUES ('40001')"),
        ("P0004", ISOLATE, "INSERT INTO said VALUES ('assert')"),
        ("20000", ISOLATE, "INSERT INTO said VALUES ('case')"),
        ("P0002", ISOLATE, "INSERT INTO said VALUES ('strict')"),
        ("42501", ISOLATE, "INSERT INTO guarded (region) VALUES ('us')"),
        ("42601", ISOLATE, "INSERT INTO guarded (q) VALUES ('a b')"),
        ("42601", ISOLATE, "INSERT INTO guarded (q) VALUES (to_tsquery('simple', 'a b'))"),
        ("42601", ISOLATE, "INSERT INTO guarded (path) VALUES ('$..[')"),
        ("21000", ISOLATE, "INSERT INTO guarded (id) VALUES ((SELECT 1 UNION SELECT 2))"),
        (
            "54000",
            ISOLATE,
            LARGE,
        ),
        ("2200H", HOLD, "INSERT INTO used_up (v) VALUES (2)"),
        ("42P18", HOLD, "SELECT ARRAY[]"),
        ("54001", SPLIT, f"SELECT {'+'.join('1' * 60_000)}"),
        ("54011", SPLIT, f"SELECT {','.join('1' * 1700)}"),
        ("42P01", HOLD, "INSERT INTO nowhere VALUES (1)"),
        ("42703", HOLD, "INSERT INTO t (nothing) VALUES (1)"),
        ("42601", HOLD, "INSERT INTO"),
        ("42601", HOLD, "DELETE FROM later; DELETE FROM watched"),
        ("42501", HOLD, "DELETE FROM pg_authid"),
        ("42702", HOLD, "SELECT id FROM t, parents"),
        ("42804", HOLD, "INSERT INTO t (id, day) VALUES (2, 7)"),
        ("42846", HOLD, "SELECT 7::date"),
        ("42883", HOLD, "DELETE FROM t WHERE name = 7"),
        ("42P10", HOLD, "INSERT INTO t (id) VALUES (2) ON CONFLICT (name) DO NOTHING"),
        ("428C9", HOLD, "INSERT INTO t (id, twice) VALUES (2, 4)"),
        ("0A000", HOLD, "SELECT id FROM t UNION SELECT 1 FOR UPDATE"),
        ("3F000", HOLD, "SELECT nowhere.f()"),
        ("2D000", HOLD, "CALL committing()"),
        ("57014", AMBIGUOUS, "SELECT pg_sleep(20)"),
    ],
)
def test_a_query_that_fails(connector: SqlConnector, code: str, error_class: ErrorClass, statement: str) -> None:
    error = run(connector, statement)
    assert (error.code, error.error_class) == (f"postgresql {code}", error_class)
    if error_class is HOLD:
        assert error.level is HoldLevel.INTEGRATION
    assert "no rule" not in error.reason


@pytest.mark.parametrize(
    ("name", "statement"),
    [("table 'nowhere'", "INSERT INTO nowhere VALUES (1)"), ("column 'nothing'", "INSERT INTO t (nothing) VALUES (1)")],
)
def test_a_name_that_the_server_does_not_know_is_told(connector: SqlConnector, name: str, statement: str) -> None:
    assert name in run(connector, statement).reason


@pytest.mark.parametrize(
    ("part", "statement"),
    [
        ("row security", "INSERT INTO guarded (region) VALUES ('us')"),
        ("a subquery gives several rows", "INSERT INTO guarded (id) VALUES ((SELECT 1 UNION SELECT 2))"),
        ("the same row twice", "INSERT INTO t (id) VALUES (5), (5) ON CONFLICT (id) DO UPDATE SET n = 1"),
        (
            "larger than an index",
            LARGE,
        ),
        ("no numbers left", "INSERT INTO used_up (v) VALUES (2)"),
        ("stands without quotes", "INSERT INTO t (id) VALUES (true)"),
    ],
)
def test_a_code_that_stands_for_several_things_is_told_apart(
    connector: SqlConnector, part: str, statement: str
) -> None:
    assert part in run(connector, statement).reason


def test_names_from_the_schema_are_told(connector: SqlConnector) -> None:
    assert run(connector, "INSERT INTO t (id, needed) VALUES (2, NULL)").reason.endswith("(table 't', column 'needed')")
    assert run(connector, "INSERT INTO t (id) VALUES (1)").reason.endswith("(table 't', constraint 't_pkey')")


def test_what_a_trigger_calls_a_name_may_be_a_value_and_is_not_told(connector: SqlConnector) -> None:
    error = run(connector, "INSERT INTO told VALUES ('ann@example.com')")
    assert (error.code, error.error_class) == ("postgresql P0001", ISOLATE)
    assert "ann" not in error.reason


def test_a_lock_of_another_transaction_is_waited_for_and_then_retried(connector: SqlConnector) -> None:
    holder = connector.open()
    holder.begin(None, 0)
    holder.execute("UPDATE t SET n = 2 WHERE id = 1")
    error = run(connector, "UPDATE t SET n = 3 WHERE id = 1")
    holder.discard()
    assert (error.code, error.error_class) == ("postgresql 55P03", RETRY)


def test_a_deadlock_is_retried(target: Target) -> None:
    connector = connect(replace(target, statement_timeout=20.0))
    with Database(target) as database:
        database.run("INSERT INTO parents VALUES (2)")
    one, two = connector.open(), connector.open()
    for session, row in ((one, 1), (two, 2)):
        session.begin(None, 0)
        session.execute(f"UPDATE parents SET id = id WHERE id = {row}")
    errors: list[TargetError] = []

    def cross() -> None:
        try:
            one.execute("UPDATE parents SET id = id WHERE id = 2")
        except TargetError as error:
            errors.append(error)
            one.discard()

    thread = threading.Thread(target=cross)
    thread.start()
    try:
        two.execute("UPDATE parents SET id = id WHERE id = 1")
    except TargetError as error:
        errors.append(error)
        two.discard()
    thread.join()
    one.discard()
    two.discard()
    connector.dispose()
    assert [(error.code, error.error_class) for error in errors] == [("postgresql 40P01", RETRY)]


def test_a_read_only_server_is_retried(postgresql_server: PostgresqlServer, target: Target, namespace: str) -> None:
    postgresql_server.run("ALTER DATABASE {} SET default_transaction_read_only = on", namespace)
    connector = connect(target)
    error = run(connector, "DELETE FROM t")
    connector.dispose()
    assert (error.code, error.error_class) == ("postgresql 25006", RETRY)


def test_a_deferred_constraint_at_commit_is_the_datas_fault_and_a_sure_rollback(connector: SqlConnector) -> None:
    session = connector.open()
    session.begin(None, 0)
    session.execute("INSERT INTO later VALUES (1), (1)")
    with pytest.raises(TargetError, match="checked at COMMIT") as caught:
        session.commit()
    session.discard()
    assert (caught.value.error_class, caught.value.phase) == (ISOLATE, Phase.COMMIT)


def refused(target: Target) -> TargetError:
    with pytest.raises(TargetError) as caught:
        connect(target).open()
    with pytest.raises(TargetError) as probed:
        connect(target).probe()
    assert (probed.value.code, probed.value.reason) == (caught.value.code, caught.value.reason)
    return caught.value


def user(target: Target, name: str) -> str:
    return target.url.replace("//segsync@", f"//{name}@")


@pytest.mark.parametrize("password", ["wrong", None, "right: %/@'", "é\U0001f600"])
def test_a_wrong_password_holds_the_connector(target: Target, password: str | None) -> None:
    error = refused(replace(target, url=user(target, PASSWORD_USER), password=password))
    assert (error.error_class, error.level) == (HOLD, HoldLevel.CONNECTOR)
    assert "password" in error.reason


def test_the_right_password_is_taken_as_it_is(target: Target, postgresql_server: PostgresqlServer) -> None:
    postgresql_server.run("GRANT CONNECT ON DATABASE {} TO {}", target.url.rpartition("/")[2], PASSWORD_USER)
    connect(replace(target, url=user(target, PASSWORD_USER), password=PASSWORD)).probe()


def test_what_is_wrong_with_the_account_or_the_database_holds_the_connector(
    target: Target, postgresql_server: PostgresqlServer
) -> None:
    cases = {
        "the user does not exist": user(target, "nobody-at-all"),
        "the database does not exist": f"{target.url}_x",
        "the server accepts no connections from this host for this user and database": user(target, REFUSED_USER),
        "TLS failed": f"{target.url}?sslmode=require",
    }
    for reason, url in cases.items():
        error = refused(replace(target, url=url))
        assert (error.reason, error.error_class, error.level) == (reason, HOLD, HoldLevel.CONNECTOR)
    postgresql_server.run("REVOKE CONNECT ON DATABASE {} FROM PUBLIC", target.url.rpartition("/")[2])
    assert refused(replace(target, url=user(target, PASSWORD_USER), password=PASSWORD)).reason == (
        "the user has no right to this database"
    )


def test_a_server_that_is_not_there_is_retried(target: Target) -> None:
    cases = {
        "the server does not listen at this address": f"postgresql://segsync@127.0.0.1:{free_port()}/x",
        "the server's host name cannot be resolved": "postgresql://segsync@database.invalid/x",
    }
    for reason, url in cases.items():
        error = refused(replace(target, url=url))
        assert (error.reason, error.error_class) == (reason, RETRY)
    socket = refused(replace(target, url="postgresql://segsync@/x?host=/nowhere/at/all"))
    assert socket.error_class is RETRY


def test_too_many_connections_are_retried(target: Target, postgresql_server: PostgresqlServer) -> None:
    name = target.url.rpartition("/")[2]
    postgresql_server.run("ALTER DATABASE {} CONNECTION LIMIT 0", name)
    error = refused(target)
    assert (error.reason, error.error_class) == ("the database or the user has too many connections", RETRY)
