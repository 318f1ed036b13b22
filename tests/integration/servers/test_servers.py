"""The servers that all other tests stand on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pymysql
import pytest
from sqlalchemy.engine import make_url

from tests.servers.debian import install
from tests.servers.mariadb import ENVIRONMENT, Account, MariadbServer, programs
from tests.servers.process import PORTS, ServerError, ServerProcess, free_port, freeze, new_folder
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

    from tests.servers.postgresql import PostgresqlServer
    from tests.servers.redis import RedisServer

ROOT = Path(__file__).resolve().parents[3]


def test_redis_keeps_what_it_answered_through_a_kill(own_redis: RedisServer) -> None:
    own_redis.client().set("kept", "1")
    own_redis.kill()
    own_redis.restart()
    assert own_redis.client().get("kept") == b"1"


def test_redis_runs_with_the_settings_that_the_promises_need(redis_client: Redis) -> None:
    settings = {**redis_client.config_get("append*"), **redis_client.config_get("maxmemory-policy")}
    assert settings["appendonly"] == "yes"
    assert settings["appendfsync"] == "always"
    assert settings["maxmemory-policy"] == "noeviction"


def test_a_frozen_server_stands_when_freeze_returns(own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel stops a process's threads some time after kill() has returned; here it takes its time."""
    kill = os.kill
    monkeypatch.setattr(os, "kill", lambda pid, number: threading.Timer(0.2, kill, (pid, number)).start())
    freeze(own_redis.pid)
    monkeypatch.undo()
    threads = [thread.joinpath("stat").read_text() for thread in Path(f"/proc/{own_redis.pid}/task").iterdir()]
    assert [stat.rpartition(") ")[2][0] for stat in threads] == ["T"] * len(threads)
    os.kill(own_redis.pid, signal.SIGCONT)


@pytest.fixture
def leftovers(redis_server: RedisServer) -> Iterator[list[str]]:
    """Keys that must be gone once the fixtures set up after this one have been torn down."""
    keys: list[str] = []
    yield keys
    client = redis_server.client()
    assert keys
    assert [key for key in keys if client.exists(key)] == []


def test_redis_client_removes_what_its_test_left(leftovers: list[str], redis_client: Redis, namespace: str) -> None:
    leftovers.append(f"{namespace}:x")
    redis_client.set(f"{namespace}:x", "1")


def test_postgresql_gives_an_ordinary_user_a_database(postgresql_url: str) -> None:
    with psycopg.connect(postgresql_url) as connection:
        connection.execute("CREATE TABLE t (x int)")
        row = connection.execute("SELECT current_user, rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    assert row == ("segsync", False)


def test_postgresql_keeps_what_it_committed_through_a_crash(own_postgresql: PostgresqlServer) -> None:
    first = own_postgresql.pid
    with own_postgresql.admin() as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1")
    own_postgresql.kill()
    own_postgresql.start()
    assert own_postgresql.pid != first
    with own_postgresql.admin() as connection:
        assert connection.execute("SELECT * FROM kept").fetchone() == (1,)


def test_mariadb_keeps_its_temporary_files_to_itself(mariadb_server: MariadbServer) -> None:
    """A server that starts removes them all where they lie: in a folder of many servers, a running one's too."""
    other = MariadbServer()
    try:
        other.start()
        assert scratch(other) != scratch(mariadb_server)
    finally:
        other.remove()


def scratch(server: MariadbServer) -> str:
    with server.admin() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT @@tmpdir")
        ((folder,),) = cursor.fetchall()
    return str(folder)


def test_mariadb_gives_an_ordinary_user_a_database(mariadb_url: str, mariadb_server: MariadbServer) -> None:
    url = make_url(mariadb_url)
    connection = pymysql.connect(
        host=url.host, port=url.port, user=url.username, password=mariadb_server.password or "", database=url.database
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (x int)")
        with pytest.raises(pymysql.err.OperationalError):
            cursor.execute("CREATE TABLE mysql.t (x int)")


def test_mariadb_keeps_what_it_committed_through_a_crash(own_mariadb: MariadbServer) -> None:
    own_mariadb.run("CREATE DATABASE kept", "CREATE TABLE kept.t (id INT)", "INSERT INTO kept.t VALUES (1)")
    own_mariadb.kill()
    own_mariadb.start()
    connection = own_mariadb.admin()
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT id FROM kept.t")
        assert cursor.fetchall() == ((1,),)


def test_servers_end_and_clean_up_when_the_test_process_dies_hard() -> None:
    code = (
        "import os, sys; from tests.servers.redis import RedisServer; s = RedisServer(); s.start();"
        "print(s.pid, s._process.folder, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    pid, folder = done.stdout.split()
    until(lambda: not Path(folder).exists(), "its folder to be gone")
    assert b"redis-server" not in _command_line(int(pid))


def _command_line(pid: int) -> bytes:
    return subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, check=False).stdout


def test_a_server_that_does_not_come_up_says_why() -> None:
    process = ServerProcess(new_folder("broken"), ["/bin/sh", "-c", "echo no such thing; exit 3"])
    with pytest.raises(ServerError, match="no such thing"):
        process.start(lambda: False)
    process.remove()


def test_without_debian_the_remedies_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tests.servers.mariadb.shutil.which", lambda *_, **__: None)
    monkeypatch.setattr("tests.servers.mariadb.FOLDER", tmp_path / "mariadb")
    with pytest.raises(ServerError, match=rf"(?s)apt-get.*PATH,.*{ENVIRONMENT}"):
        programs()


@pytest.mark.long
def test_a_package_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="no-such-package"):
        install(tmp_path / "x", ["no-such-package"], "usr/bin/nothing")


def test_an_administrators_url_is_read_with_its_escapes() -> None:
    assert Account.parse("mysql://ro%40ot:p%2Fw@db:3307") == Account("db", 3307, "ro@ot", "p/w")
    with pytest.raises(ServerError, match=ENVIRONMENT):
        Account.parse("postgresql://x@db")


def test_ports_lie_where_nobody_who_connects_is_given_one() -> None:
    ours = [free_port() for _ in range(50)]
    assert len({*ours}) == 50
    assert {*ours} <= set(PORTS)


def test_a_port_that_was_given_is_not_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever got it may not listen there yet."""
    port = free_port()
    dice = iter((port, port, port + 1, *PORTS))
    monkeypatch.setattr("tests.servers.process.random.SystemRandom.choice", lambda *_: next(dice))
    assert free_port() != port
