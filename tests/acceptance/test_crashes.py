"""Workers die under load, and the tables end as the events describe."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.test_throughput import mixed
from tests.model import Model
from tests.targets import TargetDatabase

if TYPE_CHECKING:
    from tests.acceptance.installation import Installation


@pytest.fixture(params=["postgresql", "mysql"])
def target(request: pytest.FixtureRequest) -> TargetDatabase:
    dialect = request.param
    name = "postgresql" if dialect == "postgresql" else "mariadb"
    password = request.getfixturevalue("mariadb_server").password if dialect == "mysql" else None
    database = TargetDatabase(dialect, request.getfixturevalue(f"{name}_url"), password)
    database.create()
    return database


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_worker_ends_under_load_and_another_goes_on(
    installation: Installation, target: TargetDatabase, number: signal.Signals
) -> None:
    installation.configure(target.connector() + target.integration(batch='{ size = 100, timeout = "200ms" }'))
    chance, model = random.Random(number), Model()
    worker = installation.worker()
    installation.ready()
    for _ in range(3):
        events = mixed(5_000, chance)
        model.apply(events)
        installation.producer.push(events)
        time.sleep(chance.uniform(0.1, 0.5))
        if number == signal.SIGKILL:
            worker.kill()
        else:
            worker.send(number)
            worker.wait(30)
        worker = installation.worker()
    # A killed deliverer's lane waits for its lease (30 s) before another takes it.
    installation.settle(75)
    assert target.members() == model.members


def test_children_are_killed_under_load(installation: Installation, target: TargetDatabase) -> None:
    installation.configure(target.connector() + target.integration(batch='{ size = 100, timeout = "200ms" }'))
    chance, model = random.Random(5), Model()
    worker = installation.worker(concurrency=3)
    installation.ready()
    for _ in range(4):
        events = mixed(5_000, chance)
        model.apply(events)
        installation.producer.push(events)
        time.sleep(chance.uniform(0.05, 0.3))
        for pid in worker.children()[:2]:
            os.kill(pid, signal.SIGKILL)
    installation.settle(75)
    assert target.members() == model.members
