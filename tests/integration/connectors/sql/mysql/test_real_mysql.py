"""Errors that a real MySQL has other numbers for than MariaDB; `make proof` alone runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers.rows import Database
from workers.connectors import connect
from workers.connectors.sql.inspecting import open_examined
from workers.errors import ErrorClass, HoldLevel, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.mariadb import MariadbServer
    from workers.connectors.contract import Target
    from workers.connectors.sql.connector import SqlConnector

pytestmark = [pytest.mark.proof, pytest.mark.fetched]

SCHEMA = (
    """CREATE TABLE t (
        id INT PRIMARY KEY, n SMALLINT CHECK (n > 0), data JSON, latin VARCHAR(9) CHARACTER SET latin1,
        twice INT AS (id * 2) STORED
    )""",
    "CREATE TABLE full_up (id TINYINT AUTO_INCREMENT PRIMARY KEY, v INT)",
    "INSERT INTO full_up VALUES (127, 1)",
)
ISOLATE, HOLD = ErrorClass.ISOLATE, ErrorClass.HOLD


@pytest.fixture
def connector(mysql_target: Target) -> Iterator[SqlConnector]:
    with Database(mysql_target) as database:
        database.run(*SCHEMA)
    connector = connect(mysql_target)
    yield connector
    connector.dispose()


@pytest.mark.parametrize(
    ("code", "error_class", "statement"),
    [
        (3819, ISOLATE, "INSERT INTO t (id, n) VALUES (2, -1)"),
        (3140, ISOLATE, "INSERT INTO t (id, data) VALUES (2, '{')"),
        (3691, ISOLATE, "INSERT INTO t (id) VALUES ('x' REGEXP '(')"),
        (3854, ISOLATE, "DELETE FROM t WHERE latin = '\u0416\u0430\u043d\u043d\u0430'"),
        (1366, ISOLATE, "INSERT INTO t (id, latin) VALUES (2, '\U0001f600')"),
        # A counter that is used up has no error of its own here: that nobody passes tells it.
        (1062, ISOLATE, "INSERT INTO full_up (v) VALUES (2)"),
        (3105, HOLD, "INSERT INTO t (id, twice) VALUES (2, 4)"),
        (1241, HOLD, "SELECT (1, 2) = 1"),
        (3948, HOLD, "LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE t"),
    ],
)
def test_a_query_that_fails(connector: SqlConnector, code: int, error_class: ErrorClass, statement: str) -> None:
    session = connector.open()
    session.begin(None, 0)
    with pytest.raises(TargetError) as caught:
        session.execute(statement)
    session.discard()
    assert (caught.value.code, caught.value.error_class) == (f"mysql {code}", error_class)
    if error_class is HOLD:
        assert caught.value.level is HoldLevel.INTEGRATION


def test_check_is_content(mysql_target: Target) -> None:
    opened = open_examined(mysql_target)
    assert opened.session is not None
    steps = [*opened.steps, *opened.session.steps()]
    opened.session.close()
    assert {step.name: step.mark for step in steps if step.mark != "fine"} == {}


@pytest.fixture
def filling(mysql_target: Target, mysql_server: MariadbServer) -> Iterator[Target]:
    """A server that writes the present time where a time is missing."""
    mysql_server.run("SET GLOBAL explicit_defaults_for_timestamp = 0")
    yield mysql_target
    mysql_server.run("SET GLOBAL explicit_defaults_for_timestamp = 1")


STAMPED = "CREATE TABLE stamped (at TIMESTAMP NOT NULL DEFAULT '2000-01-01 00:00:00')"


def missing(target: Target) -> tuple[str, str]:
    """What `check` says a missing time becomes, and the code of the error that a delivery of one meets, or ""."""
    examined = open_examined(target).session
    assert examined is not None
    table = examined.table("", "stamped")
    examined.close()
    session, code = connect(target).open(), ""
    session.begin(None, 0)
    try:
        session.execute("INSERT INTO stamped VALUES (NULL)")
    except TargetError as error:
        code = error.code
    session.discard()
    assert table is not None
    return table.columns["at"].null_becomes, code


def test_a_missing_time_is_no_present_time(filling: Target) -> None:
    with Database(filling) as database:
        database.run(STAMPED)
    assert missing(filling) == ("", "mysql 1048")


def test_where_a_session_may_not_say_so_check_tells_what_it_becomes(
    filling: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in 5.7, where only administrators may. This server lets everybody, so what nobody may set stands for it."""
    monkeypatch.setattr("workers.connectors.sql.mysql.session.STAMPS", "lower_case_file_system")
    with Database(filling) as database:
        database.run(STAMPED)
    assert missing(filling) == ("the present time", "")
