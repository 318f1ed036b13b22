"""Too much at once: 50,000 lanes due together, a Redis filled to its limit, a ledger that is away."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from redis.exceptions import OutOfMemoryError

from tests.installation import Installation
from tests.model import Model, profiles
from tests.servers.redis import RedisServer
from tests.targets import TargetDatabase
from workers.ledger.database import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.postgresql import PostgresqlServer

LANES = 50_000
BATCHES = 50


@pytest.fixture
def target(postgresql_url: str) -> TargetDatabase:
    database = TargetDatabase("postgresql", postgresql_url)
    database.create()
    return database


@pytest.fixture
def apart(tmp_path: Path, redis_server: RedisServer, namespace: str) -> Iterator[Installation]:
    """An installation whose data is in a Redis of its own, quick and thrown away; its broker is another."""
    own = RedisServer({"appendfsync": "no"})
    own.start()
    installed = Installation(tmp_path, own.url, namespace)
    installed.broker = redis_server.url
    try:
        yield installed
    finally:
        installed.stop()
        own.remove()


def test_50_000_due_lanes_do_not_starve_a_full_batch(apart: Installation, target: TargetDatabase) -> None:
    apart.configure(target.connector() + target.integration())
    apart.producer.push({"type": "add", "segment": {"id": n}, "profiles": profiles(n)} for n in range(1, LANES + 1))
    assert apart.segsync("apply", "--yes").returncode == 0
    runtime = apart.runtime()
    while apart.redis.xlen(apart.keys.events):
        runtime.route("t", 60)
    assert apart.redis.zcard(apart.keys.timed("members")) == LANES

    apart.worker()
    apart.ready()
    apart.producer.add(0, profiles(*range(1000)))
    first = "SELECT count(*) FROM member WHERE segment_id = 0"
    apart.wait(lambda: target.run(first) == [(1000,)], "the full batch")
    assert apart.redis.zcard(apart.keys.timed("members")) > 0, "the lanes were all served before"


def fill(installation: Installation) -> Model:
    """Raw XADDs until Redis refuses; what it accepted."""
    installation.redis.config_set("maxmemory", int(installation.redis.info("memory")["used_memory"]) + 12_000_000)
    model, refused, n = Model(), False, 0
    while not refused:
        events: list[Any] = [
            {"type": "add", "segment": {"id": n % 20}, "profiles": profiles(n)} for n in range(n, n + 500)
        ]
        with installation.redis.pipeline(transaction=False) as pipe:
            for event in events:
                pipe.xadd(installation.keys.events, {"event": json.dumps(event)})
            answers = pipe.execute(raise_on_error=False)
        model.apply(event for event, answer in zip(events, answers, strict=True) if isinstance(answer, bytes))
        refused = any(isinstance(answer, OutOfMemoryError) for answer in answers)
        n += 500
        assert n < 500_000
    return model


@pytest.mark.long
def test_a_full_redis_drains_by_itself(apart: Installation, target: TargetDatabase) -> None:
    """Raw XADD knows no limit; with a broker of its own, delivery goes on (rule 32)."""
    apart.configure(target.connector() + target.integration())
    assert apart.segsync("apply", "--yes").returncode == 0
    model = fill(apart)
    assert len(model.members) > 10_000

    apart.worker()
    apart.wait(lambda: not (apart.redis.xlen(apart.keys.events) or apart.backlog()), "a drained Redis")
    assert target.members() == model.members


def test_a_ledger_that_is_away_stops_nothing_and_misses_nothing(
    installation: Installation, target: TargetDatabase, own_postgresql: PostgresqlServer, namespace: str
) -> None:
    own_postgresql.create_database(namespace)
    ledger = own_postgresql.url(namespace)
    installation.configure(target.connector() + target.integration())
    text = installation.file.read_text().replace("sqlite:///ledger.db", ledger)
    installation.file.write_text(text)
    installation.worker()
    installation.beat()
    installation.ready()
    installation.producer.add(1, profiles("before"))
    installation.settle()

    own_postgresql.pause()
    for pushed in range(1, BATCHES + 1):
        installation.producer.add(2, profiles(pushed))
        installation.wait(lambda row=("2", str(pushed)): row in target.members(), "a delivery without a ledger")  # type: ignore[misc]
    own_postgresql.resume()
    installation.settle()
    with Ledger(ledger).reading() as connection:
        total = connection.exec_driver_sql("SELECT sum(operations) FROM deliveries WHERE outcome = 'delivered'")
        assert total.scalar() == BATCHES + 1
