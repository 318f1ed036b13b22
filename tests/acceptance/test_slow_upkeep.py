"""While 600,000 operations are compacted, in `make proof` six, every other integration's events go on, one by one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.installation import Installation
from tests.model import profiles
from tests.proof import draws
from tests.servers.redis import RedisServer
from tests.targets import TargetDatabase
from workers.events.event import Kind
from workers.lanes import Operation, pack
from workers.lanes.chunks import MAX_OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHUNKS = draws(600, 6_000)
MEMBERS = 10_000
FIRST_MS = 1_700_000_000_000


@pytest.fixture
def apart(tmp_path: Path, namespace: str) -> Iterator[Installation]:
    """On a Redis that keeps nothing."""
    own = RedisServer({"appendonly": "no"})
    own.start()
    installed = Installation(tmp_path, own.url, namespace)
    try:
        yield installed
    finally:
        installed.stop()
        own.remove()


def owe_many(installation: Installation) -> None:
    """A lane as it stands after an integration was paused for a week, noted for compaction."""
    keys, redis = installation.keys, installation.redis
    bodies = [json.dumps(profile).encode() for profile in profiles(*range(MEMBERS))]
    for chunk in range(CHUNKS):
        ms, start = FIRST_MS + chunk, chunk * MAX_OPERATIONS % MEMBERS
        operations = [Operation(ms, 0, n, Kind.ADD, None, bodies[start + n]) for n in range(MAX_OPERATIONS)]
        redis.rpush(keys.chunks("members", "7"), pack(None, operations))
    owed = CHUNKS * MAX_OPERATIONS
    redis.hset(keys.lane("members", "7"), mapping={"count": owed, "head": FIRST_MS})
    redis.hincrby(keys.integration("members"), "backlog", owed)
    redis.zadd(keys.full("members"), {"7": FIRST_MS})
    redis.sadd(keys.long, "members:7")


@pytest.mark.proof
def test_many_are_compacted_and_no_other_event_waits_for_it(apart: Installation, sqlite_url: str) -> None:
    """Each is in its table while there is much left to compact, and one process does both."""
    target = TargetDatabase("sqlite", sqlite_url)
    target.create()
    members = target.integration(ordering='"exact"').replace('"all"', '["7"]')
    apart.configure(target.connector() + members + target.integration("others").replace('"all"', '["1"]'))
    assert apart.segsync("apply", "--yes").returncode == 0
    assert apart.segsync("pause", "members").returncode == 0
    owe_many(apart)
    apart.worker(concurrency=1)
    apart.ready()

    delivered = 0
    while apart.backlog() > 20 * MEMBERS:
        apart.producer.add(1, profiles(delivered))
        row = ("1", str(delivered))
        apart.wait(lambda row=row: row in target.members(), "an event of another integration")  # type: ignore[misc]
        delivered += 1
    assert delivered >= 3
    least = MEMBERS + MAX_OPERATIONS
    apart.wait(lambda: apart.backlog() <= least, f"a backlog of at most {least:,}")
