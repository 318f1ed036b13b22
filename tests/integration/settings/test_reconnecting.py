"""What a client does when its Redis is demoted, or its password is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from redis.exceptions import AuthenticationError, ResponseError

from workers.settings import RedisSettings
from workers.settings.reconnecting import ReadOnly

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from redis import Redis

    from tests.servers.redis import RedisServer

WRITES: list[Callable[[Any], object]] = [
    lambda client: client.set("k", "v"),
    lambda client: client.eval("return redis.call('SET', KEYS[1], 'v')", 1, "k"),
    lambda client: client.pipeline(transaction=True).set("k", "v").execute(),
    lambda client: client.pipeline(transaction=False).set("k", "v").execute(),
]


@pytest.fixture
def demoted(own_redis: RedisServer) -> Redis:
    """A client whose server has become a replica of nobody it can reach."""
    client = RedisSettings(own_redis.url).client(retry=None)
    client.set("k", "before")
    with own_redis.client() as admin:
        admin.replicaof("127.0.0.1", "1")
    return client


@pytest.mark.parametrize("write", WRITES, ids=["command", "script", "transaction", "pipeline"])
def test_a_replica_is_left_and_a_master_is_met_again(
    own_redis: RedisServer, demoted: Redis, write: Callable[[Any], object]
) -> None:
    before = demoted.client_id()
    with pytest.raises(ReadOnly, match="expected a master"):
        write(demoted)
    with own_redis.client() as admin:
        admin.replicaof("NO", "ONE")
        linked = {int(each["id"]) for each in admin.client_list()}
    assert before not in linked
    write(demoted)


def test_other_refusals_keep_the_link(own_redis: RedisServer) -> None:
    client = RedisSettings(own_redis.url).client()
    before = client.client_id()
    client.set("k", "text")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        client.lpush("k", "x")
    assert client.client_id() == before


def test_a_password_that_rotates_is_met_without_restart(own_redis: RedisServer, tmp_path: Path) -> None:
    file = tmp_path / "pw"
    file.write_text("old\n")
    admin = own_redis.client()
    admin.config_set("requirepass", "old")
    client = RedisSettings(own_redis.url, password="old", password_file=file).client()
    assert client.ping()

    admin.config_set("requirepass", "new")
    file.write_text("new\n")
    assert client.ping()  # the link is as good as it was
    client.connection_pool.disconnect()
    assert client.ping()

    file.write_text("wrong\n")
    client.connection_pool.disconnect()
    with pytest.raises(AuthenticationError):
        client.ping()
    admin.config_set("requirepass", "")
    admin.close()
