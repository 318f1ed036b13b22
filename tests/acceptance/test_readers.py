"""Several processes of the queue `resync`, and a source that counts who reads it: two at once, as it says; no third.

A worker that is killed in the middle has its places for as long as its lease; then others have them.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from tests.servers.platform_http import Answer, Asked, answering
from tests.targets import TargetDatabase
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from tests.installation import Installation

pytestmark = [pytest.mark.fetched, pytest.mark.proof]

SEGMENTS = [str(number) for number in range(1, 7)]
SOURCE = """
[sources.main]
url = "{url}/{{segment_id}}"
delay = "0s"
readers = 2
"""


@pytest.fixture
def target(postgresql_url: str) -> TargetDatabase:
    database = TargetDatabase("postgresql", postgresql_url)
    database.create()
    return database


class HeldBack:
    """Answers of a platform, held back until they are let go; `inside` are those who wait for one."""

    def __init__(self) -> None:
        self.inside: list[str] = []
        self.most = 0
        self._lock = threading.Lock()
        self._gate = threading.Event()

    def answer(self, asked: Asked) -> Answer:
        with self._lock:
            self.inside.append(asked.path)
            self.most = max(self.most, len(self.inside))
            inside, gate = self.inside, self._gate
        gate.wait(PATIENCE)
        with self._lock:
            inside.remove(asked.path)
        return Answer(b'[{"_id": 1, "CustomID": "a"}, {"_id": 2, "CustomID": "b"}]')

    def forget(self) -> None:
        """Those who wait are gone: they are no readers any more."""
        with self._lock:
            self.inside = []
            self._gate.set()
            self._gate = threading.Event()

    def let_go(self) -> None:
        with self._lock:
            self._gate.set()


def test_two_processes_read_a_source_at_once_and_no_third(installation: Installation, target: TargetDatabase) -> None:
    installation.environ["SEGSYNC_LEASE_MS"] = "4000"
    source = HeldBack()
    with answering(source.answer) as server:
        integration = target.integration(members="SELECT client_id FROM member WHERE segment_id = {segment_id}")
        installation.configure(target.connector() + SOURCE.format(url=server.url) + integration)
        installation.worker("-Q", "route,deliver.crm,upkeep", name="others")
        readers = installation.worker("-Q", "resync", name="read", concurrency=3)
        installation.ready()
        try:
            named = [word for segment in SEGMENTS for word in ("--segment", segment)]
            assert installation.segsync("resync", "members", *named).returncode == 0
            installation.wait(lambda: len(source.inside) == 2, "two readers")
            readers.kill()
            source.forget()

            installation.worker("-Q", "resync", name="read", concurrency=3)
            installation.wait(lambda: len(source.inside) == 2, "two readers in the places of the dead")
            source.let_go()
            wanted = {(segment, key) for segment in SEGMENTS for key in "ab"}
            installation.wait(lambda: target.members() == wanted, "all members")
            installation.settle()
        finally:
            source.let_go()
    listed = json.loads(installation.segsync("resync", "--list", "--json").stdout)
    assert [each["outcome"] for each in listed["ended"]] == ["done"] * len(SEGMENTS)
    assert source.most == 2
