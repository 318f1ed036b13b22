"""A Redis user with the rights that docs/redis.md asks for, and with one less; and a broker that nobody serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from redis import Redis

from segsync import Producer
from tests.installation import Installation
from tests.model import profiles
from tests.repository import ROOT
from tests.servers.process import free_port
from tests.targets import TargetDatabase
from tests.waiting import PATIENCE
from workers.control.rights import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.redis import RedisServer

PAGE = (ROOT / "docs/redis.md").read_text()
RIGHTS = {line.split()[2]: line.split()[3:] for line in PAGE.splitlines() if line.startswith("ACL SETUSER ")}
"""The page's own lines by user, the password and the namespace left to the test."""
BESIDE = {"auth", "config", "hello", "psubscribe", "subscribe", "unsubscribe", "punsubscribe", "client", "ping", "acl"}
"""Commands of a connection, and of the test itself."""


def allow(admin: Any, namespace: str, *more: str, user: str = "segsync") -> None:
    """Makes a user as the page says, with changes."""
    line = [part.replace("segsync:*", f"{namespace}:*").replace(">PASSWORD", ">secret") for part in RIGHTS[user]]
    admin.execute_command("ACL", "SETUSER", user, *line, *more)


def client_of(server: RedisServer, user: str) -> Redis:
    return Redis(host="127.0.0.1", port=server.port, username=user, password="secret")


@pytest.fixture
def target(sqlite_url: str) -> TargetDatabase:
    database = TargetDatabase("sqlite", sqlite_url)
    database.create()
    return database


@pytest.fixture
def restricted(
    own_redis: RedisServer, tmp_path: Path, namespace: str, target: TargetDatabase
) -> Iterator[Installation]:
    allow(own_redis.client(), namespace)
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


def test_a_user_with_the_rights_of_the_page_runs_everything(
    restricted: Installation, own_redis: RedisServer, target: TargetDatabase
) -> None:
    """And all that is sent is among what is looked for at the start."""
    admin: Any = own_redis.client()
    admin.config_resetstat()
    restricted.worker()
    restricted.beat()
    restricted.flower(free_port())
    restricted.ready()
    allow(admin, restricted.namespace, user="producer")
    producer = Producer(client=client_of(own_redis, "producer"), namespace=restricted.namespace)
    producer.add(7, profiles(*range(10)))
    producer.push(
        [{"type": "clear", "segment": {"id": 8}}, {"type": "add", "segment": {"id": 7}, "profiles": [{"_id": 1}]}]
    )
    client_of(own_redis, "producer").xadd(restricted.keys.events, {"event": '{"type":"clear","segment":{"id":9}}'})
    restricted.settle()
    restricted.wait(lambda: admin.hexists(restricted.keys.seen, "beat"), "beat's first look")
    assert len(target.members()) == 10
    for arguments in COMMANDS_OF_A_DAY:
        done = restricted.segsync(*arguments)
        assert done.returncode == 0, (arguments, done.stderr)
    restricted.settle()
    assert {key.split(b":")[0] for key in admin.scan_iter()} == {restricted.namespace.encode()}
    log: Any = admin.execute_command("ACL", "LOG")
    assert [entry for entry in log if b"segsync" in str(entry).encode() and b"setinfo" not in str(entry).encode()] == []
    sent = {name.removeprefix("cmdstat_").partition("|")[0] for name in admin.info("commandstats")}
    assert sent - BESIDE - {command[0].lower() for command in COMMANDS} == {"scan"}


COMMANDS_OF_A_DAY = (
    ["status"],
    ["why", "members", "--segment", "7"],
    ["doctor"],
    ["stats"],
    ["errors"],
    ["pause", "members"],
    ["resume", "members"],
    ["retry", "members"],
    ["quarantine", "list"],
    ["quarantine", "retry", "--all"],
    ["drain"],
    ["apply", "--yes"],
    ["revisions"],
    ["rollback", "1", "--yes"],
    ["check", "--connect"],
)


@pytest.mark.parametrize("right", ["xadd", "evalsha", "brpop", "zadd"])
def test_a_right_that_is_missing_is_named_with_its_key(
    restricted: Installation, own_redis: RedisServer, right: str
) -> None:
    restricted.worker().kill()  # nothing was applied yet: what follows is the first start
    allow(own_redis.client(), restricted.namespace, f"-{right}")
    worker = restricted.worker(name="refused")
    assert worker.wait(PATIENCE) == 3
    told = (
        f"segsync: cannot start: this user of Redis may not run {right.upper()} on "
        f"{restricted.namespace}:nothing; docs/redis.md has a line with all rights that are needed"
    )
    assert told in worker.log.read_text()


def test_a_command_that_is_refused_says_what_is_missing(restricted: Installation, own_redis: RedisServer) -> None:
    allow(own_redis.client(), restricted.namespace, "-hgetall")
    done = restricted.segsync("apply", "--yes")
    assert (done.returncode, done.stdout) == (3, "")
    assert f"may not run HGETALL on {restricted.namespace}:nothing" in done.stderr


def test_a_user_without_the_prefix_is_told(restricted: Installation, own_redis: RedisServer) -> None:
    allow(own_redis.client(), restricted.namespace, "resetkeys", "~other:*")
    worker = restricted.worker()
    assert worker.wait(PATIENCE) == 3
    assert f"may not run SET on {restricted.namespace}:nothing, GET on " in worker.log.read_text()


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
