"""Servers for tests, started when the first test asks for one, and ended with the run."""

from __future__ import annotations

import gc
import os
import resource
import secrets
import shutil
import sys
from typing import TYPE_CHECKING, TypeVar

import oracledb
import pytest

from tests.in_memory import use_memory
from tests.proof import load_profile
from tests.servers.clickhouse import PASSWORD, ClickhouseServer
from tests.servers.mariadb import REAL_MYSQL, MariadbServer
from tests.servers.mysql import MysqlServer
from tests.servers.oracle_played import Shared as OraclePlayed
from tests.servers.oracle_played import serve as serve_oracle
from tests.servers.postgresql import PostgresqlServer
from tests.servers.redis import RedisServer
from tests.servers.rows import real_target
from tests.servers.shared import SharedServers
from tests.servers.tds_postgresql import Shared as MssqlPlayed
from tests.servers.tds_postgresql import serve as serve_mssql
from workers.connectors.contract import Target
from workers.control.startup import collect_rarely

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import redis


def _may_open(files: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = files if hard == resource.RLIM_INFINITY else min(files, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


load_profile()
# Looking for cycles among all that pytest keeps took a third of the unit tests' processor time.
collect_rarely()
# Links wait in such cycles, too, until Python looks: more than the 1,024 files that a process may have on most hosts.
_may_open(8_192)
# A run starts hundreds of processes, each of which would compile the whole product anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

Server = TypeVar("Server", RedisServer, PostgresqlServer, MariadbServer, ClickhouseServer)
LONGEST = {
    name: place
    for place, name in enumerate(
        (
            "acceptance",
            "chaos",
            "test_up.py",
            "test_full_redis.py",
            "simulation",
            "contract",
            "test_random_histories.py",
            "test_any_profile.py",
            "test_planted_values.py",
            "resync",
        )
    )
}
"""Folders and files whose tests take longest, and so begin first."""
SHARED = pytest.StashKey[SharedServers]()


def pytest_configure(config: pytest.Config) -> None:
    """Nothing is shared yet; and folders are in memory, before the first is made."""
    use_memory()
    config.stash[SHARED] = SharedServers()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, or one process would be left alone with them in the end."""
    items.sort(key=lambda item: min(LONGEST.get(part, len(LONGEST)) for part in item.path.parts))


def pytest_collection_finish() -> None:
    """All that was collected stays until the end, where pytest looks five times for garbage, four seconds long."""
    gc.freeze()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Not a fixture's affair: to wait for the run's other processes would count as the last test's time."""
    session.config.stash[SHARED].leave()
    if not exitstatus and not hasattr(session.config, "workerinput"):
        forget(session.config)


def forget(config: pytest.Config) -> None:
    """Removes the folders of a run of which nothing has failed: they may be in memory, and would stay there."""
    shutil.rmtree(config._tmp_path_factory.getbasetemp(), ignore_errors=True)  # type: ignore[attr-defined]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests that draw their own cases have said of them."""
    for report in terminalreporter.getreports("passed"):
        for name, said in report.user_properties if report.when == "call" else ():
            terminalreporter.write_line(f"{report.nodeid.rpartition('/')[2]}: {name}: {said}")


@pytest.fixture(scope="session")
def shared_servers(request: pytest.FixtureRequest) -> SharedServers:
    """This process's share in the run's servers."""
    return request.config.stash[SHARED]


@pytest.fixture(scope="session")
def run_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this run have in common."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if hasattr(request.config, "workerinput") else base


@pytest.fixture
def namespace() -> str:
    """A prefix for keys, queues and databases that no other test has."""
    return f"test_{secrets.token_hex(5)}"


def running(server: Server) -> Iterator[Server]:
    """The server, started; it is gone with the fixture."""
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One Redis for all tests of this process; a test that kills, fills or reconfigures one takes `own_redis`.

    Not shared with other processes of the run, as PostgreSQL is: Celery's workers would see each other there.
    """
    yield from running(RedisServer())


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis that this test may kill, restart, pause or fill."""
    yield from running(RedisServer())


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
def postgresql_server(shared_servers: SharedServers, run_folder: Path) -> PostgresqlServer:
    """One PostgreSQL for the whole run; a test that kills or pauses one takes `own_postgresql`."""
    return shared_servers.get(run_folder, "postgresql", PostgresqlServer, PostgresqlServer.attach)


@pytest.fixture
def own_postgresql() -> Iterator[PostgresqlServer]:
    """A PostgreSQL that this test may kill, restart or pause (0.5 s)."""
    yield from running(PostgresqlServer())


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
def played_database(postgresql_server: PostgresqlServer) -> Iterator[str]:
    """A database of PostgreSQL for the tests of this process whose SQL Server or Oracle is played."""
    name = f"played_{secrets.token_hex(5)}"
    postgresql_server.create_database(name)
    try:
        yield postgresql_server.url(name)
    finally:
        postgresql_server.drop_database(name)


@pytest.fixture
def mssql(played_database: str) -> Iterator[MssqlPlayed]:
    """A server that speaks SQL Server's protocol, over an empty database of PostgreSQL."""
    yield from serve_mssql(played_database)


@pytest.fixture
def mssql_target(request: pytest.FixtureRequest) -> Target:
    """The real SQL Server that SEGSYNC_TEST_MSSQL_URL names (its tables are the tests'), or else what plays one."""
    if url := os.environ.get("SEGSYNC_TEST_MSSQL_URL"):
        return real_target("mssql", url, os.environ.get("SEGSYNC_TEST_MSSQL_PASSWORD"))
    played: MssqlPlayed = request.getfixturevalue("mssql")
    return played.target()


@pytest.fixture
def oracle(played_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[OraclePlayed]:
    """What python-oracledb connects to is played, over an empty database of PostgreSQL."""
    for shared in serve_oracle(played_database):
        monkeypatch.setattr(oracledb, "connect", shared.connect)
        yield shared


@pytest.fixture
def oracle_target(request: pytest.FixtureRequest) -> Target:
    """The real Oracle that SEGSYNC_TEST_ORACLE_URL names (its tables are the tests'), or else what plays one."""
    if url := os.environ.get("SEGSYNC_TEST_ORACLE_URL"):
        return real_target("oracle", url, os.environ.get("SEGSYNC_TEST_ORACLE_PASSWORD"))
    played: OraclePlayed = request.getfixturevalue("oracle")
    return played.target()


def _mariadb() -> MariadbServer:
    return MysqlServer() if os.environ.get(REAL_MYSQL) else MariadbServer()


@pytest.fixture(scope="session")
def mysql_server() -> Iterator[MariadbServer]:
    """One real MySQL for all tests of this process, fetched the first time: for tests marked as `fetched`."""
    yield from running(MysqlServer())


@pytest.fixture
def mysql_target(mysql_server: MariadbServer, namespace: str) -> Iterator[Target]:
    """An empty database of this test's own in it."""
    mysql_server.create_database(namespace)
    try:
        yield Target("crm", "mysql", mysql_server.url(namespace), session_name="segsync:crm")
    finally:
        mysql_server.drop_database(namespace)


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariadbServer]:
    """One MariaDB for all tests of this process; a test that kills or pauses one takes `own_mariadb`.

    Not shared with other processes of the run, as PostgreSQL is: its session locks are the whole server's.
    """
    yield from running(_mariadb())


@pytest.fixture
def own_mariadb() -> Iterator[MariadbServer]:
    """A MariaDB that this test may kill, restart or pause (1 s)."""
    yield from running(_mariadb())


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


@pytest.fixture(scope="session")
def clickhouse_server(shared_servers: SharedServers, run_folder: Path) -> ClickhouseServer:
    """One ClickHouse for the whole run; a test that kills or pauses one takes `own_clickhouse`."""
    return shared_servers.get(run_folder, "clickhouse", ClickhouseServer, ClickhouseServer.attach)


@pytest.fixture
def own_clickhouse() -> Iterator[ClickhouseServer]:
    """A ClickHouse that this test may kill or pause (2 s)."""
    yield from running(ClickhouseServer())


@pytest.fixture
def clickhouse_url(clickhouse_server: ClickhouseServer, namespace: str) -> Iterator[str]:
    """clickhouse://segsync@127.0.0.1:PORT/NAMESPACE: an empty database of this test's own."""
    clickhouse_server.create_database(namespace)
    try:
        yield clickhouse_server.url(namespace)
    finally:
        clickhouse_server.drop_database(namespace)


@pytest.fixture
def clickhouse_target(clickhouse_url: str) -> Target:
    """`clickhouse_url` as a connector's target."""
    return Target(key="crm", dialect="clickhouse", url=clickhouse_url, password=PASSWORD, session_name="segsync:crm")


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
