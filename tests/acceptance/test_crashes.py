"""Workers die under load, and the tables end as the events describe."""

from __future__ import annotations

import os
import random
import signal
from typing import TYPE_CHECKING

import pytest

from tests.model import Model, mixed, profiles
from tests.proof import draws
from tests.targets import TargetDatabase
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from tests.installation import Installation


LONG = pytest.mark.long


@pytest.fixture
def target(request: pytest.FixtureRequest) -> TargetDatabase:
    dialect = request.param
    name = "postgresql" if dialect == "postgresql" else "mariadb"
    password = request.getfixturevalue("mariadb_server").password if dialect == "mysql" else None
    database = TargetDatabase(dialect, request.getfixturevalue(f"{name}_url"), password)
    database.create()
    return database


@pytest.fixture(autouse=True)
def short_lease(installation: Installation) -> None:
    """A killed deliverer's lane waits for its lease; here that is 6 s, not 30."""
    installation.environ["SEGSYNC_LEASE_MS"] = "6000"


def under_way(installation: Installation, chance: random.Random) -> None:
    """Waits until part of what was pushed is delivered, and part is still owed."""
    owed = chance.randrange(1_000, 4_500)
    installation.wait(lambda: installation.redis.xlen(installation.keys.events) + installation.backlog() < owed, "load")


@pytest.mark.proof
@pytest.mark.parametrize(
    ("target", "number"),
    # An end in good order leaves nothing in a target that would be another one's affair.
    [
        ("postgresql", signal.SIGTERM),
        pytest.param("postgresql", signal.SIGKILL, marks=LONG),
        ("mysql", signal.SIGKILL),
    ],
    indirect=["target"],
)
def test_a_worker_ends_under_load_and_another_goes_on(
    installation: Installation, target: TargetDatabase, number: signal.Signals
) -> None:
    installation.configure(target.connector() + target.integration(batch='{ size = 100, timeout = "200ms" }'))
    chance, model = random.Random(number), Model()
    worker = installation.worker()
    installation.ready()
    for _ in range(draws(1, 3)):
        events = mixed(5_000, chance)
        model.apply(events)
        installation.producer.push(events)
        under_way(installation, chance)
        if number == signal.SIGKILL:
            worker.kill()
        else:
            worker.send(number)
            worker.wait(PATIENCE)
        worker = installation.worker()
    installation.settle()
    assert target.members() == model.members


@pytest.mark.proof
@pytest.mark.parametrize("target", ["postgresql", pytest.param("mysql", marks=LONG)], indirect=True)
def test_children_are_killed_under_load(installation: Installation, target: TargetDatabase) -> None:
    installation.configure(target.connector() + target.integration(batch='{ size = 100, timeout = "200ms" }'))
    chance, model = random.Random(5), Model()
    worker = installation.worker(concurrency=3)
    installation.ready()
    for _ in range(draws(2, 4)):
        events = mixed(5_000, chance)
        model.apply(events)
        installation.producer.push(events)
        under_way(installation, chance)
        for pid in worker.children()[:2]:
            os.kill(pid, signal.SIGKILL)
    installation.settle()
    assert target.members() == model.members


@pytest.mark.parametrize("target", [pytest.param("postgresql", marks=LONG), "mysql"], indirect=True)
def test_a_deliverer_frozen_past_its_lease_changes_nothing_when_it_wakes(
    installation: Installation, target: TargetDatabase
) -> None:
    """Its transaction is open when it is stopped; its successor ends that session before it goes on (rule 19)."""
    # As long as the statement may take, so that a busy machine stops its process before it is over.
    target.run("CREATE TABLE pace (seconds integer)", "INSERT INTO pace (seconds) VALUES (5)")
    sleep = "pg_sleep" if target.dialect == "postgresql" else "SLEEP"
    slow = f"{target.queries()['add']};\nSELECT {sleep}(seconds) FROM pace"
    installation.configure(target.connector(statement_timeout='"6s"') + target.integration(add=slow))
    frozen = installation.worker("-Q", "deliver.crm", name="frozen", concurrency=1)
    installation.worker("-Q", "route,upkeep", name="route")
    installation.ready()
    installation.producer.add(7, profiles("A"))
    lane = installation.keys.lane("members", "7")
    installation.wait(lambda: installation.redis.hexists(lane, "owner"), "the claim")
    busy = {
        "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND query LIKE '%pg_sleep%' AND state = 'active' AND pid <> pg_backend_pid()",
        "mysql": "SELECT count(*) FROM information_schema.processlist WHERE db = database() AND state = 'User sleep'",
    }[target.dialect]
    installation.wait(lambda: target.run(busy) == [(1,)], "the slow statement")
    os.killpg(frozen.pid, signal.SIGSTOP)
    target.run("UPDATE pace SET seconds = 0")

    installation.producer.clear(7)
    installation.producer.add(7, profiles("B"))
    installation.worker("-Q", "deliver.crm", name="next", concurrency=1)
    installation.wait(lambda: target.members() == {("7", "B")}, "the successor's deliveries")
    os.killpg(frozen.pid, signal.SIGCONT)
    told = "was taken over", "lease"
    installation.wait(lambda: any(word in frozen.log.read_text() for word in told), "what became of it")
    assert target.members() == {("7", "B")}
    installation.settle()
    assert target.members() == {("7", "B")}
