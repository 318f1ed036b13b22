"""The load of the main job: 200,000 events, two databases, one worker with two processes."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.model import Model, profiles
from tests.targets import TargetDatabase

if TYPE_CHECKING:
    from tests.installation import Installation
    from tests.servers.mariadb import MariadbServer

pytestmark = pytest.mark.alone

EVENTS = 200_000
SEGMENTS = 50


def mixed(count: int, chance: random.Random) -> list[dict[str, Any]]:
    """One-profile events, adds and removes mixed."""
    return [
        {
            "type": "add" if chance.random() < 0.7 else "remove",
            "segment": {"id": chance.randrange(SEGMENTS)},
            "profiles": profiles(f"C-{chance.randrange(count // 4)}"),
        }
        for _ in range(count)
    ]


@pytest.mark.timeout(180)
def test_200_000_events_into_two_databases(
    installation: Installation, postgresql_url: str, mariadb_url: str, mariadb_server: MariadbServer
) -> None:
    pg = TargetDatabase("postgresql", postgresql_url)
    maria = TargetDatabase("mysql", mariadb_url, mariadb_server.password)
    pg.create()
    maria.create()
    installation.configure(
        pg.connector("pg") + maria.connector("maria") + pg.integration("a", "pg") + maria.integration("b", "maria")
    )
    events = mixed(EVENTS, random.Random(7))
    model = Model()
    model.apply(events)
    installation.producer.push(events)

    installation.worker(concurrency=2)
    installation.wait(lambda: installation.redis.hexists(installation.keys.intake, "position"), 30, "the first event")
    started = time.monotonic()
    installation.wait(
        lambda: not (installation.redis.xlen(installation.keys.events) or installation.backlog()), 60, "all"
    )
    took = time.monotonic() - started

    print(f"{EVENTS} events into two databases in {took:.1f} s")  # noqa: T201 - shown by `make bench`
    assert pg.members() == model.members
    assert maria.members() == model.members
    assert took < 10
