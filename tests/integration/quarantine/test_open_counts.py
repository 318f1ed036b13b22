"""The quarantine's limit: too much that is bad holds its lanes, and what is good goes on (rule 31)."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.jobs import add
from workers.control.drain import drain
from workers.delivery.turn import Failed
from workers.quarantine import entries as quarantine
from workers.quarantine import open_counts
from workers.quarantine import requeue as requeueing
from workers.quarantine.entries import Selection
from workers.quarantine.open_counts import OpenCounts
from workers.routing import router as intake

if TYPE_CHECKING:
    from tests.integration.jobs import Job
    from workers.control.drain import DrainReport


@pytest.fixture
def job(sqlite_job: Job, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A job whose integration may have two open entries; the number is set right at each look."""
    monkeypatch.setattr(open_counts, "EVERY_SECONDS", 0.0)
    sqlite_job.configure(max_quarantine="2")
    return sqlite_job


def bad(segment: int, *names: str) -> dict[str, Any]:
    """Profiles without a key, which no target can take."""
    return {"type": "add", "segment": {"id": segment}, "profiles": [{"_id": name} for name in names]}


def push(job: Job, *events: dict[str, Any]) -> None:
    """Without the model, to which these profiles mean nothing."""
    job.installation.producer.push(events)


def run(job: Job) -> DrainReport:
    """Routes, waits for the timeout of what is in the lanes now, and delivers what is due then."""
    first = drain(job.runtime, 300)
    job.let_timeouts_pass()
    second = drain(job.runtime, 300)
    return replace(second, causes=(*first.causes, *second.causes))


def counted(job: Job) -> int:
    found: Any = job.installation.redis.hget(job.installation.keys.integration("members"), "quarantined")
    return int(found or 0)


def codes(job: Job) -> list[str]:
    job.runtime.drain_outcomes(10)
    return [entry.code for entry in quarantine.list_entries(job.runtime.ledger)]


def let_it_probe(job: Job) -> None:
    """As if its minute were over."""
    redis, keys = job.installation.redis, job.installation.keys
    redis.hset(keys.lane("members", "2"), "retry", 0)
    redis.zadd(keys.timed("members"), {"2": 0})
    redis.zadd(keys.next("crm"), {"members": 0})


def fill(job: Job) -> None:
    push(job, bad(1, "p1", "p2"))
    run(job)
    assert codes(job) == ["missing key"] * 2
    assert counted(job) == 2


def test_what_would_be_one_too_many_holds_its_lane(job: Job) -> None:
    fill(job)
    push(job, bad(2, "p3"))

    report = run(job)

    assert report.causes == (
        (
            "members/2: segsync quarantine: 2 of its entries are open, which is its max_quarantine: "
            "retry or drop them, or raise it"
        ),
    )
    assert job.installation.backlog() == 1
    assert codes(job) == ["missing key"] * 2
    hold: Any = job.installation.redis.hget(job.installation.keys.lane("members", "2"), "hold")
    assert hold.startswith(b"segsync quarantine: ")


def test_a_turn_ends_with_the_batch_that_takes_the_last_room(job: Job) -> None:
    """The deliverer learns it from what it has just settled, and not only at its next claim."""
    job.configure(max_quarantine="2", batch='{ size = 2, timeout = "100ms" }')
    push(job, bad(1, "p1", "p2", "p3", "p4"))

    run(job)

    assert codes(job) == ["missing key"] * 2
    assert job.installation.backlog() == 2


def test_the_other_lanes_go_on(job: Job) -> None:
    fill(job)
    push(job, bad(2, "p3"))
    run(job)
    job.push(add(3, "A", "B"))
    run(job)

    assert job.target.members() == job.model.members
    assert job.installation.backlog() == 1


def test_dropping_entries_makes_room(job: Job) -> None:
    fill(job)
    push(job, bad(2, "p3"))
    run(job)
    requeueing.drop(job.runtime.ledger, job.runtime.lanes, Selection(), "ann@host")
    job.runtime.drain_outcomes(10)
    assert counted(job) == 0

    let_it_probe(job)
    run(job)

    assert job.installation.backlog() == 0
    assert codes(job) == ["missing key"]


def test_a_profile_that_the_target_refuses_waits_too(job: Job) -> None:
    fill(job)
    job.target.run(
        "CREATE TRIGGER too_long BEFORE INSERT ON member WHEN length(NEW.client_id) > 255"
        " BEGIN SELECT RAISE(ABORT, 'too long'); END"
    )
    push(job, add(2, "A", "x" * 300, "B"))

    report = run(job)

    assert report.causes[-1].startswith("members/2: segsync quarantine")
    assert job.installation.backlog() == 2  # the bad one, and what stands behind it in its lane
    assert job.target.members() == {("2", "A")}


def test_what_nobody_has_counted_is_set_right_by_the_ledger(job: Job) -> None:
    fill(job)
    job.installation.redis.hset(job.installation.keys.integration("members"), "quarantined", 90)
    job.runtime.drain_outcomes(10)
    assert counted(job) == 2


def test_it_is_not_set_right_by_a_ledger_that_lacks_something(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    push(job, bad(1, "p1", "p2"))
    job.runtime.route("t", 5)
    job.let_timeouts_pass()
    for wake in job.runtime.tick("task").wakes:
        if wake.queue == "deliver.crm":
            assert not isinstance(job.runtime.deliver("crm", wake.token, 5), Failed)
    monkeypatch.setattr("workers.ledger.ingest.Ingest.drain", lambda *_: _nothing_drained())

    job.runtime.drain_outcomes(10)

    assert counted(job) == 2


def _nothing_drained() -> Any:
    from workers.ledger.ingest import IngestReport  # noqa: PLC0415 - only here

    return IngestReport(busy=True)


def room(job: Job) -> OpenCounts:
    return OpenCounts(job.installation.redis, job.installation.keys, job.runtime.ledger)


def test_two_processes_that_look_at_once_correct_once(job: Job) -> None:
    fill(job)
    job.installation.redis.hset(job.installation.keys.integration("members"), "quarantined", 90)
    one, another = room(job), room(job)
    one.before()
    another.before()
    one.after()
    another.after()
    assert counted(job) == 2


def test_a_look_before_a_drain_that_failed_corrects_nothing_later(job: Job) -> None:
    fill(job)
    job.installation.redis.hset(job.installation.keys.integration("members"), "quarantined", 90)
    one, another = room(job), room(job)
    one.before()  # and then its ledger is away
    another.before()
    another.after()
    one._next = time.monotonic() + 60
    one.before()
    one.after()
    assert counted(job) == 2


def test_a_head_that_kills_stays_untouched_while_there_is_no_room_for_it(job: Job) -> None:
    fill(job)
    push(job, add(2, "A"))
    job.runtime.route("t", 5)
    redis, keys = job.installation.redis, job.installation.keys
    redis.hset(keys.lane("members", "2"), mapping={"starts": 40, "limit": 1, "retry": 0})

    def due() -> None:
        redis.zadd(keys.timed("members"), {"2": 0})

    for _ in range(2):
        due()
        result = job.runtime.deliver("crm", "t", 5)
        assert isinstance(result, Failed)
        assert result.code == "segsync quarantine"
        redis.hset(keys.lane("members", "2"), "retry", 0)
    assert job.target.members() == set()


def test_of_what_never_reached_an_integration_only_the_beginning_is_kept_beyond_the_limit(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "QUARANTINE_AT_MOST", 1)
    for n in range(3):
        job.installation.redis.xadd(job.installation.keys.events, {"event": b"%d" % n + b"x" * 1000})
        run(job)

    pages = list(quarantine.pages(job.runtime.ledger, Selection()))
    kept = [(entry.is_whole, len(entry.payload), entry.size) for page in pages for entry in page]
    assert kept == [(True, 1001, 1001), (False, 256, 1001), (False, 256, 1001)]
