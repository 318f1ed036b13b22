"""What is Oracle's own: its session, its locks, its errors. The driver's Python side is a played one."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import oracledb
import pytest

from tests.servers.certificates import Authority
from tests.servers.oracle_played import driver_error, refusal
from tests.servers.process import free_port
from tests.waiting import until
from workers.connectors import connect
from workers.connectors.contract import Target
from workers.connectors.sql.oracle.link import CREATE
from workers.errors import ErrorClass, HoldLevel, TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers.oracle_played import Shared
    from workers.connectors.sql.connector import PooledSession, SqlConnector

PATIENCE = 5.0
INSERT = "INSERT INTO t (id) VALUES (1)"
# The driver leaves its socket to the garbage collector when it cannot connect.
UNCLOSED = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")


@pytest.fixture
def connector(oracle: Shared) -> Iterator[SqlConnector]:
    connector = connect(oracle.target())
    run(connector, "CREATE TABLE t (id int PRIMARY KEY)")
    yield connector
    connector.dispose()


@pytest.fixture
def session(connector: SqlConnector) -> Iterator[PooledSession]:
    session = connector.open()
    yield session
    session.discard()


def run(connector: SqlConnector, *statements: str) -> None:
    session = connector.open()
    session.begin(None, PATIENCE)
    for statement in statements:
        session.execute(statement)
    session.commit()
    session.close()


def refused(call: Callable[[], object]) -> TargetError:
    with pytest.raises(TargetError) as caught:
        call()
    return caught.value


def rows(connector: SqlConnector) -> int:
    session = connector.open()
    session.begin(None, PATIENCE)
    found = session._link.value("SELECT count(*) FROM t")
    session.rollback()
    session.close()
    return int(found)


# --- Logins ----------------------------------------------------------------------------------------------------------


@UNCLOSED
def test_the_driver_is_told_where_and_who(oracle: Shared) -> None:
    target = replace(oracle.target(), url="oracle://sync@db.example:1522/crm", connect_timeout=3.0)
    connect(target).probe()
    (told,) = oracle.opened
    assert (told.host, told.port, told.service_name, told.user) == ("db.example", 1522, "crm", "sync")
    assert (told.protocol, told.tcp_connect_timeout, told.program) == ("tcp", 3.0, "segsync:crm")


def test_a_sid_and_tls_are_asked_for_in_the_url(oracle: Shared) -> None:
    connect(replace(oracle.target(), url="oracle://sync@db/crm?database_is=sid&protocol=tcps")).probe()
    (told,) = oracle.opened
    assert (told.sid, told.service_name, told.protocol) == ("crm", None, "tcps")


def test_a_wrong_password_holds_the_connector_and_shows_nowhere(oracle: Shared) -> None:
    target = replace(oracle.target(), url="oracle://nobody@db/crm", password="hunter2")
    error = refused(connect(target).probe)
    assert (error.error_class, error.level, error.code) == (ErrorClass.HOLD, HoldLevel.CONNECTOR, "oracle 1017")
    assert "hunter2" not in f"{error!r} {error.detail} {target!r}"


@pytest.mark.parametrize(
    ("raised", "error_class", "code"),
    [
        (driver_error("DPY-6001", 'Service "crm" is not registered'), ErrorClass.RETRY, "oracle DPY-6001"),
        (
            driver_error("DPY-6000", "Listener refused connection. (Similar to ORA-12520)"),
            ErrorClass.RETRY,
            "oracle DPY-6000",
        ),
        (driver_error("DPY-3010", "connections to this database server version"), ErrorClass.HOLD, "oracle DPY-3010"),
        (refusal(28000, "the account is locked"), ErrorClass.HOLD, "oracle 28000"),
        (refusal(1033, "ORACLE initialization or shutdown in progress"), ErrorClass.RETRY, "oracle 1033"),
    ],
)
def test_what_goes_wrong_with_connecting(oracle: Shared, raised: Exception, error_class: ErrorClass, code: str) -> None:
    oracle.failing["connect"] = [raised]
    error = refused(connect(oracle.target()).probe)
    assert (error.error_class, error.level, error.code) == (error_class, HoldLevel.CONNECTOR, code)


# --- The session -----------------------------------------------------------------------------------------------------


def test_the_session_is_what_the_rules_ask_for(oracle: Shared) -> None:
    session = connect(replace(oracle.target(), timezone="Europe/Berlin")).open()
    (played,) = oracle.sessions.values()
    expected = {
        "NLS_COMP": "BINARY", "NLS_SORT": "BINARY", "NLS_NUMERIC_CHARACTERS": ".,", "TIME_ZONE": "Europe/Berlin",
        "NLS_DATE_FORMAT": "YYYY-MM-DD HH24:MI:SS", "NLS_TERRITORY": "AMERICA", "NLS_LANGUAGE": "AMERICAN",
    }  # fmt: skip
    assert expected.items() <= played.settings.items()
    assert next(iter(played.settings)) == "NLS_TERRITORY", "it sets others, so it comes first"
    assert {"CURSOR_SHARING", "ISOLATION_LEVEL"} <= played.settings.keys()
    session.discard()


@pytest.mark.parametrize(("name", "value"), [("NLS_COMP", "LINGUISTIC"), ("TIME_ZONE", "+02:00")])
def test_a_setting_that_was_not_kept_holds_the_connector(oracle: Shared, name: str, value: str) -> None:
    oracle.keeps[name] = value
    error = refused(connect(oracle.target()).probe)
    assert (error.error_class, error.level, error.code) == (ErrorClass.HOLD, HoldLevel.CONNECTOR, "oracle session")
    assert f"{name} is {value!r}" in error.reason


def test_a_procedure_that_ends_the_transaction_holds_the_integration(
    oracle: Shared, connector: SqlConnector, session: PooledSession
) -> None:
    run(connector, "CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1'")
    session.begin("lane", PATIENCE)
    session.execute("CALL p()")
    played(oracle).number = "99.1.1"
    error = refused(lambda: session.execute("CALL p()"))
    assert (error.error_class, error.level) == (ErrorClass.HOLD, HoldLevel.INTEGRATION)


def played(oracle: Shared) -> Any:
    """The connection that has a transaction."""
    (found,) = [each for each in oracle.sessions.values() if each.number is not None]
    return found


@pytest.mark.parametrize(
    ("number", "error_class"),
    [
        (1, ErrorClass.ISOLATE),
        (20001, ErrorClass.ISOLATE),
        (60, ErrorClass.RETRY),
        (1795, ErrorClass.SPLIT),
        (942, ErrorClass.HOLD),
        (3113, ErrorClass.AMBIGUOUS),
        (28, ErrorClass.AMBIGUOUS),
    ],
)
def test_an_error_in_a_statement(oracle: Shared, session: PooledSession, number: int, error_class: ErrorClass) -> None:
    """ORA-03113 and its like come from the driver as one of its own, DPY-4011."""
    session.begin("lane", PATIENCE)
    oracle.failing["INSERT"] = [refusal(number, "value 'ann@example.com'")]
    error = refused(lambda: session.execute(INSERT))
    assert error.error_class is error_class
    assert "ann@" not in f"{error!r}"


def test_what_is_open_is_rolled_back_before_the_session_ends(oracle: Shared, session: PooledSession) -> None:
    session.begin("lane", PATIENCE)
    session.execute(INSERT)
    session.discard()
    assert oracle.executed[-2:] == ["ROLLBACK", "CLOSE"]


def test_what_commit_would_check_is_checked_in_a_trial(oracle: Shared, session: PooledSession) -> None:
    session.begin("lane", PATIENCE)
    assert session.check_deferred()
    assert "SET CONSTRAINTS ALL IMMEDIATE" in oracle.executed


def test_a_deferred_constraint_that_refuses_at_commit_is_the_datas(oracle: Shared, session: PooledSession) -> None:
    session.begin("lane", PATIENCE)
    oracle.failing["COMMIT"] = [refusal(2091, "transaction rolled back\nORA-02291: integrity constraint violated")]
    error = refused(session.commit)
    assert (error.error_class, "checked at COMMIT" in error.reason) == (ErrorClass.ISOLATE, True)


def test_a_link_lost_in_commit_is_ambiguous(oracle: Shared, session: PooledSession) -> None:
    session.begin("lane", PATIENCE)
    session.execute(INSERT)
    oracle.failing["COMMIT"] = [refusal(3113, "end-of-file on communication channel")]
    assert refused(session.commit).error_class is ErrorClass.AMBIGUOUS


def test_a_used_link_that_is_dead_is_replaced_once(oracle: Shared, connector: SqlConnector) -> None:
    session = connector.open()
    oracle.failing["BEGIN :answer"] = [refusal(3113)]
    session.begin("lane", PATIENCE)
    session.execute(INSERT)
    session.commit()
    session.close()
    assert rows(connector) == 1


def test_a_statement_that_takes_too_long_is_broken_off(oracle: Shared, connector: SqlConnector) -> None:
    quick = connect(replace(oracle.target(), statement_timeout=1.5))
    session = quick.open()
    session.begin("lane", PATIENCE)
    session.execute(INSERT)
    error = refused(lambda: session.execute("SELECT pg_sleep(20)"))
    assert (error.error_class, error.code) == (ErrorClass.AMBIGUOUS, "oracle DPY-4024")
    session.discard()
    assert rows(connector) == 0


# --- Locks -----------------------------------------------------------------------------------------------------------


def test_without_dbms_lock_a_row_of_ours_is_the_lock(oracle: Shared, connector: SqlConnector) -> None:
    run(connector, CREATE)
    oracle.grants.remove("lock")
    fresh = connect(oracle.target())
    holder, successor, other = fresh.open(), fresh.open(), fresh.open()
    holder.begin("lane", PATIENCE)
    other.begin("another lane", 0)
    successor.begin("lane", 0.1)
    assert refused(holder.commit).error_class is ErrorClass.AMBIGUOUS, "its session was ended"
    successor.commit()
    other.rollback()
    other.begin("lane", 0)
    for session in (holder, successor, other):
        session.discard()
    fresh.dispose()


def test_neither_dbms_lock_nor_the_table_holds_the_connector_and_says_what_to_do(oracle: Shared) -> None:
    oracle.grants.remove("lock")
    session = connect(oracle.target()).open()
    error = refused(lambda: session.begin("lane", PATIENCE))
    assert (error.error_class, error.level) == (ErrorClass.HOLD, HoldLevel.CONNECTOR)
    assert "GRANT EXECUTE ON SYS.DBMS_LOCK" in error.reason
    assert CREATE in error.reason


def test_a_lock_held_by_a_session_that_may_not_be_ended_is_retried(oracle: Shared, connector: SqlConnector) -> None:
    holder, waiter = connector.open(), connector.open()
    holder.begin("lane", PATIENCE)
    oracle.grants.remove("kill")
    error = refused(lambda: waiter.begin("lane", 0))
    assert (error.error_class, "may not see or end" in error.reason) == (ErrorClass.RETRY, True)
    asked = [statement for statement in oracle.executed if "DBMS_LOCK.REQUEST" in statement]
    assert asked[-1].endswith(", 6, 0, TRUE); END;"), "nobody is waited for longer than patience"
    holder.commit()
    holder.close()
    waiter.discard()


def test_a_lanes_position_is_made_locked_and_moved(connector: SqlConnector) -> None:
    """Oracle takes '' for NULL, so a position that is not there yet is none."""
    run(connector, "CREATE TABLE segsync_position (lane char(32) PRIMARY KEY, integration text, position text)")
    session = connector.open()
    for expected, following in (("", "1"), ("1", "2"), ("2", "3")):
        session.begin("lane", PATIENCE)
        assert session.position("lane", "crm") == expected
        session.move_position("lane", following)
        session.commit()
    session.close()


# --- The driver itself, as far as it speaks without a server ---------------------------------------------------------


def listener(answer: Callable[[socket.socket], None]) -> tuple[socket.socket, int]:
    """A port at which whoever comes is given this answer."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                answer(client)

    threading.Thread(target=serve, daemon=True).start()
    return server, server.getsockname()[1]


def shut(server: socket.socket) -> None:
    """Ends the thread that waits for callers, too."""
    server.shutdown(socket.SHUT_RDWR)
    server.close()


def probe(port: int, options: str = "", seconds: float = 5.0) -> TargetError:
    target = Target("crm", "oracle", f"oracle://sync@127.0.0.1:{port}/crm{options}", "secret", connect_timeout=seconds)
    return refused(connect(target).probe)


@UNCLOSED
def test_the_driver_says_when_nobody_listens() -> None:
    error = probe(free_port())
    assert (error.error_class, error.level) == (ErrorClass.RETRY, HoldLevel.CONNECTOR)
    assert "does not listen" in error.reason


@UNCLOSED
def test_the_driver_says_what_the_listener_refuses() -> None:
    """A packet REFUSE of Oracle Net, with the text that a listener sends for a service it does not know."""
    text = b"(DESCRIPTION=(TMP=)(VSNNUM=318767104)(ERR=12514)(ERROR_STACK=(ERROR=(CODE=12514)(EMFI=4))))"

    def refuse(client: socket.socket) -> None:
        client.recv(8192)
        body = bytes([34, 0]) + len(text).to_bytes(2, "big") + text
        client.sendall((len(body) + 8).to_bytes(2, "big") + bytes([0, 0, 4, 0, 0, 0]) + body)

    server, port = listener(refuse)
    error = probe(port)
    shut(server)
    assert (error.error_class, error.code) == (ErrorClass.RETRY, "oracle DPY-6001")
    assert "no such service" in error.reason


@UNCLOSED
def test_a_listener_that_says_nothing_is_given_up_and_asked_by_one_thread_at_a_time() -> None:
    """The driver's own limit is for TCP alone."""
    silent: list[socket.socket] = []
    server, port = listener(lambda client: silent.append(socket.socket(fileno=os.dup(client.fileno()))))
    for _ in range(3):
        error = probe(port, seconds=0.3)
        assert (error.error_class, error.level) == (ErrorClass.RETRY, HoldLevel.CONNECTOR)
    assert (len(silent), waiting_threads()) == (1, 1)
    shut(server)
    for client in silent:
        client.close()
    until(lambda: waiting_threads() == 0)


def waiting_threads() -> int:
    return sum(thread.name == "segsync-oracle-connect" for thread in threading.enumerate())


@UNCLOSED
def test_the_driver_says_when_the_listener_hangs_up() -> None:
    def hang_up(client: socket.socket) -> None:
        client.recv(1)

    server, port = listener(hang_up)
    error = probe(port)
    shut(server)
    assert (error.error_class, error.level) == (ErrorClass.RETRY, HoldLevel.CONNECTOR)


@UNCLOSED
def test_the_driver_trusts_no_stranger(tmp_path: Path) -> None:
    context = Authority(tmp_path).server("127.0.0.1")

    def shake(client: socket.socket) -> None:
        try:
            context.wrap_socket(client, server_side=True).close()
        except (ssl.SSLError, OSError):
            return

    server, port = listener(shake)
    error = probe(port, "?protocol=tcps")
    shut(server)
    assert (error.error_class, error.level, error.code) == (ErrorClass.HOLD, HoldLevel.CONNECTOR, "oracle tls")


@UNCLOSED
def test_the_driver_shows_a_certificate_where_one_is_asked_for(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = authority.server("127.0.0.1")
    context.load_verify_locations(authority.file)
    context.verify_mode = ssl.CERT_REQUIRED
    seen: list[object] = []

    def shake(client: socket.socket) -> None:
        try:
            with context.wrap_socket(client, server_side=True) as inside:
                seen.append(inside.getpeercert())
        except (ssl.SSLError, OSError):
            seen.append(None)

    server, port = listener(shake)
    trusting = f"?protocol=tcps&ca_file={authority.file}"
    probe(port, f"{trusting}&cert_file={authority.client('segsync')}")
    shut(server)
    assert "'segsync'" in str(seen[0])
    missing = probe(port, f"{trusting}&key_file={authority.file}")
    assert (missing.error_class, "expected cert_file beside it" in missing.reason) == (ErrorClass.HOLD, True)


def test_the_driver_is_thin() -> None:
    assert oracledb.is_thin_mode()
