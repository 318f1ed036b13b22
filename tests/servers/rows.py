"""A target's tables, looked at and prepared beside segsync: by the driver alone, in autocommit."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import oracledb
import psycopg
import pymysql
import pytds
from sqlalchemy.engine import make_url

from tests.servers.clickhouse import ClickhouseCursor
from workers.connectors.contract import Target

if TYPE_CHECKING:
    from types import TracebackType


class Database:
    """A connection of the test's own to a target."""

    def __init__(self, target: Target) -> None:
        self._connection: Any = _CONNECT[target.dialect](target)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def run(self, *statements: str) -> None:
        """Runs statements, each committed at once."""
        for statement in statements:
            self.rows(statement)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """All rows of a statement; none for one that gives none."""
        cursor = self._connection.cursor()
        try:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []
        finally:
            cursor.close()


def real_target(dialect: str, url: str, password: str | None) -> Target:
    """The target that a variable of the environment names, without earlier tests' tables; a password may be in it."""
    parts = make_url(url)
    password = password or (str(parts.password) if parts.password else None)
    shown = parts.set(password=None).render_as_string(hide_password=False)
    target = Target("crm", dialect, shown, password=password, session_name="segsync:crm")
    with Database(target) as database:
        for table in ("people", "member", "segment", "segment_member", "segsync_position"):
            with suppress(Exception):
                database.run(f"DROP TABLE {table}")
    return target


def _sqlite(target: Target) -> sqlite3.Connection:
    return sqlite3.connect(str(make_url(target.url).database), isolation_level=None, check_same_thread=False)


def _postgresql(target: Target) -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(target.url, password=target.password, autocommit=True)


def _mysql(target: Target) -> Any:
    url = make_url(target.url)
    return pymysql.connect(
        host=url.host,
        port=url.port or 0,
        user=url.username,
        password=target.password or "",
        database=url.database,
        charset="utf8mb4",
        autocommit=True,
        ssl_disabled=True,
    )


def _clickhouse(target: Target) -> ClickhouseCursor:
    return ClickhouseCursor(target.url)


def _mssql(target: Target) -> Any:
    url = make_url(target.url)
    return pytds.connect(
        url.host,
        url.database,
        url.username,
        target.password or "",
        port=url.port or 1433,
        autocommit=True,
        login_timeout=10,
    )


def _oracle(target: Target) -> Any:
    url = make_url(target.url)
    place = {"user": url.username, "password": target.password, "host": url.host, "port": url.port or 1521}
    connection = oracledb.connect(params=oracledb.ConnectParams(**place, service_name=url.database))
    connection.autocommit = True
    return connection


_CONNECT: dict[str, Any] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
    "mysql": _mysql,
    "mssql": _mssql,
    "oracle": _oracle,
    "clickhouse": _clickhouse,
}
