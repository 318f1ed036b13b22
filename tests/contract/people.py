"""The table `people (name)`, whose names are at most 60 characters and unique, in each database."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import oracledb
import pytest

from tests.servers.clickhouse import PASSWORD
from tests.servers.oracle_played import serve as serve_oracle
from tests.servers.rows import real_target
from tests.servers.tds_postgresql import serve as serve_mssql
from workers.connectors.contract import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MYSQL = pytest.param("mysql", marks=[pytest.mark.proof, pytest.mark.fetched])
"""The real one, which is fetched; it has all that MariaDB has."""
UNDOING = ("memory", "sqlite", "postgresql", "mariadb", "mssql", "oracle", MYSQL)
"""Those that have transactions, and locks for them."""


def doubled(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def national(text: str) -> str:
    return "N" + doubled(text)


def backslashed(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


_CLICKHOUSE = (
    "CREATE TABLE people (name String, CONSTRAINT short CHECK lengthUTF8(name) <= 60)"
    " ENGINE = ReplacingMergeTree ORDER BY name"
)
TABLES: dict[str, tuple[str, Callable[[str], str]]] = {
    "sqlite": ("CREATE TABLE people (name TEXT PRIMARY KEY CHECK (length(name) <= 60))", doubled),
    "postgresql": ("CREATE TABLE people (name VARCHAR(60) PRIMARY KEY)", doubled),
    "clickhouse": (_CLICKHOUSE, backslashed),
    "oracle": ("CREATE TABLE people (name VARCHAR2(60 CHAR) PRIMARY KEY)", doubled),
    "mssql": ("CREATE TABLE people (name nvarchar(60) COLLATE Latin1_General_100_BIN2 PRIMARY KEY)", national),
    "mariadb": ("CREATE TABLE people (name VARCHAR(60) PRIMARY KEY) COLLATE utf8mb4_bin", backslashed),
    "mysql": ("CREATE TABLE people (name VARCHAR(60) PRIMARY KEY) COLLATE utf8mb4_bin", backslashed),
}
"""How it is made, and how a test writes a name."""


@contextmanager
def database(name: str, request: pytest.FixtureRequest) -> Iterator[Target]:
    """An empty database of one of these, as long as it is used; a real one where the environment names it."""
    if name == "sqlite":
        path = request.getfixturevalue("tmp_path_factory").mktemp("people") / "target.db"
        path.touch()
        yield Target("crm", "sqlite", f"sqlite:///{path}", session_name="segsync:crm")
    elif url := os.environ.get(f"SEGSYNC_TEST_{name.upper()}_URL"):
        yield real_target(name, url, os.environ.get(f"SEGSYNC_TEST_{name.upper()}_PASSWORD"))
    elif name in _PLAYED:
        with _own_database(request, "postgresql") as url, _PLAYED[name](url) as target:
            yield target
    else:
        with _own_database(request, name) as url:
            server: Any = request.getfixturevalue(f"{name}_server")
            password = PASSWORD if name == "clickhouse" else getattr(server, "password", None)
            yield Target("crm", url.partition(":")[0], url, password=password, session_name="segsync:crm")


@contextmanager
def _own_database(request: pytest.FixtureRequest, name: str) -> Iterator[str]:
    """Its URL."""
    server: Any = request.getfixturevalue(f"{name}_server")
    own = f"test_{secrets.token_hex(5)}"
    server.create_database(own)
    try:
        yield server.url(own)
    finally:
        server.drop_database(own)


@contextmanager
def _mssql(url: str) -> Iterator[Target]:
    with contextmanager(serve_mssql)(url) as played:
        yield played.target()


@contextmanager
def _oracle(url: str) -> Iterator[Target]:
    with contextmanager(serve_oracle)(url) as played, pytest.MonkeyPatch.context() as patch:
        patch.setattr(oracledb, "connect", played.connect)
        yield played.target()


_PLAYED = {"mssql": _mssql, "oracle": _oracle}
