"""What is PostgreSQL's own: its session, its locks, its link."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.rows import Database
from workers.connectors import connect
from workers.connectors.sql import link as links
from workers.connectors.sql.postgresql import link as postgresql
from workers.errors import ErrorClass, HoldLevel, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.postgresql import PostgresqlServer
    from workers.connectors.contract import Target
    from workers.connectors.sql.connector import PooledSession, SqlConnector

PATIENCE = 5.0


@pytest.fixture
def target(postgresql_target: Target) -> Target:
    with Database(postgresql_target) as database:
        database.run("CREATE TABLE t (id int PRIMARY KEY)")
    return postgresql_target


@pytest.fixture
def connector(target: Target) -> Iterator[SqlConnector]:
    connector = connect(target)
    yield connector
    connector.dispose()


@pytest.fixture
def session(connector: SqlConnector) -> Iterator[PooledSession]:
    session = connector.open()
    yield session
    session.discard()


@pytest.fixture
def admin(postgresql_server: PostgresqlServer, target: Target) -> Iterator[Database]:
    """An administrator's view of the test's database."""
    with Database(replace(target, url=postgresql_server.url(target.url.rpartition("/")[2], "postgres"))) as database:
        yield database


def pid(session: PooledSession) -> int:
    return int(session._link._libpq.backend_pid)  # type: ignore[attr-defined]


def show(session: PooledSession, name: str) -> str:
    return str(session._link.run(f"SHOW {name}")[-1].get_value(0, 0).decode())  # type: ignore[attr-defined]


def refused(session: PooledSession, statement: str) -> TargetError:
    with pytest.raises(TargetError) as caught:
        session.execute(statement)
    return caught.value


def test_the_session_is_what_the_rules_ask_for(target: Target) -> None:
    session = connect(replace(target, statement_timeout=3.0)).open()
    session.begin(None, 0)
    names = ("standard_conforming_strings", "client_encoding", "backslash_quote", "application_name")
    assert [show(session, name) for name in names] == ["on", "UTF8", "safe_encoding", "segsync:crm"]
    names = ("transaction_isolation", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    assert [show(session, name) for name in names] == ["read committed", "3s", "2400ms", "63s"]
    session.discard()


def test_isolation_is_read_committed_whatever_the_database_says(
    postgresql_server: PostgresqlServer, target: Target, namespace: str
) -> None:
    postgresql_server.run("ALTER DATABASE {} SET default_transaction_isolation = serializable", namespace)
    session = connect(target).open()
    session.begin(None, 0)
    assert show(session, "transaction_isolation") == "read committed"
    session.discard()


def test_a_setting_of_the_database_against_our_escaping_does_not_reach_the_session(
    postgresql_server: PostgresqlServer, target: Target, namespace: str
) -> None:
    postgresql_server.run("ALTER DATABASE {} SET standard_conforming_strings = off", namespace)
    session = connect(target).open()
    session.begin(None, 0)
    assert session.execute(r"INSERT INTO t SELECT length('\')") == 1
    session.discard()


@pytest.mark.parametrize(
    "statement",
    [
        "COMMIT",
        "ROLLBACK",
        "COMMIT AND CHAIN",
        "SET standard_conforming_strings = off",
        "SET search_path = pg_catalog",
        "SELECT set_config('standard_conforming_strings', 'off', false)",
        "SELECT set_config('client_encoding', 'SJIS', false)",
        "CREATE TABLE x (id int)",
        "TRUNCATE t",
        "DO $$ BEGIN END $$",
        "COPY t FROM STDIN",
        "COPY t TO STDOUT",
        "-- nothing",
    ],
)
def test_a_statement_that_none_of_ours_may_be_holds_the_integration(session: PooledSession, statement: str) -> None:
    session.begin("lane", PATIENCE)
    error = refused(session, statement)
    assert (error.code, error.error_class, error.level) == (
        "postgresql surprise",
        ErrorClass.HOLD,
        HoldLevel.INTEGRATION,
    )


def test_the_server_refuses_a_second_statement_in_one(session: PooledSession, target: Target) -> None:
    session.begin("lane", PATIENCE)
    assert refused(session, "INSERT INTO t VALUES (1); COMMIT").code == "postgresql 42601"
    session.discard()
    with Database(target) as database:
        assert database.rows("SELECT * FROM t") == []


@pytest.mark.parametrize(("statement", "code"), [("SELECT '\0'", "text"), ("SELECT '\ud800'", "text")])
def test_what_the_driver_would_cut_off_is_isolated(session: PooledSession, statement: str, code: str) -> None:
    session.begin(None, 0)
    error = refused(session, statement)
    assert (error.code, error.error_class) == (f"postgresql {code}", ErrorClass.ISOLATE)


@pytest.mark.parametrize(
    ("rows", "statement"),
    [
        (2, "INSERT INTO t VALUES (1), (2)"),
        (1, "WITH x AS (SELECT 7 AS n) INSERT INTO t SELECT n FROM x"),
        (1, "INSERT INTO t VALUES (1) RETURNING id"),
        (0, "DELETE FROM t"),
        (3, "SELECT * FROM generate_series(1, 3)"),
        (0, "CALL nothing()"),
        (1, "MERGE INTO t USING (SELECT 1 AS n) x ON id = n WHEN NOT MATCHED THEN INSERT VALUES (n)"),
    ],
)
def test_rows_are_counted_as_the_server_does(session: PooledSession, target: Target, rows: int, statement: str) -> None:
    with Database(target) as database:
        database.run("CREATE PROCEDURE nothing() LANGUAGE plpgsql AS $$ BEGIN END $$")
    session.begin(None, 0)
    assert session.execute(statement) == rows


def test_begin_and_lock_are_one_round_trip(session: PooledSession, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    link: Any = session._link
    run = link.run

    def noted(text: str, seconds: float | None = None) -> object:
        sent.append(text)
        return run(text, seconds)

    monkeypatch.setattr(link, "run", noted)
    session.begin("lane", PATIENCE)
    session.commit()
    assert len(sent) == 2


def test_waiting_for_the_lock_is_bounded_by_patience_and_not_by_the_statements_timeout(target: Target) -> None:
    connector = connect(replace(target, statement_timeout=0.3))
    holder, waiter = connector.open(), connector.open()
    holder.begin("lane", PATIENCE)
    timer = threading.Timer(0.8, holder.rollback)
    timer.start()
    waiter.begin("lane", PATIENCE)
    timer.join()
    assert [show(waiter, name) for name in ("statement_timeout", "lock_timeout")] == ["300ms", "240ms"]
    waiter.discard()
    holder.discard()
    connector.dispose()


def test_a_lock_held_by_another_user_is_left_alone_and_retried(
    session: PooledSession, admin: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "GRACE", 0.2)
    admin.run("BEGIN", f"SELECT pg_advisory_xact_lock({postgresql.lock_number('lane')})")
    with pytest.raises(TargetError, match="may not end") as caught:
        session.begin("lane", 0.2)
    assert caught.value.error_class is ErrorClass.RETRY
    assert admin.rows("SELECT 1") == [(1,)]


def test_a_link_that_the_server_closed_in_the_pool_is_replaced(connector: SqlConnector, admin: Database) -> None:
    session = connector.open()
    first = pid(session)
    session.close()
    admin.run(f"SELECT pg_terminate_backend({first}, 5000)")
    session = connector.open()
    assert pid(session) != first
    session.begin("lane", PATIENCE)
    session.discard()


def test_a_link_that_dies_between_open_and_begin_is_replaced_at_once(connector: SqlConnector, admin: Database) -> None:
    connector.open().close()
    session = connector.open()
    first = pid(session)
    admin.run(f"SELECT pg_terminate_backend({first}, 5000)")
    session.begin("lane", PATIENCE)
    assert pid(session) != first
    assert session.execute("INSERT INTO t VALUES (1)") == 1
    session.commit()
    session.close()


def test_a_link_that_rested_for_long_is_replaced(connector: SqlConnector, monkeypatch: pytest.MonkeyPatch) -> None:
    session = connector.open()
    first = pid(session)
    session.close()
    monkeypatch.setattr(links, "IDLE_LIMIT", 0.0)
    session = connector.open()
    assert pid(session) != first
    session.discard()


def test_a_pooled_link_is_used_again(connector: SqlConnector) -> None:
    session = connector.open()
    first = pid(session)
    session.close()
    session = connector.open()
    assert pid(session) == first
    session.close()


def test_a_session_that_is_ended_in_a_statement_is_retried(session: PooledSession, admin: Database) -> None:
    session.begin("lane", PATIENCE)
    ending = threading.Timer(0.3, admin.run, [f"SELECT pg_terminate_backend({pid(session)})"])
    ending.start()
    error = refused(session, "SELECT pg_sleep(10)")
    ending.join()
    assert (error.code, error.error_class) == ("postgresql 57P01", ErrorClass.RETRY)


def test_a_session_that_is_ended_in_commit_is_ambiguous(session: PooledSession, target: Target) -> None:
    with Database(target) as database:
        database.run(
            "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$",
            "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION die()",
        )
    session.begin("lane", PATIENCE)
    session.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(TargetError) as caught:
        session.commit()
    assert caught.value.error_class is ErrorClass.AMBIGUOUS


def test_a_server_that_hangs_is_given_up_after_the_statements_timeout(
    own_postgresql: PostgresqlServer, monkeypatch: pytest.MonkeyPatch, target: Target
) -> None:
    monkeypatch.setattr(postgresql, "MARGIN", 0.3)
    connector = connect(replace(target, url=own_postgresql.url(), statement_timeout=1.0, connect_timeout=3.0))
    session, other = connector.open(), connector.open()
    session.begin(None, 0)
    first = pid(session)
    own_postgresql.pause_session(first)
    error = refused(session, f"SELECT '{'x' * 20_000_000}'")
    assert (error.code, error.error_class) == ("postgresql silent", ErrorClass.AMBIGUOUS)
    session.discard()
    own_postgresql.resume_session(first)
    own_postgresql.pause()
    with pytest.raises(TargetError) as caught:
        connector.open()
    assert caught.value.error_class is ErrorClass.RETRY
    other.discard()
    own_postgresql.resume()


def test_after_a_restart_of_the_server_it_goes_on(own_postgresql: PostgresqlServer, target: Target) -> None:
    connector = connect(replace(target, url=own_postgresql.url()))
    connector.open().close()
    own_postgresql.kill()
    with pytest.raises(TargetError) as caught:
        connector.open()
    assert caught.value.error_class is ErrorClass.RETRY
    own_postgresql.start()
    session = connector.open()
    session.begin("lane", PATIENCE)
    session.discard()
    connector.dispose()


def test_a_url_may_name_a_unix_socket(postgresql_server: PostgresqlServer, target: Target, namespace: str) -> None:
    url = f"postgresql://segsync@/{namespace}?host={postgresql_server.folder}&port={postgresql_server.port}"
    connect(replace(target, url=url)).probe()


@pytest.mark.parametrize("wanted", ["standby", "read-only"])
def test_a_server_of_the_other_kind_is_a_failover_that_is_waited_for(target: Target, wanted: str) -> None:
    """As of a replica that the URL's target_session_attrs leaves out until it is the primary."""
    with pytest.raises(TargetError) as caught:
        connect(replace(target, url=f"{target.url}?target_session_attrs={wanted}")).open()
    assert caught.value.error_class is ErrorClass.RETRY
    assert "target_session_attrs asks for" in caught.value.reason


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("require_auth=nonsense", "require_auth names no way"),
        ("require_auth=scram-sha-256", "another login than the URL's require_auth"),
        ("channel_binding=require", "the channel binding that the URL asks for"),
    ],
)
def test_what_a_url_demands_of_the_login_is_told(target: Target, options: str, said: str) -> None:
    with pytest.raises(TargetError, match=said) as caught:
        connect(replace(target, url=f"{target.url}?{options}")).open()
    assert caught.value.error_class is ErrorClass.HOLD


@pytest.mark.parametrize(
    "url",
    [
        "",
        "postgresql",
        "postgresql://u:secret@h/x",
        "postgresql://u@h:99999/x",
        "postgresql://u@h:x/x",
        "postgresql://u@h/x?options=-csearch_path",
        "postgresql://u@h/x?sslmode=a&sslmode=b",
        "postgresql://u@127.0.0.1/x?sslmode=nonsense",
        "mysql://u@h/x",
        "postgresql+psycopg://u@h/x",
    ],
)
def test_a_wrong_url_holds_the_connector_and_is_not_quoted(target: Target, url: str) -> None:
    with pytest.raises(TargetError) as caught:
        connect(replace(target, url=url)).open()
    assert (caught.value.error_class, caught.value.level) == (ErrorClass.HOLD, HoldLevel.CONNECTOR)
    assert "secret" not in str(caught.value)


def test_a_user_without_rights_on_the_table_holds_the_integration(target: Target, admin: Database) -> None:
    admin.run(f"CREATE ROLE poor_{id(target)} LOGIN")
    connector = connect(replace(target, url=target.url.replace("segsync@", f"poor_{id(target)}@")))
    session = connector.open()
    session.begin("lane", PATIENCE)
    assert refused(session, "DELETE FROM t").level is HoldLevel.INTEGRATION
    session.discard()
    admin.run(f"DROP ROLE poor_{id(target)}")
