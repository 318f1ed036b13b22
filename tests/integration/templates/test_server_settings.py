"""Whatever a server, a database or an account is set to: our session is what escaping relies on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.integration.templates.places import (
    ATTACKS,
    COLUMNS,
    FIND,
    Spot,
    attackers,
    columns,
    compiled,
    expected,
    insert,
    places,
    rendered,
)
from tests.integration.templates.writing import Server
from tests.servers.mariadb import BINARY, MariadbServer
from tests.servers.postgresql import USER
from tests.servers.rows import Database
from workers.connectors import connect, open_lister
from workers.connectors.contract import Target
from workers.connectors.sql.mysql import session as mysql
from workers.templates import QueryKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.postgresql import PostgresqlServer

NAME = "' OR 1=1 -- \\"

MODES = [
    "",
    "ANSI_QUOTES",
    "NO_BACKSLASH_ESCAPES",
    "ANSI",
    "ORACLE",
    "MSSQL",
    "DB2",
    "POSTGRESQL",
    "TRADITIONAL",
    "PAD_CHAR_TO_FULL_LENGTH",
    "EMPTY_STRING_IS_NULL",
    "PIPES_AS_CONCAT,IGNORE_SPACE,HIGH_NOT_PRECEDENCE",
    "ANSI_QUOTES,NO_BACKSLASH_ESCAPES,EMPTY_STRING_IS_NULL,SIMULTANEOUS_ASSIGNMENT",
]
SETTINGS = [
    ("init_connect", "SET sql_mode = ''ANSI_QUOTES,NO_BACKSLASH_ESCAPES,EMPTY_STRING_IS_NULL''"),
    ("init_connect", "SET NAMES gbk"),
    ("init_connect", "SET character_set_client = latin1, collation_connection = ascii_bin"),
    ("init_connect", "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE"),
    ("init_connect", "SET autocommit = 0"),
    ("collation_connection", "latin1_swedish_ci"),
    ("character_set_results", "latin1"),
    ("tx_isolation", "REPEATABLE-READ"),
    ("autocommit", "OFF"),
    ("completion_type", "CHAIN"),
    ("completion_type", "RELEASE"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[MariadbServer]:
    """One for this file: its settings reach every session of the server."""
    server = MariadbServer()
    try:
        server.start()
        server.create_database("test_set")
        texts = ", ".join(f"{name} longtext" for name in columns(COLUMNS))
        server.run(f"CREATE TABLE test_set.t (n int, {texts}, w datetime(6)) COLLATE {BINARY}")
        yield server
    finally:
        server.remove()


def mariadb(server: MariadbServer) -> Target:
    return Target(key="crm", dialect="mysql", url=server.url("test_set"), password=server.password, session_name="s")


AT = datetime(2026, 2, 3, 4, 5, 6, 7, tzinfo=UTC)
TIME = "INSERT INTO t (n, w) VALUES {for $i, $x = $batch}({$i}, {$x._event_time}){autocomma}{end}"


def attacked(server: Server, found: list[Spot], values: list[str]) -> None:
    """All places, all attacks, by sessions of ours: what is there, and what a list of keys finds."""
    batch = attackers(values)
    server.transact("DELETE FROM t", *rendered(compiled(insert(found), server.dialect), batch, NAME))
    assert server.rows(*columns(len(found))) == expected(found, batch, NAME)
    (gone,) = server.transact(*rendered(compiled(FIND, server.dialect, QueryKind.REMOVE), batch[1:], NAME))
    assert gone == len(batch) - 1
    us = (AT - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    server.transact("DELETE FROM t", *rendered(compiled(TIME, server.dialect), [{"K": "k"}], at=us))


def on_mariadb(server: MariadbServer, found: list[Spot]) -> None:
    target = mariadb(server)
    connector = connect(target)
    session = connector.open()
    names = "@@sql_mode, @@character_set_client, @@character_set_connection, @@tx_isolation, @@autocommit"
    modes, *others = session._link._connection.row(f"SELECT {names}")  # type: ignore[attr-defined]
    assert set(modes.split(",")) == set(mysql.SQL_MODES)
    assert others == ["utf8mb4", "utf8mb4", "READ-COMMITTED", 1]
    session.close()
    with Database(target) as database:
        database.run("SET NAMES utf8mb4", "SET autocommit = 1", "SET completion_type = 'NO_CHAIN'")
        attacked(Server("mysql", connector, database), found, [*ATTACKS, "\0"])
        assert [row[0] for row in Server("mysql", connector, database).rows("w")] == [AT.replace(tzinfo=None)]
    connector.dispose()


@pytest.mark.parametrize("found", [places("'"), places('"')], ids=["single", "double"])
@pytest.mark.parametrize("mode", MODES)
def test_no_sql_mode_of_the_server_reaches_the_session(server: MariadbServer, mode: str, found: list[Spot]) -> None:
    server.run(f"SET GLOBAL sql_mode = '{mode}'")
    try:
        on_mariadb(server, found)
    finally:
        server.run("SET GLOBAL sql_mode = DEFAULT")


@pytest.mark.parametrize(("name", "value"), SETTINGS)
def test_no_setting_of_the_server_reaches_the_session(server: MariadbServer, name: str, value: str) -> None:
    server.run(f"SET GLOBAL {name} = '{value}'")
    try:
        on_mariadb(server, places('"'))
    finally:
        server.run(f"SET GLOBAL {name} = DEFAULT")


def test_no_limit_of_the_server_makes_a_list_shorter(server: MariadbServer) -> None:
    """A resync takes out who is not in the list that it has read to its end."""
    server.run("DELETE FROM test_set.t", "INSERT INTO test_set.t (n) VALUES (1), (2), (3), (4), (5)")
    server.run("SET GLOBAL sql_select_limit = 2")
    try:
        lister = open_lister(mariadb(server))
        assert sum(len(page.rows) for page in lister.pages("SELECT n FROM t")) == 5
        lister.close()
    finally:
        server.run("SET GLOBAL sql_select_limit = DEFAULT")


OF_THE_DATABASE = [
    ("standard_conforming_strings", "off"),
    ("backslash_quote", "on"),
    ("bytea_output", "escape"),
    ("datestyle", "SQL, DMY"),
    ("intervalstyle", "sql_standard"),
    ("timezone", "Asia/Kathmandu"),
    ("escape_string_warning", "off"),
    ("array_nulls", "off"),
    ("transform_null_equals", "on"),
    ("extra_float_digits", "-15"),
    ("default_transaction_isolation", "serializable"),
]


@pytest.mark.parametrize("owner", ['DATABASE "{0}"', 'ROLE {1} IN DATABASE "{0}"'])
@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "SJIS"])
def test_no_setting_of_a_database_or_a_role_reaches_the_session(
    postgresql_server: PostgresqlServer, postgresql_target: Target, namespace: str, owner: str, encoding: str
) -> None:
    with Database(postgresql_target) as database:  # connected before, so that it reads as ever
        texts = ", ".join(f'{name} text COLLATE "C"' for name in columns(COLUMNS))
        database.run(f"CREATE TABLE t (n int, {texts}, w timestamptz)")
        with postgresql_server.admin() as admin:
            for name, value in [*OF_THE_DATABASE, ("client_encoding", encoding)]:
                statement = f"ALTER {owner.format(namespace, USER)} SET {name} = '{value}'"
                admin.execute(statement.encode())
        assert set_for(postgresql_target) == ("off", encoding)
        connector = connect(postgresql_target)
        attacked(Server("postgresql", connector, database), places("'"), ATTACKS)
        assert database.rows("SELECT w FROM t") == [(AT,)]
        connector.dispose()


def set_for(target: Target) -> tuple[str, str]:
    """What a session gets that sets nothing itself."""
    with psycopg.connect(target.url, autocommit=True) as plain:
        names = "standard_conforming_strings", "client_encoding"
        one, two = [plain.info.parameter_status(name) or "" for name in names]
    return one, two
