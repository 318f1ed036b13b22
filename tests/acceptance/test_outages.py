"""Minutes without the ledger, and without the target: what goes on meanwhile, and what is there afterwards."""

from __future__ import annotations

import re
import statistics as figures
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.model import Model, profiles
from tests.servers.postgresql import PostgresqlServer
from tests.targets import TargetDatabase
from workers.ledger import statistics
from workers.ledger.database import Ledger
from workers.quarantine import entries as quarantine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from segsync import Producer
    from tests.installation import Installation, Process
    from tests.servers.mariadb import MariadbServer

pytestmark = [pytest.mark.alone, pytest.mark.long]

AWAY = 60
BATCH = 20
A_SECOND = 30
LANES = 8
PROBES = 1_000
"""Segments from here on are pushed to see how long a batch takes; those below are the load."""


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


class Load:
    """Full batches into some lanes, so many a second, from a thread of its own."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.batches = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        started = time.monotonic()
        while not self._ended.wait(max(0.0, started + self.batches / A_SECOND - time.monotonic())):
            first = self.batches * BATCH
            self._producer.add(self.batches % LANES, profiles(*range(first, first + BATCH)))
            self.batches += 1


class Stopwatch:
    """How long full batches into other lanes of the same integration take."""

    def __init__(self, installation: Installation, target: TargetDatabase) -> None:
        self._installation = installation
        self._target = target
        self.batches = 0

    def measure(self, seconds: float) -> list[float]:
        """One after the other for so long; seconds each took from the push to the row."""
        until, took = time.monotonic() + seconds, []
        connection = self._target.connect()
        try:
            while time.monotonic() < until:
                took.append(self._one(connection.cursor()))
                time.sleep(0.5)
        finally:
            connection.close()
        return took

    def _one(self, cursor: Any) -> float:
        segment = PROBES + self.batches
        started = time.monotonic()
        self._installation.producer.add(segment, profiles(*range(BATCH)))
        self.batches += 1
        while True:
            cursor.execute(f"SELECT count(*) FROM member WHERE segment_id = {segment}")
            if cursor.fetchone()[0] == BATCH:
                return time.monotonic() - started
            if time.monotonic() > started + 15:
                raise AssertionError(f"a full batch is late\n{self._installation.logs()[-4000:]}")
            time.sleep(0.01)


def told(worker: Process, offset: int) -> list[str]:
    """What became of upkeep, as the worker's log says it from there on: received, retry, succeeded."""
    return re.findall(r"Task segsync\.upkeep\[[^]]*\] (\w+)", worker.log.read_text()[offset:])


@pytest.mark.timeout(240)
def test_a_minute_without_the_ledger_holds_nothing_up_and_no_count_is_missing(
    installation: Installation, maria: TargetDatabase, own_postgresql: PostgresqlServer, namespace: str
) -> None:
    """Nobody answers on its port; rules 28 and 29, docs/reliability.md."""
    own_postgresql.create_database(namespace)
    ledger = own_postgresql.url(namespace)
    batch = f'{{ size = {BATCH}, timeout = "2s" }}'
    installation.configure(maria.connector() + maria.integration(batch=batch))
    installation.file.write_text(installation.file.read_text().replace("sqlite:///ledger.db", ledger))
    worker = installation.worker()
    installation.beat()
    installation.ready()
    began = datetime.now(UTC)
    watch = Stopwatch(installation, maria)
    with Load(installation.producer) as load:
        before = watch.measure(6)
        own_postgresql.kill()
        offset, down_since = len(worker.log.read_text()), time.monotonic()
        during = watch.measure(AWAY)
        looks, down = told(worker, offset), time.monotonic() - down_since
        waiting = installation.redis.xlen(installation.keys.outcomes)
        own_postgresql.start()
        back = time.monotonic()
        after = watch.measure(5)
    installation.settle(30)
    caught_up = time.monotonic() - back

    batches = load.batches + watch.batches
    print(  # noqa: T201 - shown by `make bench`
        f"{batches} batches; a full batch took {figures.median(before):.2f} s before, {figures.median(during):.2f} s"
        f" (at most {max(during):.2f} s) in {down:.0f} s without the ledger; {waiting} records waited, written"
        f" {caught_up:.1f} s after its return"
    )
    assert load.batches > A_SECOND * AWAY * 0.9
    assert max(before + during + after) < 5
    assert figures.median(during) < figures.median(before) + 0.5
    assert waiting > A_SECOND * AWAY * 0.9, "it was not away"
    assert down / 10 - 2 <= looks.count("retry") <= down / 10 + 1
    assert looks.count("received") <= down / 10 + 1

    assert len(maria.members()) == batches * BATCH
    rows = statistics.stats(Ledger(ledger), began - timedelta(hours=1), datetime.now(UTC) + timedelta(hours=1))
    assert {row.event_type for row in rows} == {"add"}
    counted = [(row.queries, row.statements, row.profiles, row.rows) for row in rows]
    assert tuple(map(sum, zip(*counted, strict=True))) == (batches, batches, batches * BATCH, batches * BATCH)
    with Ledger(ledger).reading() as connection:
        operations = connection.exec_driver_sql("SELECT sum(operations) FROM deliveries WHERE outcome = 'delivered'")
        assert operations.scalar() == batches * BATCH


@pytest.mark.timeout(240)
def test_a_target_that_was_away_gets_its_backlog_in_order_within_15_s(
    installation: Installation, durable_postgresql: PostgresqlServer, namespace: str
) -> None:
    """10,000 profiles in 100 lanes; away for so long that the pauses between two tries have become the longest."""
    durable_postgresql.create_database(namespace)
    target = TargetDatabase("postgresql", durable_postgresql.url(namespace))
    target.create()
    installation.configure(target.connector() + target.integration())
    worker = installation.worker()
    installation.beat()
    installation.ready()
    installation.producer.add(0, profiles("first"))
    installation.settle(20)

    durable_postgresql.kill()
    offset, events, down_since = len(worker.log.read_text()), [], time.monotonic()
    for n in range(100):
        events.append({"type": "add", "segment": {"id": n}, "profiles": profiles(*range(100))})
        events.append({"type": "remove", "segment": {"id": n}, "profiles": profiles(*range(0, 100, 2))})
        events.append({"type": "add", "segment": {"id": n}, "profiles": profiles(0)})
    model = Model()
    model.apply([{"type": "add", "segment": {"id": 0}, "profiles": profiles("first")}, *events])
    installation.producer.push(events)
    time.sleep(45)
    tries = re.findall(r"Task segsync\.deliver\[[^]]*\] (\w+)", worker.log.read_text()[offset:])
    away = time.monotonic() - down_since

    durable_postgresql.start()
    returned = time.monotonic()
    installation.wait(lambda: installation.backlog() == 0, 15, "the backlog")
    took = time.monotonic() - returned
    print(f"{len(tries)} tasks told of in {away:.0f} s without the target; drained {took:.1f} s after")  # noqa: T201
    assert target.members() == model.members
    assert tries.count("retry") <= 20, "a hot loop"
    assert tries.count("received") <= 40, "a hot loop"
    installation.settle(20)
    assert quarantine.count_open(installation.ledger) == {}
