"""Servers for tests, started when the first test asks for one, and ended with the run."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from tests.proof import load_profile
from tests.servers.mariadb import MariadbServer
from tests.servers.postgresql import PostgresqlServer
from tests.servers.redis import RedisServer
from workers.connectors.contract import Target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import redis

load_profile()


@pytest.fixture
def namespace() -> str:
    """A prefix for keys, queues and databases that no other test has."""
    return f"test_{secrets.token_hex(5)}"


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One Redis for the whole run; a test that kills, fills or reconfigures one takes `own_redis`."""
    server = RedisServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis that this test may kill, restart, pause or fill."""
    server = RedisServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def redis_client(redis_server: RedisServer, namespace: str) -> Iterator[redis.Redis]:
    """A client of `redis_server` (bytes); what the test leaves under `namespace` is removed after it."""
    redis_server.start()
    client = redis_server.client()
    try:
        yield client
    finally:
        redis_server.start()
        for key in client.scan_iter(match=f"*{namespace}*", count=1000):
            client.unlink(key)
        client.close()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """One PostgreSQL for the whole run; a test that kills or pauses one takes `own_postgresql`."""
    server = PostgresqlServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def own_postgresql() -> Iterator[PostgresqlServer]:
    """A PostgreSQL that this test may kill, restart or pause (0.5 s)."""
    server = PostgresqlServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def postgresql_url(postgresql_server: PostgresqlServer, namespace: str) -> Iterator[str]:
    """postgresql://segsync@127.0.0.1:PORT/NAMESPACE: an empty database of this test's own, no password."""
    postgresql_server.create_database(namespace)
    try:
        yield postgresql_server.url(namespace)
    finally:
        postgresql_server.drop_database(namespace)


@pytest.fixture
def postgresql_target(postgresql_url: str) -> Target:
    """`postgresql_url` as a connector's target."""
    return Target(key="crm", dialect="postgresql", url=postgresql_url, session_name="segsync:crm")


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariadbServer]:
    """One MariaDB for the whole run; a test that kills or pauses one takes `own_mariadb`."""
    server = MariadbServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def own_mariadb() -> Iterator[MariadbServer]:
    """A MariaDB that this test may kill, restart or pause (1 s)."""
    server = MariadbServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def mariadb_url(mariadb_server: MariadbServer, namespace: str) -> Iterator[str]:
    """mysql://segsync@127.0.0.1:PORT/NAMESPACE: an empty database; `mariadb_server.password` belongs to it."""
    mariadb_server.create_database(namespace)
    try:
        yield mariadb_server.url(namespace)
    finally:
        mariadb_server.drop_database(namespace)


@pytest.fixture
def mariadb_target(mariadb_url: str, mariadb_server: MariadbServer) -> Target:
    """`mariadb_url` as a connector's target."""
    return Target(
        key="crm", dialect="mysql", url=mariadb_url, password=mariadb_server.password, session_name="segsync:crm"
    )


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """sqlite:////…/target.db: an empty database of this test's own (an empty file is one)."""
    path = tmp_path / "target.db"
    path.touch()
    return f"sqlite:///{path}"


@pytest.fixture
def sqlite_target(sqlite_url: str) -> Target:
    """`sqlite_url` as a connector's target."""
    return Target(key="crm", dialect="sqlite", url=sqlite_url, session_name="segsync:crm")
