"""A target that was restored from a backup, and refuses some: a resync by real workers, killed at each of its steps."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.jobs import add
from tests.model import profiles
from tests.targets import TargetDatabase
from tests.waiting import until
from workers.connectors.sql.positions import CREATE
from workers.control import pause
from workers.lanes.runs import ResyncRuns
from workers.resync.run import ResyncRun

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.installation import Installation, Process

MEMBERS, REFUSED, ROOM, STRAYS = 2_000, 9, 3, 200
SOURCE = '''
[sources.main]
{address}
first = 0
rows = 500
delay = "0s"
members = """SELECT id AS _id, custom_id AS {q}CustomID{q} FROM membership
WHERE segment_id = {{segment_id}} AND id > {{after}} ORDER BY id LIMIT {{limit}}"""
'''
LISTED = "SELECT client_id FROM member WHERE segment_id = {segment_id}"
SERVERS = {"postgresql": "postgresql", "mysql": "mariadb"}


@pytest.fixture(params=sorted(SERVERS))
def target(request: pytest.FixtureRequest) -> TargetDatabase:
    """It keeps positions, and refuses what begins with `bad`."""
    dialect = request.param
    password = request.getfixturevalue("mariadb_server").password if dialect == "mysql" else None
    database = TargetDatabase(dialect, request.getfixturevalue(f"{SERVERS[dialect]}_url"), password)
    database.create()
    database.run(
        "ALTER TABLE member ADD CONSTRAINT fit CHECK (client_id NOT LIKE 'bad%')",
        "CREATE TABLE membership (id bigint PRIMARY KEY, segment_id bigint, custom_id varchar(255))",
        CREATE[dialect],
    )
    keys = [f"m{n}" for n in range(MEMBERS)]
    step = MEMBERS // REFUSED
    for n in range(REFUSED):
        keys.insert(n * step, f"bad{n}")
    database.run("INSERT INTO membership VALUES " + ", ".join(f"({n}, 7, '{k}')" for n, k in enumerate(keys, 1)))
    return database


def configure(installation: Installation, target: TargetDatabase) -> None:
    quoted = "`" if target.dialect == "mysql" else '"'
    source = SOURCE.format(address=target.connector().split("\n", 1)[1], q=quoted)
    more: dict[str, Any] = {
        "exactly_once": "true",
        "max_quarantine": str(ROOM),
        "batch": '{ size = 20, timeout = "100ms" }',
    }
    installation.configure(target.connector() + source + target.integration(members=LISTED, **more))


class Held:
    """A lane that stands, since its target was restored from a backup in the middle of its work."""

    def __init__(self, installation: Installation, target: TargetDatabase) -> None:
        self.installation, self.target = installation, target
        self.runtime = installation.runtime()
        self.runs = ResyncRuns(self.runtime.lanes)
        installation.producer.add(7, profiles(*(f"x{n}" for n in range(STRAYS))))
        installation.settle()
        target.run("CREATE TABLE kept AS SELECT * FROM member", "CREATE TABLE at AS SELECT * FROM segsync_position")
        installation.producer.push([add(7, f"m{n}") for n in range(MEMBERS)])
        installation.wait(lambda: self.rows() > STRAYS + 20, "the first of them")
        pause.pause(self.runtime.redis, self.runtime.keys, "members")
        assert installation.backlog() > 0
        target.run("DELETE FROM member", "INSERT INTO member SELECT * FROM kept")
        target.run("DELETE FROM segsync_position", "INSERT INTO segsync_position SELECT * FROM at")
        pause.resume(self.runtime.redis, self.runtime.keys, "members")
        installation.wait(lambda: "segsync position" in self.lane().get("hold", ""), "the alarm")

    def lane(self) -> dict[str, str]:
        return self.runs.lane("members", "7")

    def rows(self) -> int:
        return len(self.target.members())

    def ask(self) -> str:
        return self.runs.ask("members", "7", "test", accept_removals=10**6, accept_adds=10**6)[0]

    def run(self, name: str) -> ResyncRun:
        found = ResyncRun.read(self.runs.read(name))
        assert found is not None
        return found


def kill_children(worker: Process) -> None:
    for pid in worker.children():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.proof
@pytest.mark.fetched
def test_a_restored_target_is_made_equal_whoever_is_killed(installation: Installation, target: TargetDatabase) -> None:
    installation.environ["SEGSYNC_LEASE_MS"] = "2000"
    configure(installation, target)
    worker = installation.worker()
    installation.ready()
    held = Held(installation, target)

    name = held.ask()
    steps: list[Callable[[], object]] = [
        lambda: held.lane().get("mark"),
        lambda: held.run(name).removed > 0,
        lambda: held.run(name).added > 0,
        lambda: held.run(name).state == "adding" and held.rows() > MEMBERS // 2,
    ]
    for step in steps:
        until(step, lambda: f"{held.run(name)}", every=0.002)
        assert held.run(name).state != "ended"
        kill_children(worker)
    installation.wait(lambda: held.run(name).state == "ended", "the run's end")

    run, good = held.run(name), {("7", f"m{n}") for n in range(MEMBERS)}
    assert (run.outcome, target.members() == good) == ("done", True), run
    assert (run.quarantined + run.counted, run.counted > 0) == (REFUSED, True)
    assert (held.lane(), installation.backlog()) == ({}, 0)
    assert installation.redis.hkeys(installation.keys.flagged("members")) == [b"7"]

    target.run("ALTER TABLE member DROP CONSTRAINT fit")
    again = held.ask()
    installation.wait(lambda: held.run(again).state == "ended", "the second run's end")
    assert held.run(again).outcome == "done"
    assert target.members() == good | {("7", f"bad{n}") for n in range(REFUSED)}
    assert installation.redis.hkeys(installation.keys.flagged("members")) == []
