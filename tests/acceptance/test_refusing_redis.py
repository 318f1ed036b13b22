"""A Redis that refuses writes for a while: workers neither end nor pile up connections, and go on by themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from segsync import PushFailed
from tests.installation import Installation
from tests.model import profiles
from tests.targets import TargetDatabase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers.redis import RedisServer

MANY = {"replica": 150, "disk": 8}
"""Refusals by which whoever was refused has begun anew several times."""
SPARE = 20
"""Connections that may come and go beside a worker's own."""


@pytest.fixture
def installation(own_redis: RedisServer, tmp_path: Path, namespace: str, sqlite_url: str) -> Iterator[Installation]:
    target = TargetDatabase("sqlite", sqlite_url)
    target.create()
    installed = Installation(tmp_path, own_redis.url, namespace)
    installed.configure(target.connector() + target.integration())
    try:
        yield installed
    finally:
        installed.stop()


def demote(admin: Any) -> Callable[[], None]:
    """It is a replica until the answer is called."""
    admin.replicaof("127.0.0.1", "1")
    return lambda: admin.replicaof("NO", "ONE")


def break_disk(admin: Any) -> Callable[[], None]:
    """It cannot save, and refuses writes (MISCONF), until the answer is called."""
    dump = Path(admin.config_get("dir")["dir"]) / "dump.rdb"
    dump.mkdir()  # what it saves cannot get its name
    admin.config_set("save", "1 1")
    admin.bgsave()

    def mend() -> None:
        dump.rmdir()
        admin.bgsave()

    return mend


def number(admin: Any, name: str) -> int:
    return int(admin.info()[name])


@pytest.mark.parametrize("how", MANY)
def test_workers_that_are_refused_pile_up_no_connections(
    installation: Installation, own_redis: RedisServer, how: str
) -> None:
    """Each new beginning left its connections behind, until a worker had no file left to open and ended."""
    worker = installation.worker()
    installation.ready()
    installation.producer.add(7, profiles(1))
    installation.settle()
    admin: Any = own_redis.client()
    had, refused = number(admin, "connected_clients"), number(admin, "total_error_replies")
    mend = demote(admin) if how == "replica" else break_disk(admin)
    installation.wait(lambda: number(admin, "total_error_replies") > refused + MANY[how], "refusals")
    assert number(admin, "connected_clients") < had + SPARE
    mend()
    installation.wait(lambda: pushed(installation), "Redis to take an event again")
    installation.settle()
    assert worker.running


def pushed(installation: Installation) -> bool:
    try:
        installation.producer.add(7, profiles(2))
    except PushFailed:
        return False
    return True
