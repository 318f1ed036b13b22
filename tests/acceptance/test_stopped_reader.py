"""A reader that is stopped for longer than its lease, and goes on when another has read: as a machine that slept.

What it has read is too old by then: it tells nothing of it, and touches nothing of the other's.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from tests.servers.platform_http import Answer, Asked, answering
from tests.targets import TargetDatabase
from tests.waiting import PATIENCE
from workers.lanes.runs import ResyncRuns
from workers.resync.folder import folder_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.installation import Installation, Process

pytestmark = [pytest.mark.fetched, pytest.mark.proof]

SOURCE = """
[sources.main]
url = "{url}/{{segment_id}}"
delay = "0s"
readers = {readers}
"""
OLD = b'[{"_id": 1, "CustomID": "a"}, {"_id": 2, "CustomID": "b"}]'
NEW = b'[{"_id": 2, "CustomID": "b"}, {"_id": 3, "CustomID": "c"}]'


class Slow:
    """A platform that answers whoever asks first when it is let go, with what was so then; all others at once."""

    def __init__(self) -> None:
        self.asked = 0
        self.gate = threading.Event()

    def answer(self, _: Asked) -> Answer:
        self.asked += 1
        if self.asked > 1:
            return Answer(NEW)
        self.gate.wait(PATIENCE)
        return Answer(OLD)


@pytest.fixture
def target(postgresql_url: str) -> TargetDatabase:
    database = TargetDatabase("postgresql", postgresql_url)
    database.create()
    database.run("INSERT INTO member (segment_id, client_id) VALUES (7, 'b'), (7, 'stray')")
    return database


def send(process: Process, what: signal.Signals) -> None:
    for pid in (process.pid, *process.children()):
        os.kill(pid, what)


def seen(installation: Installation, folder: Path) -> object:
    """All that a reader could have spoiled: the run, what is told under its mark, and the files that go with it."""
    runtime = installation.runtime()
    run = ResyncRuns(runtime.lanes).read("1")
    files = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    told = installation.redis.lrange(runtime.lanes.keys.chunks("members", "7"), 0, -1)
    return run, told, files


@pytest.mark.parametrize("readers", [1, 2])
def test_who_was_stopped_while_reading_spoils_nothing(
    installation: Installation, target: TargetDatabase, readers: int
) -> None:
    installation.environ["SEGSYNC_LEASE_MS"] = "4000"
    source = Slow()
    with answering(source.answer) as server:
        integration = target.integration(members="SELECT client_id FROM member WHERE segment_id = {segment_id}")
        installation.configure(target.connector() + SOURCE.format(url=server.url, readers=readers) + integration)
        installation.worker("-Q", "route,upkeep", name="route", concurrency=1)
        stopped = installation.worker("-Q", "resync", name="stopped", concurrency=1)
        installation.ready()
        runtime = installation.runtime()
        ResyncRuns(runtime.lanes).ask("members", "7", "test", accept_removals=9, accept_adds=9)
        folder = folder_of(runtime.lanes.namespace, runtime.lanes.installation)
        try:
            installation.wait(lambda: source.asked == 1, "the first reader")
            send(stopped, signal.SIGSTOP)
            installation.worker("-Q", "resync", name="other", concurrency=1)
            installation.wait(
                lambda: ResyncRuns(runtime.lanes).read("1").get("removed") == "1", "the other, who has told a removal"
            )
            before = seen(installation, folder)
            ended = stopped.log.read_text().count(" succeeded in ")
            source.gate.set()
            send(stopped, signal.SIGCONT)
            installation.wait(lambda: stopped.log.read_text().count(" succeeded in ") > ended, "the end of its turn")
            assert seen(installation, folder) == before
        finally:
            source.gate.set()
            send(stopped, signal.SIGCONT)

        installation.worker("-Q", "deliver.crm", name="deliver", concurrency=1)
        installation.wait(lambda: ResyncRuns(runtime.lanes).read("1").get("state") == "ended", "its end")
    run = ResyncRuns(runtime.lanes).read("1")
    assert (run["outcome"], run["members"], run["removed"]) == ("done", "2", "1")
    assert target.members() == {("7", "b"), ("7", "c")}
    assert source.asked == 2
