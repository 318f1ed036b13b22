"""While a target executes a batch the one in front of it is settled, and it is before the second one is committed."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from redis import ConnectionError  # noqa: A004 - Redis's own, as it would be raised

from tests.integration.jobs import Job, add, clear
from tests.model import profiles
from workers.connectors.sql.connector import PooledSession
from workers.control.pause import NotSettled, pause
from workers.delivery.turn import Failed
from workers.errors import ErrorClass, Phase, TargetError
from workers.lanes import More
from workers.lanes.store import Lanes
from workers.settings import load, revision

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.lanes.messages import Settlement

SMALL = '{ size = 50, timeout = "100ms" }'
on_servers = pytest.mark.parametrize("target", ["postgresql", "mysql"], indirect=True)
"""SQLite's driver sends and waits at once: nothing can be done meanwhile."""


@pytest.fixture
def filled(job: Job, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A lane with four full batches and half of one."""
    monkeypatch.setattr("workers.delivery.beginning.TURN_SECONDS", 600)
    job.configure(batch=SMALL)
    job.push(*(add(1, n) for n in range(225)))
    job.runtime.route("t", 30)
    return job


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done from now on: a statement is sent and answered, a transaction committed, a batch settled."""
    found: list[str] = []
    execute, commit, settle = PooledSession.execute, PooledSession.commit, Lanes.settle

    def executes(self: PooledSession, statement: str) -> int:
        found.append("sent")
        rows = execute(self, statement)
        found.append("answered")
        return rows

    def commits(self: PooledSession) -> None:
        commit(self)
        found.append("committed")

    def settles(self: Lanes, settlement: Settlement) -> Any:
        found.append("settled")
        return settle(self, settlement)

    monkeypatch.setattr(PooledSession, "execute", executes)
    monkeypatch.setattr(PooledSession, "commit", commits)
    monkeypatch.setattr(Lanes, "settle", settles)
    return found


def before_settling(monkeypatch: pytest.MonkeyPatch, which: int, does: Callable[[], object]) -> None:
    """Something happens before this settlement, counted from 0."""
    settle, number = Lanes.settle, iter(range(1000))

    def settles(self: Lanes, settlement: Settlement) -> Any:
        if next(number) == which:
            does()
        return settle(self, settlement)

    monkeypatch.setattr(Lanes, "settle", settles)


def after_settling(monkeypatch: pytest.MonkeyPatch, which: int, answers: Callable[[More], object]) -> None:
    """What its deliverer is answered to this settlement, counted from 0, which Redis has done."""
    settle, number = Lanes.settle, iter(range(1000))

    def settles(self: Lanes, settlement: Settlement) -> Any:
        answer = settle(self, settlement)
        if next(number) != which:
            return answer
        assert isinstance(answer, More)
        return answers(answer)

    monkeypatch.setattr(Lanes, "settle", settles)


class Dies(BaseException):
    """A process ends."""


def raises(error: BaseException) -> Any:
    raise error


def another_goes_on(job: Job) -> None:
    """As if the lease of the one before were over."""
    redis, keys = job.installation.redis, job.installation.keys
    redis.hset(keys.lane("members", "1"), "until", 0)
    redis.zadd(keys.full("members"), {"1": 0}, xx=True)
    redis.zadd(keys.next("crm"), {"members": 0})
    job.runtime = job.installation.runtime()


def test_a_batch_is_settled_while_the_next_one_is_executed(filled: Job, steps: list[str]) -> None:
    filled.ends_right()
    alone = ["sent", "answered", "committed", "settled"]
    behind = ["sent", "settled", "answered", "committed"]
    if filled.target.dialect == "sqlite":
        assert steps == 5 * alone
    else:
        # The last one is not full, and what may come to it is not known before.
        assert steps == [*alone[:3], *3 * behind, "settled", *alone]


@on_servers
def test_where_statements_are_rationed_none_is_sent_before_it_may(filled: Job, steps: list[str]) -> None:
    """What a connector's `rate` does not let through yet would be undone, and sent again."""
    installation, target = filled.installation, filled.target
    installation.configure(target.connector(rate='"200/s"') + target.integration(batch=SMALL))
    revision.publish(installation.redis, installation.keys, load(installation.file))
    filled.ends_right()
    assert steps == 5 * ["sent", "answered", "committed", "settled"]


@on_servers
@pytest.mark.parametrize("which", [0, 1])
def test_nothing_is_committed_behind_what_redis_was_not_told(
    filled: Job, monkeypatch: pytest.MonkeyPatch, which: int
) -> None:
    def is_away() -> None:
        raise ConnectionError("gone")

    with monkeypatch.context() as patched:
        before_settling(patched, which, is_away)
        with pytest.raises(ConnectionError):
            filled.runtime.deliver("crm", "t", 5)
    assert len(filled.target.members()) == 50 * (which + 1)
    filled.ends_right()
    assert filled.installation.backlog() == 0


def pauses(job: Job) -> None:
    """Whoever waits for its lanes to be served no more would wait for what is under way."""
    with contextlib.suppress(NotSettled):
        pause(job.installation.redis, job.installation.keys, "members", patience=0)


@on_servers
def test_nothing_is_committed_in_a_lane_that_is_to_rest(filled: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is paused between the COMMIT of a batch and its settlement, when the next one is with the target.

    The lane is served until that is undone: an ALTER after `pause` would else wait for it.
    """
    redis, keys = filled.installation.redis, filled.installation.keys
    discard, served = PooledSession.discard, list[bytes | None]()

    def discards(self: PooledSession) -> None:
        served.append(redis.hget(keys.lane("members", "1"), "owner"))
        discard(self)

    with monkeypatch.context() as patched:
        before_settling(patched, 1, lambda: pauses(filled))
        patched.setattr(PooledSession, "discard", discards)
        filled.runtime.deliver("crm", "t", 5)
    assert served
    assert served[0] is not None
    assert redis.hget(keys.lane("members", "1"), "owner") is None
    assert len(filled.target.members()) == 100
    assert filled.installation.backlog() == 125
    assert [each.outcome for each in filled.tries()] == ["delivered"] * 2


@pytest.mark.parametrize("target", ["mysql"], indirect=True)
def test_what_a_table_without_transactions_has_is_known_as_tried(filled: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is undone there: told once more as if it were new, all of it was refused for its key."""
    filled.target.run("ALTER TABLE member MODIFY client_id varchar(50) NOT NULL, ENGINE = MyISAM")
    before_settling(monkeypatch, 1, lambda: pauses(filled))
    filled.runtime.deliver("crm", "t", 5)
    redis, lane = filled.installation.redis, filled.installation.keys.lane("members", "1")
    done, to = redis.hmget(lane, "done", "to")
    assert to is not None
    assert done is not None
    assert to > done
    assert len(filled.target.members()) == 150


@on_servers
def test_a_batch_took_as_long_as_it_was_with_the_target(filled: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not until it was settled, for which the next one has to be sent."""
    begin, begun = PooledSession.begin, iter(range(1000))

    def begins(self: PooledSession, lock: str | None, patience: float) -> None:
        begin(self, lock, patience)
        if next(begun) == 1:
            time.sleep(1.0)

    monkeypatch.setattr(PooledSession, "begin", begins)
    filled.runtime.deliver("crm", "t", 5)
    first, second, *_ = filled.tries()
    assert second.duration_us >= 1_000_000
    assert first.started_ms + first.duration_us / 1000 <= second.started_ms + 2


@on_servers
def test_what_is_wrong_with_a_batch_is_no_matter_of_the_one_in_front_of_it(
    filled: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The 60th profile is refused, alone among all: the search for it begins at the head of its own batch."""
    run = PooledSession._run

    def refuses_one(self: PooledSession, statement: str, by: Callable[[str], int]) -> int:
        if "'59'" in statement:
            raise TargetError(ErrorClass.ISOLATE, "sim", "a value does not fit")
        return run(self, statement, by)

    monkeypatch.setattr(PooledSession, "_run", refuses_one)
    filled.runtime.deliver("crm", "t", 5)
    assert [(each.outcome, each.operations) for each in filled.tries()][:2] == [("delivered", 50), ("retry", 50)]
    filled.drain()
    assert filled.target.members() == filled.model.members - {("1", "59")}


@on_servers
def test_a_clear_that_comes_between_two_batches_leaves_nothing(filled: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one was sent before its deliverer could know that it is moot."""
    other = filled.installation.runtime()

    def clears() -> None:
        filled.push(clear(1), add(1, "after"))
        other.route("t2", 30)

    before_settling(monkeypatch, 0, clears)
    filled.ends_right()
    assert filled.target.members() == {("1", "after")}


@on_servers
def test_a_batch_of_which_nothing_is_sent_is_settled_behind_the_one_in_front_of_it(
    job: Job, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks for no session, and so for nothing that is done before its COMMIT."""
    monkeypatch.setattr("workers.delivery.beginning.TURN_SECONDS", 600)
    some = "INSERT INTO member (segment_id, client_id, updated) VALUES {for $l = $batch}{if $l.vip}"
    some += "({segment_id}, '{$l.CustomID}', '{$l._event_time}'){autocomma}{end}{end}"
    job.configure(batch=SMALL, add=some)
    for n in range(200):
        vip = not 50 <= n < 100
        job.installation.producer.push([add(1, n) | {"profiles": [profiles(n)[0] | {"vip": vip}]}])
    job.runtime.route("t", 30)
    job.runtime.deliver("crm", "t", 5)
    assert job.target.members() == {("1", str(n)) for n in range(200) if not 50 <= n < 100}
    assert steps[:5] == ["sent", "answered", "committed", "settled", "settled"]
    assert len({each.first for each in job.tries()}) == 4


@on_servers
@pytest.mark.parametrize("error", [ConnectionError("gone"), MemoryError(), Dies()], ids=["redis", "memory", "death"])
@pytest.mark.parametrize("is_done", [True, False], ids=["done", "not done"])
def test_what_ends_a_deliverer_at_a_settlement_ends_it_before_the_next_commit(
    filled: Job, monkeypatch: pytest.MonkeyPatch, error: BaseException, *, is_done: bool
) -> None:
    """Whether Redis has settled the batch or not, another deliverer goes on with the first one that is not."""
    with monkeypatch.context() as patched:
        happens = after_settling if is_done else before_settling
        happens(patched, 1, lambda *_: raises(error))
        with pytest.raises(type(error)):
            filled.runtime.deliver("crm", "t", 5)
    assert len(filled.target.members()) == 100
    assert filled.installation.backlog() == (125 if is_done else 175)
    another_goes_on(filled)
    filled.ends_right()
    assert filled.set_aside() == {}


@on_servers
def test_a_lane_of_which_more_cannot_be_read_is_held_before_the_next_commit(
    filled: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        after_settling(patched, 1, lambda answer: replace(answer, chunks=[b"no chunk of ours"]))
        result = filled.runtime.deliver("crm", "t", 5)
    assert isinstance(result, Failed)
    assert result.code == "segsync chunk"
    assert len(filled.target.members()) == 100
    assert filled.installation.backlog() == 125


@on_servers
def test_a_settlement_that_is_sent_twice_beside_the_next_batch_counts_once(
    filled: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle = Lanes.settle
    monkeypatch.setattr(Lanes, "settle", lambda self, done: [settle(self, done), settle(self, done)][1])
    filled.runtime.deliver("crm", "t", 5)
    filled.let_timeouts_pass()
    filled.runtime.deliver("crm", "t", 5)
    assert filled.target.members() == filled.model.members
    assert [(each.outcome, each.operations) for each in filled.tries()] == [*4 * [("delivered", 50)], ("delivered", 25)]


@on_servers
@pytest.mark.parametrize("is_there", [True, False])
def test_what_fails_behind_a_batch_is_counted_as_its_own(
    filled: Job, monkeypatch: pytest.MonkeyPatch, *, is_there: bool
) -> None:
    """Nobody hears of the second COMMIT: what was tried is that batch, once, and nothing of the one in front of it."""
    commit, number = PooledSession.commit, iter(range(100))

    def commits(self: PooledSession) -> None:
        is_second = next(number) == 1
        if is_there or not is_second:
            commit(self)
        if is_second:
            raise TargetError(ErrorClass.AMBIGUOUS, "sim", "the link was lost", phase=Phase.COMMIT)

    with monkeypatch.context() as patched:
        patched.setattr(PooledSession, "commit", commits)
        filled.runtime.deliver("crm", "t", 5)
    redis, keys = filled.installation.redis, filled.installation.keys
    lane: Any = redis.hgetall(keys.lane("members", "1"))
    first, second = filled.tries()
    assert (first.outcome, second.outcome, second.attempt) == ("delivered", "retry", 1)
    assert lane[b"done"].decode() == first.last
    assert lane[b"attempts"] == b"1"
    assert lane[b"to"].decode() >= second.last
    assert b"passed" not in lane, "it may be there"
    assert len(filled.target.members()) == (100 if is_there else 50)
    redis.hdel(keys.lane("members", "1"), "retry")
    another_goes_on(filled)
    filled.ends_right()
