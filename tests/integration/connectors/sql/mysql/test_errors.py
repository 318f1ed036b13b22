"""MySQL's table of errors, each provoked on a real MariaDB."""

from __future__ import annotations

import gc
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.servers.mariadb import PASSWORD, PASSWORD_USER
from tests.servers.process import free_port
from tests.servers.rows import Database
from workers.connectors import connect
from workers.errors import ErrorClass, HoldLevel, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.mariadb import MariadbServer
    from workers.connectors.contract import Target
    from workers.connectors.sql.connector import SqlConnector

ISOLATE, SPLIT, RETRY, AMBIGUOUS = ErrorClass.ISOLATE, ErrorClass.SPLIT, ErrorClass.RETRY, ErrorClass.AMBIGUOUS
HOLD = ErrorClass.HOLD

SCHEMA = (
    "CREATE TABLE parents (id INT PRIMARY KEY)",
    "INSERT INTO parents VALUES (1)",
    """CREATE TABLE t (
        id INT PRIMARY KEY, name VARCHAR(5), n SMALLINT CHECK (n > 0), day DATE, parent INT REFERENCES parents (id),
        needed VARCHAR(9) NOT NULL DEFAULT 'x', kind ENUM('a', 'b'), big BIGINT UNSIGNED, data JSON, place POINT,
        twice INT AS (id * 2) STORED, latin VARCHAR(9) CHARACTER SET latin1,
        FOREIGN KEY (parent) REFERENCES parents (id)
    )""",
    "INSERT INTO t (id, parent, big) VALUES (1, 1, 0)",
    "CREATE TABLE bare (id INT NOT NULL, other INT NOT NULL)",
    "CREATE TABLE parts (id INT) PARTITION BY RANGE (id) (PARTITION p VALUES LESS THAN (10))",
    "CREATE TABLE watched (id INT)",
    "CREATE TRIGGER refuse BEFORE INSERT ON watched FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'",
    "CREATE TABLE signals (state CHAR(5), errno INT, v VARCHAR(9))",
    (
        "CREATE TRIGGER say BEFORE INSERT ON signals FOR EACH ROW BEGIN"
        " IF NEW.v = 'own' THEN SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 5001; END IF;"
        " IF NEW.v = 'server' THEN SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 1290; END IF;"
        " IF NEW.v = 'lost' THEN SIGNAL SQLSTATE '23000' SET MYSQL_ERRNO = 2013; END IF;"
        " IF NEW.v = 'high' THEN SIGNAL SQLSTATE '45999' SET MYSQL_ERRNO = 60000; END IF;"
        " IF NEW.v = 'named' THEN SIGNAL SQLSTATE 'CRM01' SET MYSQL_ERRNO = 1045; END IF;"
        " IF NEW.v = 'none' THEN SIGNAL SQLSTATE '02000'; END IF;"
        " IF NEW.v = 'case' THEN CASE NEW.errno WHEN 1 THEN SET @x = 1; END CASE; END IF; END"
    ),
    "CREATE TABLE full_up (id TINYINT AUTO_INCREMENT PRIMARY KEY, v INT)",
    "INSERT INTO full_up VALUES (127, 1)",
    "CREATE SEQUENCE few START 2 MAXVALUE 2 MINVALUE 1",
    "SELECT NEXTVAL(few)",
    "CREATE VIEW european AS SELECT id, name FROM t WHERE name = 'eu' WITH CHECK OPTION",
    "CREATE TABLE looping (id INT)",
    "CREATE TRIGGER again AFTER INSERT ON looping FOR EACH ROW INSERT INTO looping VALUES (2)",
    "CREATE VIEW both_of AS SELECT t.id AS a, parents.id AS b FROM t JOIN parents",
    "CREATE VIEW counted AS SELECT COUNT(*) AS c FROM t",
    "CREATE TABLE gone (id INT)",
    "CREATE VIEW broken AS SELECT id FROM gone",
    "DROP TABLE gone",
    "CREATE PROCEDURE one(a INT) SELECT a",
    "CREATE FUNCTION known(a INT) RETURNS INT DETERMINISTIC BEGIN IF a = 1 THEN RETURN 1; END IF; END",
    "CREATE FUNCTION committing() RETURNS INT NOT DETERMINISTIC RETURN 1",
)


@pytest.fixture
def target(mariadb_target: Target) -> Target:
    with Database(mariadb_target) as database:
        database.run(*SCHEMA)
    return replace(mariadb_target, statement_timeout=1.5)


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
        (1062, ISOLATE, "INSERT INTO t (id) VALUES (1)"),
        (1048, ISOLATE, "INSERT INTO t (id, needed) VALUES (2, NULL)"),
        (1406, ISOLATE, "INSERT INTO t (id, name) VALUES (2, 'longer')"),
        (1264, ISOLATE, "INSERT INTO t (id, n) VALUES (2, 70000)"),
        (1366, ISOLATE, "INSERT INTO t (id) VALUES ('seven')"),
        (1366, ISOLATE, "INSERT INTO t (id, latin) VALUES (2, '\U0001f600')"),
        (1977, ISOLATE, "INSERT INTO t (id, latin) VALUES (2, CONVERT('\U0001f600' USING latin1))"),
        (1292, ISOLATE, "INSERT INTO t (id, day) VALUES (2, 'someday')"),
        (1292, ISOLATE, "INSERT INTO t (id, day) VALUES (2, '2026-02-31')"),
        (1265, ISOLATE, "INSERT INTO t (id, kind) VALUES (2, 'z')"),
        (1265, ISOLATE, "INSERT INTO t (id) VALUES ('7seven')"),
        (1365, ISOLATE, "INSERT INTO t (id) VALUES (1 / 0)"),
        (1690, ISOLATE, "UPDATE t SET big = big - 1"),
        (1411, ISOLATE, "INSERT INTO t (id, day) VALUES (2, STR_TO_DATE('x', '%Y'))"),
        (1416, ISOLATE, "INSERT INTO t (id, place) VALUES (2, 'here')"),
        (1301, ISOLATE, "INSERT INTO t (id, name) VALUES (2, REPEAT('x', 2000000000))"),
        (1452, ISOLATE, "INSERT INTO t (id, parent) VALUES (2, 99)"),
        (1451, ISOLATE, "DELETE FROM parents"),
        (4025, ISOLATE, "INSERT INTO t (id, n) VALUES (2, -1)"),
        (4025, ISOLATE, "INSERT INTO t (id, data) VALUES (2, '{')"),
        (1526, ISOLATE, "INSERT INTO parts VALUES (11)"),
        (1644, ISOLATE, "INSERT INTO watched VALUES (1)"),
        (5001, ISOLATE, "INSERT INTO signals (v) VALUES ('own')"),
        (1290, ISOLATE, "INSERT INTO signals (v) VALUES ('server')"),
        (2013, ISOLATE, "INSERT INTO signals (v) VALUES ('lost')"),
        (60000, ISOLATE, "INSERT INTO signals (v) VALUES ('high')"),
        (1045, ISOLATE, "INSERT INTO signals (v) VALUES ('named')"),
        (1643, ISOLATE, "INSERT INTO signals (v) VALUES ('none')"),
        (1339, ISOLATE, "INSERT INTO signals (v, errno) VALUES ('case', 2)"),
        (1321, ISOLATE, "INSERT INTO t (id) VALUES (known(9))"),
        (1139, ISOLATE, "INSERT INTO t (id) VALUES ('x' REGEXP '(')"),
        (1242, ISOLATE, "INSERT INTO t (id) VALUES ((SELECT 2 UNION SELECT 3))"),
        (1369, ISOLATE, "INSERT INTO european VALUES (2, 'us')"),
        (1267, ISOLATE, "DELETE FROM t WHERE latin = 'Жанна'"),
        (1270, ISOLATE, "DELETE FROM t WHERE latin IN ('ann', '😀')"),
        (167, HOLD, "INSERT INTO full_up (v) VALUES (2)"),
        (4084, HOLD, "INSERT INTO t (id) VALUES (NEXTVAL(few))"),
        (1146, HOLD, "INSERT INTO nowhere VALUES (1)"),
        (1054, HOLD, "INSERT INTO t (nothing) VALUES (1)"),
        (1064, HOLD, "INSERT INTO"),
        (1064, HOLD, "DELETE FROM watched; DELETE FROM looping"),
        (1136, HOLD, "INSERT INTO t (id, n) VALUES (2)"),
        (1364, HOLD, "INSERT INTO bare (id) VALUES (2)"),
        (1052, HOLD, "SELECT id FROM t JOIN parents"),
        (1055, HOLD, "SELECT id, name FROM t GROUP BY name"),
        (1066, HOLD, "UPDATE t AS a JOIN t AS a ON 1 SET n = 1"),
        (1115, HOLD, "SELECT CONVERT('a' USING nothing)"),
        (1191, HOLD, "SELECT id FROM t WHERE MATCH(name) AGAINST('x')"),
        (1253, HOLD, "SELECT id FROM t WHERE name COLLATE latin1_bin = 'a'"),
        (1273, HOLD, "SELECT id FROM t WHERE name COLLATE nothing = 'a'"),
        (1747, HOLD, "UPDATE t PARTITION (p) SET n = 1"),
        (1103, HOLD, "SELECT * FROM `a `"),
        (1109, HOLD, "DELETE x FROM t"),
        (1110, HOLD, "INSERT INTO t (id, id) VALUES (2, 2)"),
        (1111, HOLD, "SELECT id FROM t WHERE COUNT(*) > 1"),
        (1142, HOLD, "DELETE FROM mysql.user"),
        (1176, HOLD, "SELECT * FROM t FORCE INDEX (none)"),
        (1222, HOLD, "SELECT 1 UNION SELECT 1, 2"),
        (1227, HOLD, "SET GLOBAL max_connections = 1"),
        (1241, HOLD, "SELECT (SELECT 1, 2)"),
        (4078, HOLD, "SELECT (1, 2) = 1"),
        (1267, HOLD, "SELECT 'a' COLLATE utf8mb4_bin = 'b' COLLATE utf8mb4_general_ci"),
        (1305, HOLD, "SELECT no_such_function()"),
        (1305, HOLD, "CALL no_such_procedure()"),
        (1318, HOLD, "CALL one()"),
        (1356, HOLD, "SELECT * FROM broken"),
        (1442, HOLD, "INSERT INTO looping VALUES (1)"),
        (1288, HOLD, "UPDATE counted SET c = 1"),
        (1471, HOLD, "INSERT INTO counted VALUES (1)"),
        (1582, HOLD, "SELECT ABS(1, 2)"),
        (1906, HOLD, "INSERT INTO t (id, twice) VALUES (2, 4)"),
        (4166, HOLD, "LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE watched"),
        (1969, AMBIGUOUS, "SELECT SLEEP(20)"),
    ],
)
def test_a_query_that_fails(connector: SqlConnector, code: int, error_class: ErrorClass, statement: str) -> None:
    error = run(connector, statement)
    assert (error.code, error.error_class) == (f"mysql {code}", error_class)
    if error_class is HOLD:
        assert error.level is HoldLevel.INTEGRATION
    assert "no rule" not in error.reason


@pytest.mark.parametrize(
    ("end", "statement"),
    [
        ("(column 'needed')", "INSERT INTO t (id, needed) VALUES (2, NULL)"),
        ("(column 'name')", "INSERT INTO t (id, name) VALUES (2, 'longer')"),
        ("(column 'n')", "INSERT INTO t (id, n) VALUES (2, 70000)"),
        ("(column 'nothing')", "INSERT INTO t (nothing) VALUES (1)"),
        ("(column 'other')", "INSERT INTO bare (id) VALUES (2)"),
        ("(table 'mysql.user')", "DELETE FROM mysql.user"),
    ],
)
def test_names_are_told_where_no_value_can_be(connector: SqlConnector, end: str, statement: str) -> None:
    assert run(connector, statement).reason.endswith(end)


def test_a_value_that_looks_like_a_name_is_not_told(connector: SqlConnector) -> None:
    error = run(connector, r"INSERT INTO t (id) VALUES ('x for column \'secret\' at row 1')")
    assert "secret" not in str(error)


def test_a_lock_of_another_transaction_is_waited_for_and_then_retried(connector: SqlConnector) -> None:
    holder = connector.open()
    holder.begin(None, 0)
    holder.execute("UPDATE t SET n = 2 WHERE id = 1")
    error = run(connector, "UPDATE t SET n = 3 WHERE id = 1")
    holder.discard()
    assert (error.code, error.error_class) == ("mysql 1205", RETRY)


def test_a_deadlock_is_retried(target: Target) -> None:
    connector = connect(replace(target, statement_timeout=20.0))
    with Database(target) as database:
        database.run("INSERT INTO bare VALUES (1, 1), (2, 2)", "ALTER TABLE bare ADD PRIMARY KEY (id)")
    one, two = connector.open(), connector.open()
    for session, row in ((one, 1), (two, 2)):
        session.begin(None, 0)
        session.execute(f"UPDATE bare SET other = 9 WHERE id = {row}")
    errors: list[TargetError] = []

    def cross() -> None:
        try:
            one.execute("UPDATE bare SET other = 9 WHERE id = 2")
        except TargetError as error:
            errors.append(error)
            one.discard()

    thread = threading.Thread(target=cross)
    thread.start()
    try:
        two.execute("UPDATE bare SET other = 9 WHERE id = 1")
    except TargetError as error:
        errors.append(error)
        two.discard()
    thread.join()
    one.discard()
    two.discard()
    connector.dispose()
    assert [(error.code, error.error_class) for error in errors] == [("mysql 1213", RETRY)]


def test_a_read_only_server_is_retried(own_mariadb: MariadbServer, target: Target) -> None:
    own_mariadb.create_database("test_own")
    there = replace(target, url=own_mariadb.url("test_own"))
    with Database(there) as database:
        database.run("CREATE TABLE t (id INT)")
    own_mariadb.run("SET GLOBAL read_only = 1")
    connector = connect(there)
    error = run(connector, "DELETE FROM t")
    connector.dispose()
    assert (error.code, error.error_class) == ("mysql 1290", RETRY)


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
    assert (error.code, error.error_class, error.level) == ("mysql 1045", HOLD, HoldLevel.CONNECTOR)


def test_the_right_password_is_taken_as_it_is(target: Target) -> None:
    url = user(target, PASSWORD_USER).rpartition("/")[0]
    connect(replace(target, url=f"{url}/", password=PASSWORD)).probe()


def test_what_is_wrong_with_the_account_or_the_database_holds_the_connector(
    target: Target, mariadb_server: MariadbServer
) -> None:
    mariadb_server.run(
        "CREATE OR REPLACE USER locked@'%' ACCOUNT LOCK",
        "CREATE OR REPLACE USER expired@'%' IDENTIFIED BY 'x' PASSWORD EXPIRE",
        "CREATE OR REPLACE USER faraway@'203.0.113.1'",
    )
    database = target.url.rpartition("/")[2]
    guarded = replace(target, url=user(target, PASSWORD_USER), password=PASSWORD)
    cases = {
        4151: replace(target, url=user(target, "locked")),
        1820: replace(target, url=f"{user(target, 'expired').removesuffix(database)}", password="x"),
        1045: replace(target, url=user(target, "faraway")),
        1044: guarded,
        1049: replace(target, url=f"{target.url}_x"),
        2026: replace(target, url=f"{target.url}?ssl_verify_cert=true"),
    }
    for code, there in cases.items():
        error = refused(there)
        assert (error.code, error.error_class, error.level) == (f"mysql {code}", HOLD, HoldLevel.CONNECTOR)
        assert "no rule" not in error.reason
    mariadb_server.run("DROP USER locked@'%', expired@'%', faraway@'203.0.113.1'")


def test_a_tls_file_that_is_not_there_holds_the_connector(target: Target) -> None:
    error = refused(replace(target, url=f"{target.url}?ssl_ca=/nowhere/at/all.pem"))
    assert (error.code, error.level) == ("mysql tls", HoldLevel.CONNECTOR)


def test_a_server_that_is_not_there_is_retried(target: Target) -> None:
    for url in (
        f"mysql://segsync@127.0.0.1:{free_port()}/x",
        "mysql://segsync@database.invalid/x",
    ):
        error = refused(replace(target, url=url))
        assert (error.code, error.error_class) == ("mysql 2003", RETRY)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # PyMySQL 1.2 forgets that socket
def test_a_unix_socket_that_is_not_there_is_retried(target: Target) -> None:
    error = refused(replace(target, url="mysql://segsync@/x?unix_socket=/nowhere/at/all"))
    assert (error.code, error.error_class) == ("mysql 2003", RETRY)
    del error
    gc.collect()


def test_too_many_connections_are_retried(own_mariadb: MariadbServer, target: Target) -> None:
    there = replace(target, url=own_mariadb.url())
    own_mariadb.run("SET GLOBAL max_connections = 10")
    sessions, error = [], None
    connector = connect(there)
    while error is None:
        try:
            sessions.append(connector.open())
        except TargetError as full:
            error = full
    for session in sessions:
        session.discard()
    assert (error.code, error.error_class) == ("mysql 1040", RETRY)


def test_a_users_quota_of_connections_is_retried(target: Target, mariadb_server: MariadbServer) -> None:
    mariadb_server.run("CREATE OR REPLACE USER single@'%' WITH MAX_USER_CONNECTIONS 1")
    there = replace(target, url=user(target, "single").rpartition("/")[0] + "/")
    connector = connect(there)
    session = connector.open()
    error = refused(there)
    session.discard()
    mariadb_server.run("DROP USER single@'%'")
    assert (error.code, error.error_class) == ("mysql 1226", RETRY)


def test_a_definer_that_is_gone_is_no_wrong_password(
    connector: SqlConnector, target: Target, mariadb_server: MariadbServer
) -> None:
    """The server says "access denied" to whoever uses the view."""
    database = f"`{target.url.rpartition('/')[2]}`"
    mariadb_server.run(
        f"CREATE DEFINER = nobody@localhost VIEW {database}.orphan AS SELECT id FROM {database}.parents",
        f"CREATE DEFINER = nobody@localhost TRIGGER {database}.orphaned BEFORE INSERT ON {database}.signals"
        " FOR EACH ROW SET NEW.errno = 1",
    )
    for code, statement in ((1045, "INSERT INTO orphan VALUES (2)"), (1449, "INSERT INTO signals (errno) VALUES (2)")):
        error = run(connector, statement)
        assert (error.code, error.error_class, error.level) == (f"mysql {code}", HOLD, HoldLevel.INTEGRATION)
        assert "runs as (its DEFINER) does not exist" in error.reason
