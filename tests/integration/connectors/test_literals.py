"""A literal means the same whatever the server, the database and the account are set to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy.engine import make_url

from tests.servers.rows import Database
from workers.connectors import connect
from workers.connectors.sql.mysql.session import zone
from workers.errors import ErrorClass, HoldLevel, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.mariadb import MariadbServer
    from workers.connectors.contract import Target


def write(target: Target, *statements: str) -> None:
    connector = connect(target)
    session = connector.open()
    try:
        session.begin(None, 0)
        for statement in statements:
            session.execute(statement)
        session.commit()
    finally:
        session.discard()
        connector.dispose()


def refused(target: Target, statement: str) -> TargetError:
    with pytest.raises(TargetError) as caught:
        write(target, statement)
    return caught.value


@pytest.fixture
def abroad(mariadb_target: Target, mariadb_server: MariadbServer) -> Iterator[Target]:
    """A server two hours east of Greenwich, with modes laxer than MySQL's own."""
    mariadb_server.run("SET GLOBAL time_zone = '+02:00', GLOBAL sql_mode = '', GLOBAL lc_time_names = 'de_DE'")
    yield mariadb_target
    mariadb_server.run("SET GLOBAL time_zone = 'SYSTEM', GLOBAL sql_mode = DEFAULT, GLOBAL lc_time_names = 'en_US'")


def test_a_timestamp_is_in_the_connectors_zone(abroad: Target) -> None:
    with Database(abroad) as database:
        database.run("CREATE TABLE t (id int, at TIMESTAMP NULL)")
        write(abroad, "INSERT INTO t VALUES (1, '2026-06-01 12:00:00')")
        write(replace(abroad, timezone="Etc/GMT-3"), "INSERT INTO t VALUES (2, '2026-06-01 15:00:00')")
        database.run("SET time_zone = '+00:00'")
        assert {str(at) for (at,) in database.rows("SELECT at FROM t")} == {"2026-06-01 12:00:00"}


TRANSITIONS = ("2025-10-26 01:00", 0), ("2026-03-29 01:00", 1), ("2026-10-25 01:00", 0)
"""When clocks in Vienna change, by UTC, and whether they then show summer time."""


@pytest.fixture
def vienna(mariadb_target: Target, mariadb_server: MariadbServer) -> Target:
    """A server whose tables of time zones know this one, by a number that no other one has."""
    moments = ", ".join(f"(9, TIMESTAMPDIFF(SECOND, '1970-01-01', '{at}'), {kind})" for at, kind in TRANSITIONS)
    mariadb_server.run(
        "REPLACE INTO mysql.time_zone VALUES (9, 'N')",
        "REPLACE INTO mysql.time_zone_name VALUES ('Europe/Vienna', 9)",
        "REPLACE INTO mysql.time_zone_transition_type VALUES (9, 0, 3600, 0, 'CET'), (9, 1, 7200, 1, 'CEST')",
        f"REPLACE INTO mysql.time_zone_transition VALUES {moments}",
    )
    return replace(mariadb_target, timezone="Europe/Vienna")


def test_a_timestamp_is_in_a_zone_that_has_a_name(vienna: Target) -> None:
    with Database(vienna) as database:
        database.run("CREATE TABLE t (at TIMESTAMP NULL)", "SET time_zone = '+00:00'")
        write(vienna, "INSERT INTO t VALUES ('2026-01-15 12:00:00'), ('2026-07-15 12:00:00')")
        assert [str(at) for (at,) in database.rows("SELECT at FROM t ORDER BY at")] == [
            "2026-01-15 11:00:00",
            "2026-07-15 10:00:00",
        ]


@pytest.fixture
def in_vienna(vienna: Target, mariadb_server: MariadbServer) -> Iterator[Target]:
    """A server whose own clock is Vienna's, and a connector whose is not."""
    mariadb_server.run("SET GLOBAL time_zone = 'Europe/Vienna'")
    yield replace(vienna, timezone="UTC")
    mariadb_server.run("SET GLOBAL time_zone = 'SYSTEM'")


def test_an_hour_that_the_servers_clock_skips_is_an_hour(in_vienna: Target) -> None:
    """Half past two was refused as none, and the profile with it; those beside it were two hours early."""
    with Database(in_vienna) as database:
        database.run("CREATE TABLE t (at TIMESTAMP NULL)", "SET time_zone = '+00:00'")
        write(in_vienna, "INSERT INTO t VALUES ('2026-03-29 02:30:00'), ('2026-06-01 12:00:00')")
        assert [str(at) for (at,) in database.rows("SELECT at FROM t ORDER BY at")] == [
            "2026-03-29 02:30:00",
            "2026-06-01 12:00:00",
        ]


def test_postgresql_takes_a_zone_by_its_name(postgresql_target: Target) -> None:
    there = replace(postgresql_target, timezone="Europe/Vienna")
    with Database(postgresql_target) as database:
        database.run("CREATE TABLE t (at timestamptz)")
        write(there, "INSERT INTO t VALUES ('2026-01-15 12:00:00'), ('2026-07-15 12:00:00')")
        assert database.rows("SELECT to_char(at AT TIME ZONE 'UTC', 'HH24') FROM t ORDER BY at") == [("11",), ("10",)]


def test_a_zone_that_the_server_does_not_know_holds_the_connector(mariadb_target: Target) -> None:
    error = refused(replace(mariadb_target, timezone="Europe/Berlin"), "SELECT 1")
    assert (error.error_class, error.level, error.code) == (ErrorClass.HOLD, HoldLevel.CONNECTOR, "mysql 1298")
    assert "time zone" in error.reason


@pytest.mark.parametrize(
    ("name", "offset"),
    [("UTC", "+00:00"), ("Etc/UTC", "+00:00"), ("Etc/GMT+5", "-05:00"), ("Asia/Tokyo", "Asia/Tokyo")],
)
def test_a_zone_that_never_changes_needs_no_tables(name: str, offset: str) -> None:
    assert zone(name) == offset


@pytest.mark.parametrize("value", ["('24:00:00', NULL)", "(NULL, '0000-00-00')", "(NULL, '2024-00-10')"])
def test_a_date_that_is_none_is_refused(abroad: Target, value: str) -> None:
    with Database(abroad) as database:
        database.run("CREATE TABLE t (ts datetime, d date)")
        assert refused(abroad, f"INSERT INTO t VALUES {value}").error_class is ErrorClass.ISOLATE
        assert database.rows("SELECT * FROM t") == []


def test_the_key_0_is_0(mariadb_target: Target) -> None:
    with Database(mariadb_target) as database:
        database.run("CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, v varchar(9))")
        for _ in range(2):
            write(mariadb_target, "INSERT INTO t VALUES ('0', 'zero') ON DUPLICATE KEY UPDATE v = VALUES(v)")
        assert database.rows("SELECT * FROM t") == [(0, "zero")]


def test_months_have_english_names(abroad: Target) -> None:
    with Database(abroad) as database:
        database.run("CREATE TABLE t (d date)")
        write(abroad, "INSERT INTO t VALUES (STR_TO_DATE('3 March 2026', '%d %M %Y'))")
        assert [str(d) for (d,) in database.rows("SELECT d FROM t")] == ["2026-03-03"]


CONTRARY = {
    "check_constraint_checks": "0",
    "completion_type": "'CHAIN'",
    "default_regex_flags": "'DOTALL'",
    "default_week_format": "3",
    "div_precision_increment": "0",
    "group_concat_max_len": "4",
    "max_join_size": "1",
    "old_mode": "'ZERO_DATE_TIME_CAST'",
    "sql_safe_updates": "1",
}


@pytest.fixture
def contrary(mariadb_target: Target, mariadb_server: MariadbServer) -> Iterator[Target]:
    """A server that computes otherwise, and refuses what others take."""
    mariadb_server.run(*(f"SET GLOBAL {name} = {value}" for name, value in CONTRARY.items()))
    yield mariadb_target
    mariadb_server.run(*(f"SET GLOBAL {name} = DEFAULT" for name in CONTRARY))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("CONCAT(1/3)", "0.3333"),
        ("WEEK('2026-01-01')", "0"),
        ("(SELECT GROUP_CONCAT(seq) FROM seq_1_to_9)", "1,2,3,4,5,6,7,8,9"),
        ("'a\\nb' RLIKE 'a.b'", "0"),
        ("YEAR(CAST(CAST('10:20:30' AS TIME) AS DATETIME)) > 0", "1"),
        ("CHARSET(CONVERT('x' USING utf8))", "utf8mb3"),
    ],
)
def test_what_a_query_computes_is_the_same_on_every_server(contrary: Target, expression: str, expected: str) -> None:
    with Database(contrary) as database:
        database.run("CREATE TABLE t (v varchar(50))", "SET sql_big_selects = 1")
        write(contrary, f"INSERT INTO t VALUES ({expression})", "DELETE FROM t WHERE v = 'none'")
        assert database.rows("SELECT v FROM t") == [(expected,)]


def test_checks_are_kept_on_every_server(contrary: Target) -> None:
    with Database(contrary) as database:
        database.run("CREATE TABLE t (v json)")
        assert refused(contrary, "INSERT INTO t VALUES ('{')").error_class is ErrorClass.ISOLATE


@pytest.fixture
def elsewhere(postgresql_target: Target) -> Target:
    """A database whose every setting differs from PostgreSQL's own."""
    name = make_url(postgresql_target.url).database
    with psycopg.connect(postgresql_target.url, autocommit=True) as connection:
        for setting in (
            "TimeZone = 'Europe/Berlin'",
            "DateStyle = 'SQL, DMY'",
            "IntervalStyle = 'sql_standard'",
            "bytea_output = 'escape'",
            "extra_float_digits = -3",
            "xmlbinary = 'hex'",
            "array_nulls = off",
            "transform_null_equals = on",
            "quote_all_identifiers = on",
            "row_security = off",
            "gin_fuzzy_search_limit = 1",
        ):
            connection.execute(f'ALTER DATABASE "{name}" SET {setting}'.encode())
    return postgresql_target


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("('2026-06-01 12:00:00'::timestamptz AT TIME ZONE 'UTC')::text", "2026-06-01 12:00:00"),
        ("('02/03/2026'::date - '2026-01-01'::date)::text", "33"),
        ("extract(epoch FROM '-1 2:03:04'::interval)::bigint::text", "-79016"),
        ("'\\xff'::bytea::text", "\\xff"),
        ("0.1::float8::text", "0.1"),
        ("cardinality('{NULL}'::text[])::text || coalesce(('{NULL}'::text[])[1], '-')", "1-"),
        ("coalesce((NULL = NULL)::text, 'null')", "null"),
        ("quote_ident('a')", "a"),
        ("current_setting('row_security')", "on"),
        ("current_setting('gin_fuzzy_search_limit')", "0"),
    ],
)
def test_a_literal_means_what_it_means_on_an_untouched_server(
    elsewhere: Target, expression: str, expected: str
) -> None:
    with Database(elsewhere) as database:
        database.run("CREATE TABLE t (v text)")
        write(elsewhere, f"INSERT INTO t SELECT {expression}")
        assert database.rows("SELECT v FROM t") == [(expected,)]


def test_a_query_that_changes_the_zone_is_found_out(postgresql_target: Target) -> None:
    error = refused(postgresql_target, "SELECT set_config('TimeZone', 'Asia/Tokyo', false)")
    assert (error.code, error.level) == ("postgresql surprise", HoldLevel.INTEGRATION)


def test_sqlite_keeps_its_foreign_keys(sqlite_target: Target) -> None:
    with Database(sqlite_target) as database:
        database.run("CREATE TABLE p (id int PRIMARY KEY)", "CREATE TABLE t (p int REFERENCES p (id))")
        assert refused(sqlite_target, "INSERT INTO t VALUES (7)").error_class is ErrorClass.ISOLATE
