"""Without the ledger, and without the target: what goes on meanwhile, how often is tried, and what is there then."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.model import Model, profiles
from tests.servers.postgresql import PostgresqlServer
from tests.targets import TargetDatabase
from workers.ledger import statistics
from workers.ledger.database import Ledger
from workers.quarantine import entries as quarantine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.installation import Installation, Process
    from tests.servers.mariadb import MariadbServer

BATCH = 20
LANES = 8
LOOKS = 2
"""Looks for the ledger that must have failed before it comes back."""
TRIES = 5
"""Tries of the target that must have failed before it comes back."""


@pytest.fixture
def durable_postgresql() -> Iterator[PostgresqlServer]:
    """One that keeps what it has committed when it is killed."""
    server = PostgresqlServer(durable=True)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def maria(mariadb_url: str, mariadb_server: MariadbServer) -> TargetDatabase:
    database = TargetDatabase("mysql", mariadb_url, mariadb_server.password)
    database.create()
    return database


def told(worker: Process, task: str, offset: int) -> list[tuple[datetime, str]]:
    """What became of a task, as the worker's log says it from there on: when, and received, retry or succeeded."""
    pattern = rf"^\[(\S+ \S+): [^\n]*Task segsync\.{task}\[[^]]*\] (\w+)"
    found = re.findall(pattern, worker.log.read_text()[offset:], re.MULTILINE)
    return [(datetime.strptime(when, "%Y-%m-%d %H:%M:%S,%f").replace(tzinfo=UTC), what) for when, what in found]


def times(told: list[tuple[datetime, str]], wanted: str) -> list[datetime]:
    return [when for when, what in told if what == wanted]


def all_is_counted(ledger: Ledger, batches: int) -> None:
    """The ledger's sums are those of so many batches of adds."""
    day = timedelta(days=1)
    rows = statistics.stats(ledger, datetime.now(UTC) - day, datetime.now(UTC) + day)
    assert {row.event_type for row in rows} == {"add"}
    counted = [(row.queries, row.statements, row.profiles, row.rows) for row in rows]
    assert tuple(map(sum, zip(*counted, strict=True))) == (batches, batches, batches * BATCH, batches * BATCH)
    with ledger.reading() as connection:
        operations = connection.exec_driver_sql("SELECT sum(operations) FROM deliveries WHERE outcome = 'delivered'")
        assert operations.scalar() == batches * BATCH


def test_without_the_ledger_everything_goes_on_and_no_count_is_missing(
    installation: Installation, maria: TargetDatabase, own_postgresql: PostgresqlServer, namespace: str
) -> None:
    """Nobody answers on its port (rules 28, 29)."""
    own_postgresql.create_database(namespace)
    ledger = own_postgresql.url(namespace)
    batch = f'{{ size = {BATCH}, timeout = "2s" }}'
    installation.configure(maria.connector() + maria.integration(batch=batch))
    installation.file.write_text(installation.file.read_text().replace("sqlite:///ledger.db", ledger))
    worker = installation.worker()
    installation.beat()
    installation.ready()
    batches = 0

    def deliver() -> None:
        """A full batch, and then its rows: each is delivered before the next is pushed."""
        nonlocal batches
        first = batches * BATCH
        installation.producer.add(batches % LANES, profiles(*range(first, first + BATCH)))
        batches += 1
        rows = "SELECT count(*) FROM member"
        installation.wait(lambda: maria.run(rows) == [(batches * BATCH,)], "a full batch")

    for _ in range(10):
        deliver()
    own_postgresql.kill()
    offset, before = len(worker.log.read_text()), batches
    while len(times(told(worker, "upkeep", offset), "retry")) < LOOKS:
        deliver()
    looks = told(worker, "upkeep", offset)
    assert installation.redis.xlen(installation.keys.outcomes) >= batches - before, "it was not away"
    own_postgresql.start()
    deliver()
    installation.settle()

    # Upkeep looks every ten seconds, also while it fails; one of them late makes the next seem early, and not all.
    received = times(looks, "received")
    assert received[-1] - received[0] > timedelta(seconds=5) * (len(received) - 1)
    all_is_counted(Ledger(ledger), batches)


def test_a_target_that_was_away_is_tried_ever_more_seldom_and_gets_its_backlog_in_order(
    installation: Installation, durable_postgresql: PostgresqlServer, namespace: str
) -> None:
    """20,100 operations in 100 lanes: one lane is tried for all, and the pauses grow."""
    durable_postgresql.create_database(namespace)
    target = TargetDatabase("postgresql", durable_postgresql.url(namespace))
    target.create()
    installation.configure(target.connector() + target.integration())
    worker = installation.worker()
    installation.beat()
    installation.ready()
    installation.producer.add(0, profiles("first"))
    installation.settle()

    durable_postgresql.kill()
    offset, events = len(worker.log.read_text()), []
    for n in range(100):
        events.append({"type": "add", "segment": {"id": n}, "profiles": profiles(*range(100))})
        events.append({"type": "remove", "segment": {"id": n}, "profiles": profiles(*range(0, 100, 2))})
        events.append({"type": "add", "segment": {"id": n}, "profiles": profiles(0)})
    model = Model()
    model.apply([{"type": "add", "segment": {"id": 0}, "profiles": profiles("first")}, *events])
    installation.producer.push(events)
    installation.wait(lambda: len(times(told(worker, "deliver", offset), "retry")) >= TRIES, "failing tries")
    tries = told(worker, "deliver", offset)

    durable_postgresql.start()
    installation.settle()
    assert target.members() == model.members
    failed = times(tries, "retry")
    # Half a second, and twice as much each time, less jitter; a slow machine only makes that longer.
    assert failed[-1] - failed[0] > timedelta(seconds=3), "a hot loop"
    assert len(times(tries, "received")) <= 4 * len(failed), "a hot loop"
    assert quarantine.count_open(installation.ledger) == {}
