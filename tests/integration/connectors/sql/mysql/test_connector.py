"""What is MySQL's own: its session, its locks, its link, its packets."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from tests.servers.rows import Database
from tests.waiting import until
from workers.connectors import connect
from workers.connectors.sql import link as links
from workers.connectors.sql.mysql import link as mysql
from workers.connectors.sql.mysql.session import SQL_MODES
from workers.errors import ErrorClass, HoldLevel, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.mariadb import MariadbServer
    from workers.connectors.contract import Target
    from workers.connectors.sql.connector import PooledSession, SqlConnector

PATIENCE = 5.0


@pytest.fixture
def target(mariadb_target: Target) -> Target:
    with Database(mariadb_target) as database:
        database.run("CREATE TABLE t (id INT PRIMARY KEY)")
    return mariadb_target


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


def link(session: PooledSession) -> mysql.MysqlLink:
    return cast("mysql.MysqlLink", session._link)


def number(session: PooledSession) -> int:
    return link(session)._id


def variable(session: PooledSession, name: str) -> object:
    return link(session)._connection.row(f"SELECT @@{name}")[0]


def refused(session: PooledSession, statement: str) -> TargetError:
    with pytest.raises(TargetError) as caught:
        session.execute(statement)
    return caught.value


def sessions(server: MariadbServer) -> set[int]:
    connection = server.admin()
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT id FROM information_schema.processlist")
        return {row[0] for row in cursor.fetchall()}


def wait_until_gone(server: MariadbServer, session: int) -> None:
    until(lambda: session not in sessions(server), "the session's end")


def test_the_session_is_what_the_rules_ask_for(target: Target) -> None:
    session = connect(replace(target, statement_timeout=4.0)).open()
    names = ("tx_isolation", "character_set_client", "character_set_connection", "max_statement_time")
    assert [variable(session, name) for name in names] == ["READ-COMMITTED", "utf8mb4", "utf8mb4", 4.0]
    assert [variable(session, name) for name in ("innodb_lock_wait_timeout", "lock_wait_timeout")] == [3, 3]
    assert set(str(variable(session, "sql_mode")).split(",")) == set(SQL_MODES)
    session.discard()


def test_a_server_set_against_our_escaping_does_not_reach_the_session(
    own_mariadb: MariadbServer, target: Target
) -> None:
    own_mariadb.create_database("test_own")
    own_mariadb.run(
        "SET GLOBAL sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'",
        "SET GLOBAL tx_isolation = 'SERIALIZABLE'",
        "SET GLOBAL character_set_server = 'sjis'",
    )
    session = connect(replace(target, url=own_mariadb.url("test_own"))).open()
    session.begin("lane", PATIENCE)
    assert variable(session, "tx_isolation") == "READ-COMMITTED"
    assert link(session)._connection.row(r'SELECT "a\"b", LENGTH("é")') == ('a"b', 2)
    session.discard()


@pytest.mark.parametrize(
    "statement",
    [
        "COMMIT",
        "ROLLBACK",
        "COMMIT AND NO CHAIN",
        "CREATE TABLE x (id INT)",
        "TRUNCATE t",
        "SET sql_mode = 'NO_BACKSLASH_ESCAPES'",
        "LOCK TABLES t WRITE",
        "ALTER TABLE t COMMENT = 'x'",
    ],
)
def test_a_statement_that_none_of_ours_may_be_holds_the_integration(session: PooledSession, statement: str) -> None:
    session.begin("lane", PATIENCE)
    error = refused(session, statement)
    assert (error.code, error.error_class, error.level) == ("mysql surprise", ErrorClass.HOLD, HoldLevel.INTEGRATION)


def test_the_server_refuses_a_second_statement_in_one(session: PooledSession, target: Target) -> None:
    session.begin("lane", PATIENCE)
    assert refused(session, "INSERT INTO t VALUES (1); COMMIT").code == "mysql 1064"
    session.discard()
    with Database(target) as database:
        assert database.rows("SELECT * FROM t") == []


def test_half_a_surrogate_pair_is_isolated(session: PooledSession) -> None:
    session.begin(None, 0)
    error = refused(session, "SELECT '\udc27'")
    assert (error.code, error.error_class) == ("mysql text", ErrorClass.ISOLATE)


@pytest.mark.parametrize(
    ("rows", "statement"),
    [
        (2, "INSERT INTO t VALUES (1), (2)"),
        (2, "INSERT INTO t VALUES (9) ON DUPLICATE KEY UPDATE id = 10"),
        (0, "INSERT IGNORE INTO t VALUES (9)"),
        (2, "REPLACE INTO counted VALUES (9, 1)"),
        (1, "INSERT INTO t VALUES (1) RETURNING id"),
        (0, "DELETE FROM t WHERE id = 77"),
        (1, "SELECT id FROM t"),
        (2, "CALL several()"),
        (0, "DO 1"),
    ],
)
def test_rows_are_counted_as_the_server_does(session: PooledSession, target: Target, rows: int, statement: str) -> None:
    with Database(target) as database:
        database.run(
            "INSERT INTO t VALUES (9)",
            "CREATE TABLE counted (id INT PRIMARY KEY, n INT)",
            "INSERT INTO counted VALUES (9, 0)",
            "CREATE PROCEDURE several() BEGIN SELECT 1; SELECT 2 UNION SELECT 3; INSERT INTO t VALUES (5), (6); END",
        )
    session.begin(None, 0)
    assert session.execute(statement) == rows
    assert session.execute("INSERT INTO t VALUES (100)") == 1


def test_too_large_a_statement_is_split_before_it_is_sent(session: PooledSession) -> None:
    session.begin("lane", PATIENCE)
    largest = int(str(variable(session, "max_allowed_packet")))
    fitting = "SELECT LENGTH('" + "x" * (largest - 19) + "')"
    assert len(fitting) + 1 == largest - 1
    assert session.execute(fitting) == 1
    error = refused(session, fitting + " ")
    assert (error.code, error.error_class) == ("mysql 1153", ErrorClass.SPLIT)
    assert session.execute("INSERT INTO t VALUES (1)") == 1


def test_size_is_counted_in_bytes(session: PooledSession) -> None:
    session.begin("lane", PATIENCE)
    largest = int(str(variable(session, "max_allowed_packet")))
    assert refused(session, f"SELECT '{'é' * (largest // 2)}'").error_class is ErrorClass.SPLIT


def test_the_lock_is_kept_over_transactions_and_given_back_with_the_session(
    connector: SqlConnector, mariadb_server: MariadbServer
) -> None:
    session = connector.open()
    session.begin("lane", PATIENCE)
    session.commit()
    assert holder(mariadb_server, "lane") == number(session)
    session.begin("other", PATIENCE)
    session.commit()
    assert holder(mariadb_server, "lane") is None
    assert holder(mariadb_server, "other") == number(session)
    session.close()
    assert holder(mariadb_server, "other") is None


def holder(server: MariadbServer, lock: str) -> object:
    connection = server.admin()
    with connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT IS_USED_LOCK('{mysql.lock_name(lock)}')")
        return cursor.fetchone()[0]


def test_begin_with_a_held_lock_is_one_round_trip(session: PooledSession, monkeypatch: pytest.MonkeyPatch) -> None:
    session.begin("lane", PATIENCE)
    session.commit()
    sent: list[bytes] = []
    run = link(session)._connection.run

    def noted(statement: bytes) -> int:
        sent.append(statement)
        return int(run(statement))

    monkeypatch.setattr(link(session)._connection, "run", noted)
    session.begin("lane", PATIENCE)
    session.commit()
    assert sent == [b"START TRANSACTION", b"COMMIT"]


def test_a_locks_name_is_short_enough_and_differs_by_case() -> None:
    names = {mysql.lock_name(lock) for lock in ("a" * 500, "lane", "Lane", "läne")}
    assert len(names) == 4
    assert all(len(name) <= 64 and name == name.lower() for name in names)


def test_waiting_for_the_lock_is_bounded_by_patience_and_not_by_the_statements_timeout(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mysql, "MARGIN", 0.2)
    connector = connect(replace(target, statement_timeout=0.3))
    one, waiter = connector.open(), connector.open()
    one.begin("lane", PATIENCE)
    order: list[str] = []

    def give_back() -> None:
        order.append("given back")
        one.commit()
        one.close()

    timer = threading.Timer(0.8, give_back)
    timer.start()
    waiter.begin("lane", PATIENCE)
    order.append("had")
    timer.join()
    assert order == ["given back", "had"]
    waiter.discard()
    connector.dispose()


def test_a_lock_held_by_another_user_is_left_alone_and_retried(
    session: PooledSession, mariadb_server: MariadbServer
) -> None:
    admin = mariadb_server.admin()
    with admin, admin.cursor() as cursor:
        cursor.execute(f"SELECT GET_LOCK('{mysql.lock_name('lane')}', 0)")
        with pytest.raises(TargetError, match="may not end") as caught:
            session.begin("lane", 0.2)
        cursor.execute("SELECT 1")
    assert (caught.value.code, caught.value.error_class) == ("mysql 1095", ErrorClass.RETRY)


def test_a_link_that_the_server_closed_in_the_pool_is_replaced(
    connector: SqlConnector, mariadb_server: MariadbServer
) -> None:
    session = connector.open()
    first = number(session)
    session.close()
    mariadb_server.run(f"KILL {first}")
    wait_until_gone(mariadb_server, first)
    session = connector.open()
    assert number(session) != first
    session.discard()


def test_a_link_that_dies_between_open_and_begin_is_replaced_at_once(
    connector: SqlConnector, mariadb_server: MariadbServer
) -> None:
    connector.open().close()
    session = connector.open()
    first = number(session)
    mariadb_server.run(f"KILL {first}")
    wait_until_gone(mariadb_server, first)
    session.begin("lane", PATIENCE)
    assert number(session) != first
    assert session.execute("INSERT INTO t VALUES (1)") == 1
    session.commit()
    session.close()


def test_a_link_that_rested_for_long_is_replaced(connector: SqlConnector, monkeypatch: pytest.MonkeyPatch) -> None:
    session = connector.open()
    first = number(session)
    session.close()
    session = connector.open()
    assert number(session) == first
    session.close()
    monkeypatch.setattr(links, "IDLE_LIMIT", 0.0)
    session = connector.open()
    assert number(session) != first
    session.discard()


@pytest.mark.parametrize("step", ["execute", "commit"])
def test_a_session_that_is_ended_is_ambiguous(session: PooledSession, mariadb_server: MariadbServer, step: str) -> None:
    session.begin("lane", PATIENCE)
    session.execute("INSERT INTO t VALUES (1)")
    mariadb_server.run(f"KILL {number(session)}")
    arguments = ("INSERT INTO t VALUES (2)",) if step == "execute" else ()
    with pytest.raises(TargetError) as caught:
        getattr(session, step)(*arguments)
    assert caught.value.error_class is ErrorClass.AMBIGUOUS


def test_a_statement_that_the_server_does_not_stop_is_given_up_and_ended(
    session: PooledSession, mariadb_server: MariadbServer
) -> None:
    """As on MySQL, which has no timeout for changes (rule 20)."""
    session.begin("lane", PATIENCE)
    link(session)._connection.limit(0.5)
    first = number(session)
    # Unlike SLEEP, this does not notice by itself that nobody listens any more.
    error = refused(session, "INSERT INTO t SELECT BENCHMARK(1000000000, MD5(1))")
    assert (error.code, error.error_class) == ("mysql 2013", ErrorClass.AMBIGUOUS)
    assert "statement timeout" in error.reason
    wait_until_gone(mariadb_server, first)


def test_a_server_that_hangs_is_given_up(
    own_mariadb: MariadbServer, monkeypatch: pytest.MonkeyPatch, target: Target
) -> None:
    monkeypatch.setattr(mysql, "MARGIN", 0.3)
    connector = connect(replace(target, url=own_mariadb.url(), statement_timeout=1.0, connect_timeout=3.0))
    session = connector.open()
    session.begin(None, 0)
    own_mariadb.pause()
    error = refused(session, "SELECT 1")
    assert error.error_class is ErrorClass.AMBIGUOUS
    session.discard()
    with pytest.raises(TargetError) as caught:
        connector.open()
    assert caught.value.error_class is ErrorClass.RETRY
    own_mariadb.resume()


def test_after_a_restart_of_the_server_it_goes_on(own_mariadb: MariadbServer, target: Target) -> None:
    connector = connect(replace(target, url=own_mariadb.url()))
    connector.open().close()
    own_mariadb.kill()
    with pytest.raises(TargetError) as caught:
        connector.open()
    assert caught.value.error_class is ErrorClass.RETRY
    own_mariadb.start()
    session = connector.open()
    session.begin("lane", PATIENCE)
    session.discard()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mysql://u:secret@h/x",
        "mysql://u@h:0/x",
        "mysql://u@h/x?init_command=DROP",
        "mysql://u@h/x?ssl_disabled=perhaps",
        "mysql+pymysql://u@h/x",
        "postgresql://u@h/x",
    ],
)
def test_a_wrong_url_holds_the_connector_and_is_not_quoted(target: Target, url: str) -> None:
    with pytest.raises(TargetError) as caught:
        connect(replace(target, url=url)).open()
    assert (caught.value.code, caught.value.error_class) == ("mysql url", ErrorClass.HOLD)
    assert caught.value.level is HoldLevel.CONNECTOR
    assert "secret" not in str(caught.value)
