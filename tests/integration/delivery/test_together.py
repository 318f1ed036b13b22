"""Lanes that owe little, several in one transaction: rows, records and faults are as if each had gone alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from redis import ConnectionError  # noqa: A004 - Redis's own, as it would be raised

from tests.integration.jobs import add, clear
from tests.waiting import until
from workers.connectors.sql.connector import PooledSession
from workers.delivery import attempt, together
from workers.delivery.turn import NothingDue
from workers.errors import ErrorClass, Phase, TargetError
from workers.lanes.chunks import UnreadableChunk
from workers.lanes.messages import Release

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.jobs import Job
    from tests.targets import TargetDatabase
    from workers.delivery.turn import Failed, Turn

LANES = 30
BAD = "x" * 300
"""Too long for client_id."""


@pytest.fixture
def job(target: TargetDatabase, make_job: Callable[[TargetDatabase], Job], monkeypatch: pytest.MonkeyPatch) -> Job:
    """On each database in turn; it is known already that it is fast."""
    monkeypatch.setattr(together, "PACE_SECONDS", 600.0)
    found = make_job(target)
    found.push(add(1000, "first"))
    found.ends_right()
    deliverer(found)._together.pace.most = 16
    return found


def deliverer(job: Job) -> Any:
    return job.runtime._deliverer("crm")


def owe(job: Job, *more: dict[str, Any]) -> None:
    """Each lane comes to owe an operation, and all are due."""
    job.push(*(add(n, f"k{n}") for n in range(LANES)), *more)
    job.runtime.route("t", 30)
    job.let_timeouts_pass()


def commits(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    found: list[object] = []
    commit = PooledSession.commit

    def counting(self: PooledSession) -> None:
        found.append(self)
        commit(self)

    monkeypatch.setattr(PooledSession, "commit", counting)
    return found


def test_many_lanes_are_a_few_transactions_and_a_record_each(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    before, found = len(job.tries()), commits(monkeypatch)
    owe(job)
    assert deliverer(job).work("t", 30) == NothingDue(LANES)
    assert len(found) <= 3  # the first goes alone: whether a session takes several is known when there is one
    assert job.target.members() == job.model.members
    told = job.tries()[before:]
    assert [(each.outcome, each.operations, each.queries[0].rows) for each in told] == [("delivered", 1, 1)] * LANES
    assert len({each.segment for each in told}) == LANES


def test_a_segment_event_and_a_busy_lane_go_alone(job: Job) -> None:
    owe(job, clear(3), add(4, *range(100)), {"type": "segment_upsert", "segment": {"id": 5, "name": "five"}})
    assert isinstance(deliverer(job).work("t", 30), NothingDue)
    assert job.installation.backlog() == 0
    job.ends_right()


def test_a_profile_that_is_refused_costs_itself_alone(job: Job) -> None:
    if job.target.dialect == "sqlite":
        job.target.run(
            "CREATE TRIGGER too_long BEFORE INSERT ON member WHEN length(NEW.client_id) > 255"
            " BEGIN SELECT RAISE(ABORT, 'Data too long'); END"
        )
    owe(job, add(LANES, BAD))
    job.model.members.discard((str(LANES), BAD))
    before = len(job.tries())
    while job.installation.backlog():
        deliverer(job).work("t", 30)
    others = [each.outcome for each in job.tries()[before:] if each.segment != str(LANES)]
    assert others == ["delivered"] * LANES, "nothing is told of any other, not even a try"
    assert [each.segment for each in job.quarantined()] == [str(LANES)]
    job.ends_right()


def test_a_lane_that_was_lost_takes_all_of_them_back(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that forgot one claim may have given that lane away: nothing of the transaction may be committed."""
    monkeypatch.setattr(attempt, "CONFIRM_AFTER", 0.0)
    owe(job)
    found: Any = deliverer(job)
    serve, seen = found._together.serve, list[Any]()

    def forgets(claimed: Any, *more: Any) -> Any:
        if not seen:
            lane = job.installation.keys.lane("members", claimed[-1].segment)
            job.installation.redis.hset(lane, "owner", "another")
        before = job.target.members()
        failure = serve(claimed, *more)
        seen.append((len(claimed), job.target.members() - before))
        if len(seen) == 1:
            job.runtime.lanes.release(Release("members", claimed[-1].segment, "another"))
        return failure

    monkeypatch.setattr(found._together, "serve", forgets)
    found.work("t", 30)
    assert seen[0][0] > 10
    assert not seen[0][1]
    job.ends_right()


def test_what_may_be_there_is_written_down_as_tried(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    owe(job)
    found: Any = deliverer(job)
    commit = PooledSession.commit

    def unheard(self: PooledSession) -> None:
        commit(self)
        if len(job.target.members()) > 3:
            raise TargetError(ErrorClass.AMBIGUOUS, "test unheard", "the answer was lost", phase=Phase.COMMIT)

    with monkeypatch.context() as patched:
        patched.setattr(PooledSession, "commit", unheard)
        found.work("t", 30)
    lanes = [job.installation.redis.hmget(key, "to", "attempts") for key in job.installation.redis.keys("*:lane:*")]
    assert sum(bool(to) and attempts == b"1" for to, attempts in lanes) > 10
    job.ends_right()


def test_a_settlement_that_nobody_heard_of_is_repeated(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    owe(job)
    found: Any = deliverer(job)

    def unheard(*_: Any) -> None:
        raise ConnectionError("gone")

    with monkeypatch.context() as away:
        away.setattr(found._lanes, "settle_all", unheard)
        with pytest.raises(ConnectionError):
            found.work("t", 30)
    redis, lanes = job.installation.redis, f"{job.installation.keys.namespace}:lane:*"

    def written_down() -> bool:
        """It may all be in the target, so it is tried again as it was."""
        owed = [redis.hmget(key, "owner", "to", "attempts") for key in redis.keys(lanes)]
        known: int = sum(owner is None and bool(to) and attempts == b"1" for owner, to, attempts in owed)
        return known > 10

    until(written_down, "lanes that are given back, and known as tried")
    job.ends_right()
    assert job.installation.backlog() == 0


@pytest.mark.parametrize("dialect", ["postgresql", "mysql"])
def test_a_lock_that_another_session_holds_is_not_waited_for_together(
    request: pytest.FixtureRequest, dialect: str, make_job: Callable[[TargetDatabase], Job]
) -> None:
    target = request.getfixturevalue("make_target")(dialect)
    connector: Any = make_job(target).runtime.targets.get("crm")
    one, two = connector.open(), connector.open()
    one.begin("held by another", 1.0)
    with pytest.raises(TargetError, match="another session holds the lock of one of the lanes") as caught:
        two.begin_together(["a", "held by another", "b"])
    assert caught.value.error_class is ErrorClass.RETRY
    two.discard()
    one.rollback()
    one.close()

    def is_free() -> bool:
        """A server lets go of what a closed link held when it comes to it."""
        three = connector.open()
        try:
            three.begin_together(["a", "held by another", "b"])
        except TargetError:
            three.discard()
            return False
        three.commit()
        three.close()
        return True

    until(is_free)
    connector.dispose()


def test_locks_that_were_taken_together_are_let_go_together(job: Job) -> None:
    connector: Any = job.runtime.targets.get("crm")
    one, two = connector.open(), connector.open()
    one.begin_together(["a", "b"])
    one.commit()
    one.begin_together(["c"])
    one.commit()
    # Whoever takes them together ends nobody who holds one.
    two.begin_together(["a", "b"])
    two.rollback()
    one.close()
    two.begin_together(["c"])
    two.rollback()
    two.close()
    connector.dispose()


def test_what_was_under_way_in_a_lane_that_cannot_be_read_is_undone(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next lane found a transaction open, and failed once."""
    serving = deliverer(job)
    alone, broken = serving._batch_after_batch, iter([True])

    def breaks(turn: Turn) -> Failed | None:
        if turn.lease.segment == "3" and next(broken, False):
            serving._attempts._opened().begin(None, 5)
            raise UnreadableChunk("bytes that no version of segsync wrote")
        served: Failed | None = alone(turn)
        return served

    monkeypatch.setattr(serving, "_batch_after_batch", breaks)
    job.push(*(add(n, f"k{n}") for n in range(LANES)))
    without_a_key = {"type": "add", "segment": {"id": 3}, "profiles": [{"_id": "x"}]}
    job.installation.producer.push([without_a_key])  # so that its lane does not fit, and is served by itself
    job.runtime.route("t", 30)
    job.let_timeouts_pass()
    assert isinstance(job.runtime.deliver("crm", "t", 30), NothingDue)
    assert next(broken, "met") == "met"
    assert {each.outcome for each in job.tries()} == {"delivered"}
