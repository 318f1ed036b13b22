"""A deliverer that is stopped past its lease and wakes up, with `exactly_once`: nothing is repeated (rules 19, 22).

The journal is what shows it: its add query is a plain INSERT that a repeated batch would double. The deliverer stops
at a named place: before its COMMIT, when its session holds the lane's lock and its successor has to end it, and after
it, when nobody but the target knows that the batch is done.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.model import profiles
from tests.targets import TargetDatabase
from workers import failpoints
from workers.connectors.sql.positions import CREATE

if TYPE_CHECKING:
    from tests.installation import Installation, Process
    from tests.servers.mariadb import MariadbServer

ROOT = Path(__file__).resolve().parents[2]
JOURNAL = """
INSERT INTO journal (segment_id, client_id) VALUES
{for $index, $lead = $batch}({segment_id}, '{$lead.CustomID}'){autocomma}{end}
"""


@pytest.fixture
def targets(postgresql_url: str, mariadb_url: str, mariadb_server: MariadbServer) -> dict[str, TargetDatabase]:
    """By connector."""
    found = {
        "pg": TargetDatabase("postgresql", postgresql_url),
        "maria": TargetDatabase("mysql", mariadb_url, mariadb_server.password),
    }
    for target in found.values():
        target.run("CREATE TABLE journal (segment_id bigint, client_id varchar(255))", CREATE[target.dialect])
    return found


def start_stopping(installation: Installation, point: str) -> Process:
    """A worker each of whose two deliverers stops when it first reaches this place, as if its machine slept."""
    before = installation.environ
    installation.environ = before | {
        "SEGSYNC_CRASH_AT": point,
        "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", ""))),
    }
    command = [sys.executable, "-m", "tests.chaos.halting", "worker", "-c", "2", "-n", "frozen@%h", "-l", "INFO"]
    try:
        return installation.start([*command, "-Q", "deliver.pg,deliver.maria"], "worker")
    finally:
        installation.environ = before


def stopped(process: Process) -> int:
    """How many of its children are."""
    stats = [Path(f"/proc/{pid}/stat").read_text() for pid in process.children()]
    return sum(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)


@pytest.mark.parametrize(
    "point", [pytest.param(failpoints.AFTER_EXECUTE, marks=pytest.mark.long), failpoints.AFTER_COMMIT]
)
def test_with_exactly_once_nothing_is_repeated(
    installation: Installation, targets: dict[str, TargetDatabase], point: str
) -> None:
    def journals() -> set[str]:
        rows = [target.run("SELECT client_id FROM journal") for target in targets.values()]
        return {"".join(sorted(row[0] for row in each)) for each in rows}

    installation.environ["SEGSYNC_LEASE_MS"] = "2000"
    text = [target.connector(key, statement_timeout='"1s"') for key, target in targets.items()]
    text += [target.integration(key, key, exactly_once="true", add=JOURNAL) for key, target in targets.items()]
    installation.configure("".join(text))
    frozen = start_stopping(installation, point)
    installation.worker("-Q", "route,upkeep", name="route", concurrency=1)
    installation.ready()
    installation.producer.add(7, profiles("A", "B"))
    installation.wait(lambda: stopped(frozen) == 2, "the stopped deliverers")
    os.killpg(frozen.pid, signal.SIGSTOP)  # their parent too: a machine sleeps as a whole
    assert journals() == ({""} if point == failpoints.AFTER_EXECUTE else {"AB"})

    installation.producer.add(7, profiles("C"))
    installation.worker("-Q", "deliver.pg,deliver.maria", name="next")
    installation.wait(lambda: all("C" in journal for journal in journals()), "the successors' deliveries")
    assert journals() == {"ABC"}
    os.killpg(frozen.pid, signal.SIGCONT)
    installation.wait(lambda: not stopped(frozen), "that they go on")
    installation.producer.add(7, profiles("D"))
    installation.settle()
    assert journals() == {"ABCD"}
    told = "the lease ran out before COMMIT" if point == failpoints.AFTER_EXECUTE else "was taken over"
    installation.wait(lambda: frozen.log.read_text().count(told) >= 2, "what the frozen ones say of it")
