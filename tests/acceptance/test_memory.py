"""A deliverer that has no memory left: killed by the kernel for it, or refused more by its limit."""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.targets import TargetDatabase
from workers.quarantine import entries as quarantine

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.installation import Installation, Process

MIB = 2**20
TIMES = 10
"""How often the query writes a profile's note into its statement: what has more tags is bounded by itself."""
HUGE = 7 * MIB
"""Nearly as much as an event may have."""
NOTED = (
    "INSERT INTO noted (segment_id, client_id, size) VALUES\n"
    "{for $index, $lead = $batch}\n({segment_id}, '{$lead.CustomID}', length('"
    + "{$lead.note}" * TIMES
    + "')){autocomma}\n{end}\nON CONFLICT (segment_id, client_id) DO UPDATE SET size = excluded.size"
)
FORGET = 'DELETE FROM noted WHERE segment_id = {segment_id} AND client_id IN ({batch_in "CustomID"})'


@pytest.fixture
def target(sqlite_url: str) -> TargetDatabase:
    database = TargetDatabase("sqlite", sqlite_url)
    database.run(
        "CREATE TABLE noted (segment_id integer, client_id text, size integer, PRIMARY KEY (segment_id, client_id))"
    )
    return database


@pytest.fixture(autouse=True)
def short_lease(installation: Installation) -> None:
    """A dead deliverer's lane waits for its lease; here that is 2 s, not 30."""
    installation.environ["SEGSYNC_LEASE_MS"] = "2000"


def noted(target: TargetDatabase) -> set[tuple[int, str, int]]:
    return {(row[0], row[1], row[2]) for row in target.run("SELECT segment_id, client_id, size FROM noted")}


def with_note(size: int, *keys: object) -> list[dict[str, Any]]:
    return [{"_id": f"p{key}", "CustomID": str(key), "note": "x" * size} for key in keys]


def memory(pid: int, which: int) -> int:
    """Bytes: its address space (0), or what of it is in memory (1)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[which]) * resource.getpagesize()


class OomKiller:
    """Does what the kernel's does in a container: SIGKILL for a child that uses more than it may."""

    def __init__(self, worker: Process, limit: int) -> None:
        self._worker = worker
        self._limit = limit
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.killed: list[int] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(0.001):
            for pid in self._worker.children():
                with suppress(OSError, IndexError, ValueError):  # it has ended meanwhile
                    if memory(pid, 1) > self._limit:
                        os.kill(pid, signal.SIGKILL)
                        self.killed.append(pid)
                        while memory(pid, 1):
                            time.sleep(0.001)


def test_a_profile_that_the_kernel_kills_for_costs_itself(installation: Installation, target: TargetDatabase) -> None:
    """Rendering one profile takes more memory than there is; its death is a SIGKILL (rule 13)."""
    batch = '{ size = 4, timeout = "100ms" }'
    installation.configure(target.connector() + target.integration(batch=batch, add=NOTED, remove=FORGET))
    worker = installation.worker()
    installation.ready()
    installation.producer.add(1, with_note(1, "first"))
    installation.wait(lambda: noted(target) == {(1, "first", TIMES)}, "the first delivery")
    usual = max(memory(pid, 1) for pid in worker.children())

    with OomKiller(worker, usual + 60 * MIB) as oom:
        installation.producer.add(7, [*with_note(HUGE, "huge"), *with_note(1, "A", "B", "C")])
        installation.producer.remove(7, with_note(1, "A"))
        installation.producer.add(7, with_note(2, "B", "D"))
        others = goes_on(installation, target, until=lambda: (7, "C", TIMES) in noted(target))
        installation.settle()

    lane = {row for row in noted(target) if row[0] == 7}
    assert lane == {(7, "B", 2 * TIMES), (7, "C", TIMES), (7, "D", 2 * TIMES)}
    (entry,) = quarantine.list_entries(installation.ledger)
    assert (entry.code, entry.profile) == ("poison", "phuge")
    assert 3 <= len(oom.killed) <= 9
    assert worker.running
    assert len(noted(target) - lane) == others + 1
    installation.wait(lambda: worker.log.read_text().count("WorkerLostError") >= 3, "what the worker says of them")


def goes_on(installation: Installation, target: TargetDatabase, until: Callable[[], bool]) -> int:
    """Pushes to other lanes until it is over; each is delivered meanwhile. How many."""
    pushed = 0
    while not until():
        assert pushed < 20_000, installation.logs()[-4000:]
        pushed += 1
        installation.producer.add(1000 + pushed, with_note(1, "other"))
        row = (1000 + pushed, "other", TIMES)
        installation.wait(lambda row=row: row in noted(target), "another lane's delivery meanwhile")  # type: ignore[misc]
    return pushed


def test_a_batch_that_memory_does_not_suffice_for_is_halved(installation: Installation, target: TargetDatabase) -> None:
    """The child's limit refuses memory: MemoryError in mid-batch; only what needs too much alone is at fault."""
    batch = '{ size = 64, timeout = "100ms" }'
    installation.configure(target.connector() + target.integration(batch=batch, add=NOTED, remove=FORGET))
    worker = installation.worker(concurrency=1)
    installation.ready()
    installation.producer.add(1, with_note(1, "first"))
    installation.wait(lambda: noted(target) == {(1, "first", TIMES)}, "the first delivery")
    for pid in (worker.pid, *worker.children()):  # a child that takes its place has the same limit
        limit = memory(pid, 0) + 60 * MIB
        resource.prlimit(pid, resource.RLIMIT_AS, (limit, limit))

    keys = [f"K{n}" for n in range(64)]
    installation.producer.add(7, with_note(80 * 1024, *keys))
    installation.producer.remove(7, with_note(1, "K5"))
    installation.producer.add(8, [*with_note(1, "A"), *with_note(HUGE, "huge"), *with_note(1, "B")])
    installation.settle()
    lanes = {(segment, key) for segment, key, _ in noted(target)}
    assert lanes == {(1, "first"), (8, "A"), (8, "B"), *((7, key) for key in keys if key != "K5")}
    (entry,) = quarantine.list_entries(installation.ledger)
    assert (entry.code, entry.profile) == ("segsync memory", "phuge")
    assert worker.running
