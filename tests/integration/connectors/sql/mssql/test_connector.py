"""What is SQL Server's own: its logins, its TLS, its session, its locks, its link. The server is a played one."""

from __future__ import annotations

import ssl
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.certificates import Authority
from tests.servers.tds import ENCRYPT_NOT_SUPPORTED, ENCRYPT_OFF, Refuse, Result, TdsServer
from tests.servers.tds_postgresql import OPTIONS
from workers.connectors import connect
from workers.connectors.contract import Target
from workers.connectors.sql import extras
from workers.connectors.sql.mssql import link as mssql_link
from workers.errors import ErrorClass, HoldLevel, TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers.tds import Login
    from tests.servers.tds_postgresql import Shared
    from workers.connectors.sql.connector import PooledSession, SqlConnector

PATIENCE = 5.0
INSERT = "INSERT INTO t (id) VALUES (1)"


@pytest.fixture
def connector(mssql: Shared) -> Iterator[SqlConnector]:
    connector = connect(mssql.target())
    session = connector.open()
    session.begin(None, PATIENCE)
    session.execute("CREATE TABLE t (id int PRIMARY KEY)")
    session.commit()
    session.close()
    yield connector
    connector.dispose()


@pytest.fixture
def session(connector: SqlConnector) -> Iterator[PooledSession]:
    session = connector.open()
    yield session
    session.discard()


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


def test_the_login_names_the_database_and_the_session(mssql: Shared) -> None:
    connect(replace(mssql.target(), session_name="segsync:crm")).probe()
    (login,) = mssql.server.logins
    assert (login.user, login.password, login.database, login.application) == ("sync", "secret", "crm", "segsync:crm")


def test_a_password_of_any_characters_arrives(mssql: Shared) -> None:
    mssql.password = "pä'ss;{wörd}\"%41 \u20ac"
    connect(mssql.target()).probe()


@pytest.mark.parametrize("password", ["\U0001f511", "x" * 129])
def test_a_password_that_no_login_can_carry_is_said(mssql: Shared, password: str) -> None:
    error = refused(connect(replace(mssql.target(), password=password)).probe)
    assert (error.error_class, error.level, error.code) == (ErrorClass.HOLD, HoldLevel.CONNECTOR, "mssql login")
    assert "the password cannot be sent" in error.reason
    assert mssql.server.logins == []


def test_a_wrong_password_holds_the_connector_and_shows_nowhere(mssql: Shared) -> None:
    target = replace(mssql.target(), password="hunter2")
    error = refused(connect(target).probe)
    assert (error.error_class, error.level, error.code) == (ErrorClass.HOLD, HoldLevel.CONNECTOR, "mssql 18456")
    assert "hunter2" not in f"{error!r} {error.detail} {target!r}"
    assert len(mssql.server.logins) == 1, "who is refused must not knock again"


def test_a_database_that_cannot_be_opened_is_tried_again(mssql: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    def no(_login: Login) -> None:
        raise Refuse(4060, 'Cannot open database "crm" requested by the login. The login failed.', severity=11)

    monkeypatch.setattr(mssql.server, "_make", no)
    error = refused(connect(mssql.target()).probe)
    assert (error.error_class, error.code) == (ErrorClass.RETRY, "mssql 4060")


def test_a_login_that_is_sent_on_is_followed(mssql: Shared) -> None:
    gateway = TdsServer(mssql.session)
    gateway.route = ("127.0.0.1", mssql.server.port)
    try:
        connect(Target("crm", "mssql", f"mssql://sync@127.0.0.1:{gateway.port}/crm?encrypt=false", "secret")).probe()
    finally:
        gateway.close()
    assert len(mssql.server.logins) == 1


def test_nobody_at_home_is_tried_again(mssql: Shared) -> None:
    mssql.server.close()
    error = refused(connect(mssql.target()).probe)
    assert (error.error_class, error.level) == (ErrorClass.RETRY, HoldLevel.CONNECTOR)
    assert "does not listen" in error.reason


def test_a_missing_driver_is_said_with_what_to_install(mssql: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    error = refused(connect(mssql.target()).probe)
    assert (error.error_class, error.level) == (ErrorClass.HOLD, HoldLevel.CONNECTOR)
    assert "pip install 'segsync[mssql]'" in error.reason


# --- TLS -------------------------------------------------------------------------------------------------------------


def test_tls_is_asked_for_unless_the_url_says_otherwise(mssql: Shared) -> None:
    error = refused(connect(mssql.target("encrypt=true")).probe)
    assert (error.error_class, error.level, error.code) == (ErrorClass.HOLD, HoldLevel.CONNECTOR, "mssql tls")
    assert "offers no TLS" in error.reason
    assert mssql.server.logins == [], "no password may be sent before"


def test_a_certificate_that_is_vouched_for_is_taken(mssql: Shared, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    serve_tls(mssql, authority, "127.0.0.1")
    connector = connect(mssql.target(f"ca_file={authority.file}"))
    session = connector.open()
    session.begin("lane", PATIENCE)
    session.execute("SELECT 1")
    session.discard()
    assert [login.encrypted for login in mssql.server.logins] == [True]


@pytest.mark.parametrize(
    ("names", "days", "said"),
    [
        (("127.0.0.2",), 30, "is another address's"),
        (("db.example",), 30, "is another address's"),
        (("127.0.0.1",), -1, "has expired"),
    ],
)
def test_a_certificate_that_does_not_fit_is_refused(
    mssql: Shared, tmp_path: Path, names: tuple[str, ...], days: int, said: str
) -> None:
    authority = Authority(tmp_path)
    serve_tls(mssql, authority, *names, days=days)
    error = refused(connect(mssql.target(f"ca_file={authority.file}")).probe)
    assert (error.error_class, error.level, error.code) == (ErrorClass.HOLD, HoldLevel.CONNECTOR, "mssql tls")
    assert said in error.reason
    assert mssql.server.logins == []


def test_a_stranger_s_certificate_is_refused_and_may_be_trusted(mssql: Shared, tmp_path: Path) -> None:
    serve_tls(mssql, Authority(tmp_path), "127.0.0.1")
    assert "nobody that is trusted" in refused(connect(mssql.target("encrypt=true")).probe).reason
    connect(mssql.target("trust_server_certificate=true")).probe()


def test_another_name_may_be_expected(mssql: Shared, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    serve_tls(mssql, authority, "db.example")
    connect(mssql.target(f"ca_file={authority.file}&host_name_in_certificate=db.example")).probe()


def test_without_tls_the_password_at_least_is_encrypted(mssql: Shared, tmp_path: Path) -> None:
    serve_tls(mssql, Authority(tmp_path), "127.0.0.1")
    mssql.server.offers = ENCRYPT_OFF
    connect(mssql.target("encrypt=false")).probe()
    assert [login.encrypted for login in mssql.server.logins] == [True]


@pytest.mark.parametrize("option", ["ca_file", "cert_file"])
def test_an_unreadable_file_is_said(mssql: Shared, tmp_path: Path, option: str) -> None:
    error = refused(connect(mssql.target(f"{option}=/nowhere.pem")).probe)
    assert (error.error_class, f"{option} '/nowhere.pem'" in error.reason) == (ErrorClass.HOLD, True)
    other = tmp_path / "other.pem"
    other.write_text("no PEM")
    assert f"{option} '{other}': expected" in refused(connect(mssql.target(f"{option}={other}")).probe).reason


def test_a_server_may_ask_for_a_certificate(mssql: Shared, tmp_path: Path) -> None:
    """SQL Server itself asks for none; what stands before it may."""
    authority = Authority(tmp_path)
    serve_tls(mssql, authority, "127.0.0.1", asks=True)
    trusting = f"ca_file={authority.file}"
    connect(mssql.target(f"{trusting}&cert_file={authority.client('segsync')}")).probe()
    for shown in ("", f"&cert_file={Authority(tmp_path, 'other').client('segsync')}"):
        error = refused(connect(mssql.target(trusting + shown)).probe)
        assert (error.error_class, error.code) == (ErrorClass.HOLD, "mssql tls"), error
        assert "cert_file" in error.reason
    assert len(mssql.server.logins) == 1


def serve_tls(mssql: Shared, authority: Authority, *names: str, days: int = 30, asks: bool = False) -> None:
    mssql.server.close()
    context = authority.server(*names, days=days)
    if asks:
        context.load_verify_locations(authority.file)
        context.verify_mode = ssl.CERT_REQUIRED
    mssql.server = TdsServer(mssql.session, tls=context)
    assert mssql.server.offers != ENCRYPT_NOT_SUPPORTED


# --- The session -----------------------------------------------------------------------------------------------------


def test_the_session_is_what_the_rules_ask_for(mssql: Shared, session: PooledSession) -> None:
    on = {
        "ANSI_WARNINGS", "ANSI_PADDING", "ANSI_NULLS", "ARITHABORT", "QUOTED_IDENTIFIER", "ANSI_NULL_DFLT_ON",
        "CONCAT_NULL_YIELDS_NULL", "XACT_ABORT",
    }  # fmt: skip
    assert {name for name, bit in OPTIONS.items() if played(mssql).options & bit} == on
    assert session._link.clean


def test_a_setting_that_was_not_kept_holds_the_connector(mssql: Shared) -> None:
    mssql.dateformat = "20260302"
    error = refused(connect(mssql.target()).probe)
    assert (error.error_class, error.level, error.code) == (ErrorClass.HOLD, HoldLevel.CONNECTOR, "mssql session")
    assert "DATEFORMAT is '20260302'" in error.reason


@pytest.mark.parametrize("statement", ["COMMIT TRANSACTION", "ROLLBACK TRANSACTION"])
def test_a_query_that_ends_the_transaction_holds_the_integration(session: PooledSession, statement: str) -> None:
    session.begin("lane", PATIENCE)
    error = refused(lambda: session.execute(statement))
    assert (error.error_class, error.level) == (ErrorClass.HOLD, HoldLevel.INTEGRATION)
    assert "ended the transaction" in error.reason


def test_a_procedure_that_begins_anew_is_noticed_by_the_transactions_number(
    mssql: Shared, session: PooledSession
) -> None:
    session.begin("lane", PATIENCE)
    played(mssql).transaction += 1
    assert "ended the transaction" in refused(lambda: session.execute("SELECT 1")).reason


def test_a_transaction_that_is_still_open_after_commit_is_noticed(
    mssql: Shared, session: PooledSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """COMMIT ends the innermost alone, where a procedure has left one open; then nothing may be taken for delivered."""
    session.begin("lane", PATIENCE)
    monkeypatch.setattr(played(mssql), "run", lambda _batch: [])
    error = refused(session.commit)
    assert (error.error_class, error.level) == (ErrorClass.HOLD, HoldLevel.INTEGRATION)


def played(mssql: Shared) -> Any:
    """The session that was opened last."""
    (served,) = list(mssql.server._sessions.values())[-1:]
    return served._backend


def test_only_what_the_statements_themselves_change_is_counted(
    mssql: Shared, session: PooledSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A SELECT says how many rows it read, and a trigger's statements say what they did."""
    session.begin(None, PATIENCE)
    found = [
        Result(7, [(1,), (2,)], ("n",)),
        Result(5, token="in proc"),
        Result(2),
        Result(None),
        Result(1),
    ]
    monkeypatch.setattr(played(mssql), "run", lambda _batch: found)
    assert session.execute("MERGE …") == 3


def test_what_is_said_beside_an_error_does_not_hide_it(mssql: Shared, session: PooledSession) -> None:
    """The first error is the cause; what follows it tells of the consequences."""
    session.begin("lane", PATIENCE)
    mssql.server.on("^INSERT", Refuse(547, "The INSERT statement conflicted with the FOREIGN KEY constraint"))
    error = refused(lambda: session.execute(INSERT))
    assert (error.error_class, error.code) == (ErrorClass.ISOLATE, "mssql 547")


def test_a_statement_beyond_the_servers_packets_is_split(
    session: PooledSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.begin("lane", PATIENCE)
    monkeypatch.setattr(type(session._link._connection), "largest", 1000)  # type: ignore[attr-defined]
    assert session.execute("SELECT 1" + " " * 480) >= 0
    error = refused(lambda: session.execute("SELECT 1" + " " * 481))
    assert error.error_class is ErrorClass.SPLIT


# --- The link --------------------------------------------------------------------------------------------------------


def test_nothing_is_left_to_be_checked_at_commit(session: PooledSession) -> None:
    session.begin("lane", PATIENCE)
    assert session.check_deferred()


def test_a_link_lost_in_a_statement_is_ambiguous(
    mssql: Shared, session: PooledSession, connector: SqlConnector
) -> None:
    session.begin("lane", PATIENCE)
    mssql.server.on("^INSERT", "drop")
    error = refused(lambda: session.execute(INSERT))
    assert (error.error_class, error.code) == (ErrorClass.AMBIGUOUS, "mssql link")
    session.discard()
    assert rows(connector) == 0


@pytest.mark.parametrize(("act", "there"), [("drop", 0), ("run and drop", 1)])
def test_a_link_lost_in_commit_is_ambiguous(
    mssql: Shared, session: PooledSession, connector: SqlConnector, act: str, there: int
) -> None:
    session.begin("lane", PATIENCE)
    session.execute(INSERT)
    mssql.server.on("^COMMIT", act)
    assert refused(session.commit).error_class is ErrorClass.AMBIGUOUS
    session.discard()
    assert rows(connector) == there


def test_a_used_link_that_is_dead_is_replaced_once(mssql: Shared, connector: SqlConnector) -> None:
    session = connector.open()
    mssql.server.on("BEGIN TRANSACTION", "drop")
    session.begin("lane", PATIENCE)
    session.execute(INSERT)
    session.commit()
    session.close()
    assert rows(connector) == 1


def test_a_statement_that_takes_too_long_is_cancelled(mssql: Shared, connector: SqlConnector) -> None:
    quick = connect(replace(mssql.target(), statement_timeout=1.5))
    session = quick.open()
    session.begin("lane", PATIENCE)
    mssql.server.on("^INSERT", "hang")
    error = refused(lambda: session.execute(INSERT))
    assert (error.error_class, error.code) == (ErrorClass.AMBIGUOUS, "mssql -2")
    assert mssql.server.attentions == 1
    session.discard()
    assert rows(connector) == 0


def test_a_server_that_does_not_even_cancel_is_left(
    mssql: Shared, connector: SqlConnector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(mssql_link, "MARGIN", 0.2)
    quick = connect(replace(mssql.target(), statement_timeout=1.5))
    session = quick.open()
    session.begin("lane", PATIENCE)
    mssql.server.on("^INSERT", "deaf")
    assert refused(lambda: session.execute(INSERT)).error_class is ErrorClass.AMBIGUOUS
    assert "took too long and could not be ended" in caplog.text
    session.discard()
    assert rows(connector) == 0


def test_a_lock_held_by_a_session_that_may_not_be_ended_is_retried(mssql: Shared, connector: SqlConnector) -> None:
    holder, waiter = connector.open(), connector.open()
    holder.begin("lane", PATIENCE)
    mssql.may_kill = False
    error = refused(lambda: waiter.begin("lane", 0.1))
    assert (error.error_class, error.code) == (ErrorClass.RETRY, "mssql 300")
    assert "may not see or end" in error.reason
    holder.commit()
    holder.close()
    waiter.discard()


@pytest.mark.parametrize(("got", "error_class"), [(-3, ErrorClass.RETRY), (-999, ErrorClass.HOLD)])
def test_a_lock_that_is_not_given(mssql: Shared, session: PooledSession, got: int, error_class: ErrorClass) -> None:
    mssql.server.on("sp_getapplock", [Result(1, [(got,)], ("",))])
    assert refused(lambda: session.begin("lane", PATIENCE)).error_class is error_class


def test_a_lanes_position_is_made_locked_and_moved(mssql: Shared, connector: SqlConnector) -> None:
    session = connector.open()
    session.begin(None, PATIENCE)
    session.execute("CREATE TABLE segsync_position (lane char(32) PRIMARY KEY, integration text, position text)")
    session.commit()
    for expected, following in (("", "1"), ("1", "2"), ("2", "3")):
        session.begin("lane", PATIENCE)
        assert session.position("lane", "crm") == expected
        session.move_position("lane", following)
        session.commit()
    session.close()
    assert mssql.server.logins
