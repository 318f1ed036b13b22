"""What failures cost: one bad profile costs one profile, an outage costs nothing, a wrong query waits for someone."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.jobs import add, clear, remove, upsert
from tests.servers.postgresql import PostgresqlServer
from tests.targets import TargetDatabase
from tests.waiting import until
from workers import outcomes
from workers.delivery import deliverer
from workers.delivery.failures import unusable
from workers.errors import ErrorClass, Phase, TargetError
from workers.lanes import Lost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.jobs import Job
    from workers.delivery.batch import Batch


def deliveries(job: Job) -> list[outcomes.Delivery]:
    """Every try so far; the drainer must not have run."""
    rows: Any = job.installation.redis.xrange(job.installation.keys.outcomes)
    records = [outcomes.decode(fields[b"r"]) for _, fields in rows]
    return [record for record in records if isinstance(record, outcomes.Delivery)]


def serve(job: Job, times: int = 1) -> list[Any]:
    """Routes, waits for the timeout, and delivers; without the drainer."""
    job.runtime.route("t", 10)
    results = []
    for _ in range(times):
        job.let_timeouts_pass()
        results.append(job.runtime.deliver("crm", "t", 30))
    return results


@pytest.fixture
def durable_postgresql() -> Iterator[PostgresqlServer]:
    """One that keeps what it has committed when it is killed."""
    server = PostgresqlServer(durable=True)
    try:
        server.start()
        yield server
    finally:
        server.remove()


BAD = "x" * 300
"""Too long for client_id in MariaDB and PostgreSQL."""


def refuses_bad(job: Job) -> None:
    if job.target.dialect == "sqlite":
        job.target.run(
            "CREATE TRIGGER too_long BEFORE INSERT ON member WHEN length(NEW.client_id) > 255"
            " BEGIN SELECT RAISE(ABORT, 'too long'); END"
        )


@pytest.mark.parametrize("place", [0, 1, 4711, 9_999])
def test_one_bad_profile_among_10_000_is_found_within_30_executions(job: Job, place: int) -> None:
    refuses_bad(job)
    keys = [f"K{n:05d}" for n in range(10_000)]
    keys[place] = BAD
    job.push(add(7, *keys))
    serve(job)
    tries = deliveries(job)

    assert job.target.members() == job.model.members - {("7", BAD)}
    assert len(job.quarantined()) == 1
    assert len(tries) - 10 <= 30
    assert sum(t.operations for t in tries if t.outcome == "delivered") == 10_000


def test_several_bad_profiles_cost_only_themselves(job: Job) -> None:
    refuses_bad(job)
    bad = [f"{BAD}{n}" for n in range(5)]
    keys = [key for n in range(5) for key in (*(f"K{n}-{i}" for i in range(100)), bad[n])]
    job.push(add(7, *keys), remove(7, "K1-1"), add(8, *keys[:50]))
    serve(job, 3)
    assert job.target.members() == {m for m in job.model.members if m[1] not in bad}
    assert len(job.quarantined()) == 5


def test_a_vendors_text_stands_only_in_the_quarantine(job: Job) -> None:
    refuses_bad(job)
    job.push(add(7, BAD), add(7, "A"))
    serve(job)
    (entry,) = job.quarantined()
    assert entry.code.startswith(job.target.dialect)
    told = [entry.reason, *(delivery.reason for delivery in deliveries(job))]
    assert len(told) > 1
    for hidden in (entry.detail, "xxx"):
        assert hidden
        assert not [reason for reason in told if hidden in reason]


def test_when_most_profiles_are_refused_the_query_is_at_fault(job: Job) -> None:
    """The quarantine takes some, and then the integration is held: nothing more is set aside (rule 23)."""
    refuses_bad(job)
    # Some pass, or all would be taken to be refused alike, and nobody be set aside.
    job.push(add(7, *(f"{BAD}{n}" if n % 3 else f"good{n}" for n in range(200))))
    (result,) = serve(job)
    assert result.needs_help
    assert "most profiles are refused" in result.reason
    assert 5 < len(job.quarantined()) < 20
    assert job.installation.backlog() > 150
    assert job.installation.redis.hget(job.installation.keys.integration("members"), "hold_until")


def test_one_bad_profile_alone_in_a_small_batch_is_no_systemic_fault(job: Job) -> None:
    refuses_bad(job)
    for n in range(3):
        job.push(add(7, f"{BAD}{n}"))
        serve(job)
        job.push(add(7, n))
        serve(job)
    assert job.installation.backlog() == 0
    assert len(job.quarantined()) == 3


def test_tolerance_none_holds_the_lane(job: Job) -> None:
    refuses_bad(job)
    job.configure(tolerance='"none"')
    job.push(add(7, "A", BAD), add(8, "B"))
    results = serve(job, 2)
    assert any(getattr(result, "needs_help", False) for result in results)
    assert job.quarantined() == []
    assert job.target.members() == {("8", "B")}
    assert job.installation.backlog() == 2


def test_what_stands_before_a_clear_that_can_never_run_is_delivered(job: Job) -> None:
    job.configure(clear="DELETE FROM no_such_table WHERE segment_id = {segment_id}")
    job.push(add(7, *range(2_500)))
    job.installation.producer.push([clear(7)])
    serve(job, 4)
    job.configure(leave_out=("clear",))

    job.drain()

    assert job.target.members() == job.model.members


def test_a_clear_that_goes_to_the_quarantine_takes_nothing_along(job: Job) -> None:
    if job.target.dialect == "sqlite":
        job.target.run(
            "CREATE TRIGGER too_long BEFORE INSERT ON segment WHEN length(NEW.name) > 255"
            " BEGIN SELECT RAISE(ABORT, 'too long'); END"
        )
    job.configure(clear=f"INSERT INTO segment (segment_id, name) VALUES (1000, '{BAD}')")
    job.push(add(7, "A", "B"))
    job.installation.producer.push([clear(7)])
    job.push(add(7, "C"))

    serve(job, 2)

    assert job.target.members() == {("7", "A"), ("7", "B"), ("7", "C")}
    assert [entry.event_type for entry in job.quarantined()] == ["clear"]
    assert job.installation.backlog() == 0


def test_a_clear_that_cannot_be_rendered_takes_nothing_along(job: Job) -> None:
    job.configure(clear="DELETE FROM member WHERE segment_id = {segment_id} AND {number segment_name} = 1")
    job.push(upsert(7, "no number"), add(7, "A", "B"))
    job.installation.producer.push([clear(7)])
    job.push(add(7, "C"))

    serve(job, 2)

    assert job.target.members() == {("7", "A"), ("7", "B"), ("7", "C")}
    assert [entry.event_type for entry in job.quarantined()] == ["clear"]
    assert job.installation.backlog() == 0


def test_a_bad_segment_event_costs_itself(job: Job) -> None:
    if job.target.dialect == "sqlite":
        job.target.run(
            "CREATE TRIGGER too_long BEFORE INSERT ON segment WHEN length(NEW.name) > 255"
            " BEGIN SELECT RAISE(ABORT, 'too long'); END"
        )
    job.push(upsert(7, BAD), add(7, "A"))
    serve(job)
    assert job.target.members() == {("7", "A")}
    (entry,) = job.quarantined()
    assert entry.event_type == "segment_upsert"


def test_a_wrong_query_holds_the_integration_and_keeps_everything(job: Job) -> None:
    job.configure(add=job.target.queries()["add"].replace("INTO member", "INTO no_such_table"))
    job.push(*(add(segment, "A") for segment in range(20)))
    results = serve(job, 5)
    assert [type(result).__name__ for result in results] == ["Failed"] + ["NothingDue"] * 4
    assert job.quarantined() == []
    assert [(each.outcome, each.event_type) for each in job.tries()] == [("held", "add")]
    assert job.installation.backlog() == 20
    job.configure()
    job.ends_right()


def test_an_outage_opens_the_circuit_and_loses_nothing(
    durable_postgresql: PostgresqlServer, make_job: Any, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Down under load: no quarantine, no try per lane, and everything is drained in order after its return."""
    durable_postgresql.create_database(namespace)
    target = TargetDatabase("postgresql", durable_postgresql.url(namespace))
    target.create()
    job = make_job(target)
    job.push(add(0, "first"))
    serve(job)
    durable_postgresql.kill()
    for n in range(100):
        job.push(add(n, *(f"K{i}" for i in range(100))), remove(n, "K1"))
    job.runtime.route("t", 10)
    for _ in range(80):
        job.runtime.deliver("crm", "t", 1)
    tries = len(deliveries(job))
    assert tries < 20, "one lane is tried, then the circuit keeps the others away"
    assert job.quarantined() == []

    durable_postgresql.start()

    def drained() -> bool:
        job.runtime.deliver("crm", "t", 5)
        return not job.installation.backlog()

    until(drained, "the backlog")
    assert target.members() == job.model.members
    told = [record.getMessage() for record in caplog.records if "is reachable again" in record.getMessage()]
    assert len(told) == 1, "its end is a line"
    assert "the server does not listen" in told[0]


class Killed(BaseException):
    """The process is gone."""


def test_what_kills_its_process_is_set_aside_in_the_end(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deliverer that dies leaves its start counted: after three the killer is looked for, and at last it goes."""
    job.configure(batch='{ size = 8, timeout = "100ms" }')
    job.push(add(7, *"ABCDEFGH"))
    job.runtime.route("t", 10)
    tried: list[str] = []

    def kills(batch: Batch, *, deadly: bool) -> list[Any]:
        names = "".join(json.loads(each.operation.body)["CustomID"] for each in batch.members)
        if "F" in names and not deadly:
            tried.append(names)
            raise Killed
        return unusable(batch, deadly=deadly)

    monkeypatch.setattr(deliverer, "unusable", kills)
    while job.installation.backlog():
        job.installation.redis.hset(job.installation.keys.lane("members", "7"), "until", 0)
        job.installation.redis.zadd(job.installation.keys.full("members"), {"7": 0})
        with suppress(Killed):
            job.runtime.deliver("crm", "t", 5)
        assert len(tried) < 20
    assert tried == [*3 * ["ABCDEFGH"], "EF", "F", "F", "F"]
    (entry,) = job.quarantined()
    assert entry.code == "poison"
    assert job.target.members() == {("7", key) for key in "ABCDEGH"}


@pytest.mark.parametrize("many", [1, 40])
def test_what_an_earlier_try_has_written_is_already_there(
    sqlite_job: Job, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    """The deliverer died after COMMIT; the same batch again violates the unique key by its own rows (rule 23).

    All of them, and be they ever so many: none counts towards the query's being at fault.
    """
    sqlite_job.configure(add=sqlite_job.target.queries()["add"].partition("ON CONFLICT")[0])
    sqlite_job.push(add(7, *range(many)))
    with monkeypatch.context() as dying:
        dying.setattr(sqlite_job.runtime.lanes, "settle", lambda _: Lost())
        serve(sqlite_job)
    sqlite_job.installation.redis.zadd(sqlite_job.installation.keys.timed("members"), {"7": 0})
    serve(sqlite_job, 3)

    assert [entry.code for entry in sqlite_job.quarantined()] == ["already there"] * many
    assert not sqlite_job.installation.redis.exists(f"{sqlite_job.installation.keys.namespace}:bad:members")
    assert sqlite_job.target.members() == sqlite_job.model.members
    assert sqlite_job.installation.backlog() == 0


def test_a_lane_that_found_no_connection_was_not_tried(sqlite_job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no fault of the lane's: nothing is counted against it, and it goes as soon as the target is back."""
    sqlite_job.push(add(7, "A"))
    attempts: Any = sqlite_job.runtime._deliverer("crm")._attempts

    def refuses() -> None:
        raise TargetError(ErrorClass.RETRY, "crm away", "nobody answers", phase=Phase.CONNECT)

    monkeypatch.setattr(attempts, "_open_session", refuses)
    serve(sqlite_job)

    keys, redis = sqlite_job.installation.keys, sqlite_job.installation.redis
    lane: Any = redis.hgetall(keys.lane("members", "7"))
    assert set(lane) == {b"count", b"head"}
    assert redis.hexists(keys.connector("crm"), "open_until")


def test_what_is_set_aside_is_told_in_one_line_without_its_data(job: Job, caplog: pytest.LogCaptureFixture) -> None:
    job.installation.producer.add(7, [{"_id": "ann@example.com"}, {"_id": "bob@example.com"}])
    job.drain()
    (told,) = [record.getMessage() for record in caplog.records if "set aside" in record.getMessage()]
    assert told.startswith("members/7: 2 set aside in the quarantine, of which the first: missing key: CustomID")
    assert "example.com" not in caplog.text
