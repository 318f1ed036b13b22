"""Upkeep by one process at a time, in slices: whatever it waits for, nothing else waits with it."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from tests.integration.jobs import Job, add
from workers.control.drain import drain
from workers.delivery import compaction
from workers.lanes.lease import UPKEEP
from workers.ledger.database import Ledger
from workers.ledger.errors import LedgerError
from workers.runtime import Runtime


@pytest.fixture
def job(sqlite_job: Job) -> Job:
    return sqlite_job


def slice_of(runtime: Runtime) -> None:
    runtime.upkeep("t", 1.0, rest=1.0, rest_of_ledger=10.0)


def test_nobody_is_woken_for_upkeep_while_its_ledger_does_not_answer(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another was woken each second: all processes of a worker waited for the ledger, and none was left to route."""
    job.installation.redis.xadd(job.installation.keys.events, {"event": "{"})  # goes to the quarantine
    monkeypatch.setattr(Runtime, "drain_outcomes", lambda *_: 0)
    drain(job.runtime, 300)
    monkeypatch.undo()
    other = job.installation.runtime()
    seen: list[Any] = []

    def opens(_: Ledger) -> None:
        job.installation.redis.delete(job.installation.keys.permits(UPKEEP))  # it has run out meanwhile
        seen.append(UPKEEP in [wake.queue for wake in other.tick("task").wakes])
        slice_of(other)  # a wake-up that was sent before
        raise LedgerError("sqlite", "it does not answer")

    monkeypatch.setattr(Ledger, "upgrade", opens)
    with pytest.raises(LedgerError):
        slice_of(job.runtime)
    assert seen == [False]
    assert UPKEEP not in [wake.queue for wake in other.tick("task").wakes]
    assert job.installation.redis.hget(job.installation.keys.lease(UPKEEP), "why").endswith(b"it does not answer")


def test_while_another_writes_outcomes_upkeep_rests(job: Job) -> None:
    """A drainer that has died keeps others out until its lease has run out: they spun."""
    redis, keys = job.installation.redis, job.installation.keys
    redis.xadd(keys.outcomes, {"r": "waits"})
    redis.set(f"{keys.namespace}:drainer", "somebody else", px=30_000)
    slice_of(job.runtime)
    assert UPKEEP not in [wake.queue for wake in job.runtime.tick("task").wakes]
    assert redis.hget(keys.lease(UPKEEP), "why") == b"another writes outcomes"


def test_an_outcome_is_written_in_a_slice(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    job.installation.redis.xadd(job.installation.keys.events, {"event": "{"})  # goes to the quarantine
    with monkeypatch.context() as patched:
        patched.setattr(Runtime, "drain_outcomes", lambda *_: 0)
        drain(job.runtime, 300)
    assert job.installation.redis.xlen(job.installation.keys.outcomes) > 0
    slice_of(job.runtime)
    assert job.installation.redis.xlen(job.installation.keys.outcomes) == 0
    assert not job.installation.redis.hexists(job.installation.keys.lease(UPKEEP), "owner")


def test_a_long_lane_is_compacted_in_slices_by_whoever_has_the_next_one(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lane of millions is no reason to hold a process for long, nor is its beginning thinned over and over."""
    job.configure(batch='{ size = 10000, timeout = "1h" }')
    for _ in range(8):
        job.push(add(7, *(f"k{n}" for n in range(1000))))
    drain(job.runtime, 300)
    redis, keys = job.installation.redis, job.installation.keys
    redis.sadd(f"{keys.namespace}:long", "members:7")
    monkeypatch.setattr("workers.delivery.compaction.PAGE", 1)
    monkeypatch.setattr("workers.delivery.compaction.WINDOW_BYTES", 1)
    clock = iter(range(10_000))
    fake = SimpleNamespace(monotonic=lambda: float(next(clock)), time=time.time)
    monkeypatch.setattr("workers.delivery.compaction.time", fake)
    runtimes, owed = [job.installation.runtime() for _ in range(2)], [8000]
    for n in range(40):
        if not redis.exists(f"{keys.namespace}:long"):
            break
        runtimes[n % 2].compact(4.0)
        owed.append(job.installation.backlog())
    monkeypatch.undo()
    assert len(owed) > 3
    assert owed == sorted(owed, reverse=True)
    assert owed[-1] <= 3000
    job.configure(batch='{ size = 1000, timeout = "100ms" }')
    job.ends_right()


def test_a_lane_that_is_delivered_meanwhile_loses_nothing(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks go at its head between two looks: what was thinned stands elsewhere then, and seems to come again."""
    job.configure(batch='{ size = 10000, timeout = "1h" }')
    for _ in range(4):
        job.push(add(7, *(f"k{n}" for n in range(1000))))
    drain(job.runtime, 300)
    redis, keys = job.installation.redis, job.installation.keys
    redis.sadd(f"{keys.namespace}:long", "members:7")
    monkeypatch.setattr("workers.delivery.compaction.PAGE", 1)
    monkeypatch.setattr("workers.delivery.compaction.WINDOW_BYTES", 1)
    window = compaction._window
    calls: list[int] = []
    last = redis.lindex(keys.chunks("members", "7"), -1)

    def meanwhile(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            redis.lpop(keys.chunks("members", "7"))
            redis.hincrby(keys.lane("members", "7"), "count", -1000)
        return window(*arguments)

    monkeypatch.setattr(compaction, "_window", meanwhile)
    job.runtime.compact(5)
    assert len(calls) >= 2
    assert redis.lindex(keys.chunks("members", "7"), -1) == last
