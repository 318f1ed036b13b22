"""A Redis user that may touch segsync's own keys alone (docs: `~segsync:*`), and a broker that nobody serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from redis import Redis

from tests.installation import Installation
from tests.model import profiles
from tests.targets import TargetDatabase

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.redis import RedisServer

CONFIGURE = ("ACL", "SETUSER", "segsync", "on", ">secret", "&*", "+@all", "-@dangerous", "+info", "+client")


@pytest.fixture
def target(sqlite_url: str) -> TargetDatabase:
    database = TargetDatabase("sqlite", sqlite_url)
    database.create()
    return database


@pytest.fixture
def restricted(
    own_redis: RedisServer, tmp_path: Path, namespace: str, target: TargetDatabase
) -> Iterator[Installation]:
    client: Any = own_redis.client()
    client.execute_command(*CONFIGURE, f"~{namespace}:*")
    where = urlsplit(own_redis.url)
    installation = Installation(tmp_path, f"redis://segsync:secret@{where.hostname}:{where.port}/0", namespace)
    installation.configure(target.connector() + target.integration())
    text = installation.file.read_text().replace(":secret@", "@")
    head, url, rest = text.partition("[ledger]")
    installation.file.write_text(f'{head}password = "${{REDIS_PASSWORD}}"\n{url}{rest}')
    installation.environ["REDIS_PASSWORD"] = "secret"
    try:
        yield installation
    finally:
        installation.stop()


def test_a_user_with_a_right_to_the_prefix_alone_delivers(
    restricted: Installation, own_redis: RedisServer, target: TargetDatabase
) -> None:
    restricted.worker()
    restricted.beat()
    restricted.ready()
    restricted.producer.add(7, profiles(*range(10)))
    restricted.settle()
    assert len(target.members()) == 10
    admin: Any = own_redis.client()
    assert {key.split(b":")[0] for key in admin.scan_iter()} == {restricted.namespace.encode()}
    log: Any = admin.execute_command("ACL", "LOG")
    assert [entry for entry in log if b"segsync" in str(entry).encode()] == []


def test_wake_ups_that_nobody_takes_are_as_many_as_could_be_served(
    own_redis: RedisServer, tmp_path: Path, namespace: str, target: TargetDatabase
) -> None:
    """They were four more with each permit that ran out, until there was no room."""
    installation = Installation(tmp_path, own_redis.url, namespace)
    installation.configure(target.connector() + target.integration())
    client: Any = Redis.from_url(own_redis.url)
    try:
        installation.worker("-Q", "nobody")
        installation.ready()
        installation.producer.add(7, profiles(1))
        queue, permits = f"{namespace}:route", installation.keys.permits("route")
        installation.wait(lambda: client.llen(queue), "the first wake-up")
        for _ in range(3):
            client.delete(permits)  # as if it had run out
            client.xadd(installation.keys.bell, {"r": "1"})
            installation.wait(lambda: client.zcard(permits), "the next permit")
        assert client.llen(queue) == 1
        assert b'"expires": null' not in client.lindex(queue, 0)
    finally:
        installation.stop()
