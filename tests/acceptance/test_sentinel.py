"""A primary that dies, and a Sentinel that promotes its replica: data and Celery's broker alike are found there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from segsync import Producer
from tests.installation import Installation
from tests.model import profiles
from tests.servers.redis import RedisServer
from tests.servers.sentinel import MASTER, SentinelServer
from tests.targets import TargetDatabase
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def replica(own_redis: RedisServer) -> Iterator[RedisServer]:
    """Follows `own_redis`."""
    server = RedisServer()
    try:
        server.start()
        with server.client() as client:
            client.replicaof("127.0.0.1", str(own_redis.port))
            until(lambda: client.info()["master_link_status"] == "up", "a replica in step")
        yield server
    finally:
        server.remove()


@pytest.fixture
def sentinel(own_redis: RedisServer, replica: RedisServer) -> Iterator[SentinelServer]:
    """Watches `own_redis`, and knows the replica."""
    assert replica.port
    server = SentinelServer(own_redis)
    try:
        server.start()
        until(server.knows_a_replica, "the replica in the sentinel's eyes")
        yield server
    finally:
        server.remove()


def test_workers_follow_the_master_that_sentinel_names(
    own_redis: RedisServer,
    replica: RedisServer,
    sentinel: SentinelServer,
    tmp_path: Path,
    namespace: str,
    sqlite_url: str,
) -> None:
    target = TargetDatabase("sqlite", sqlite_url)
    target.create()
    installation = Installation(tmp_path, own_redis.url, namespace)
    installation.configure(target.connector() + target.integration())
    where = f'sentinels = ["{sentinel.address}"]\nmaster = "{MASTER}"\n'
    installation.file.write_text(installation.file.read_text().replace(f'url = "{own_redis.url}"\n', where, 1))
    try:
        worker = installation.worker()
        installation.beat()
        installation.ready()
        installation.producer.add(7, profiles(*range(10)))
        installation.settle()
        own_redis.kill()
        installation.wait(lambda: sentinel.master() == replica.port, "a promotion")
        installation.redis = replica.client()
        with Producer(replica.url, namespace=namespace) as producer:
            producer.add(7, profiles(*range(10, 20)))
        installation.settle()
        assert len(target.members()) == 20
        assert worker.running
        shown = installation.segsync("status")
        assert "workers     1;" in shown.stdout, shown.stderr
    finally:
        installation.stop()
