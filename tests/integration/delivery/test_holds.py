"""What holds more than a batch: a probe that is refused, and a lane that nobody can read (rule 25)."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.jobs import add, remove
from workers.connectors.contract import Rejection
from workers.connectors.sql.connector import PooledSession
from workers.connectors.sql.positions import CREATE
from workers.control.retry import retry
from workers.delivery.asking import Inquiries
from workers.delivery.attempt import Attempts
from workers.delivery.settlement import pack_aside
from workers.delivery.turn import Failed, NothingDue
from workers.errors import ErrorClass, HoldLevel, Phase, TargetError
from workers.lanes.chunks import HEADER

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.jobs import Job
    from workers.connectors.contract import Receipt
    from workers.delivery.batch import Batch
    from workers.delivery.turn import Turn


@pytest.fixture
def job(sqlite_job: Job) -> Job:
    return sqlite_job


def test_a_probe_that_is_refused_the_password_holds_the_connector_and_closes_the_circuit(job: Job) -> None:
    """A target that comes back with another password: it was logged in to every five seconds, for ever."""
    job.push(add(7, "A"))
    job.runtime.route("t", 10)
    job.let_timeouts_pass()
    redis, keys = job.installation.redis, job.installation.keys
    redis.hset(keys.connector("crm"), mapping={"open_until": 1, "failures": 3, "open_since": 1})
    deliverer: Any = job.runtime._deliverer("crm")
    probes: list[int] = []

    def refuses() -> None:
        probes.append(1)
        wrong = "the password is wrong"
        raise TargetError(ErrorClass.HOLD, "crm password", wrong, level=HoldLevel.CONNECTOR, phase=Phase.PROBE)

    deliverer._connect = refuses
    result = job.runtime.deliver("crm", "t", 5)
    assert isinstance(result, Failed)
    assert result.needs_help
    assert result.retry_in_s == 300
    assert not redis.hexists(keys.connector("crm"), "open_until")
    assert isinstance(job.runtime.deliver("crm", "t2", 5), NothingDue)
    assert len(probes) == 1

    redis.hset(keys.connector("crm"), "hold_until", 1)
    deliverer._connect = lambda: None
    job.ends_right()
    assert not redis.hexists(keys.connector("crm"), "hold_until")


def test_a_lane_that_cannot_be_read_is_held_and_told_and_the_others_go_on(job: Job) -> None:
    """It was tried again and again, each time by a deliverer that ended with it, and nothing said so."""
    job.push(add(7, "A"), add(8, "B"))
    job.runtime.route("t", 10)
    redis, keys = job.installation.redis, job.installation.keys
    whole: Any = redis.lindex(keys.chunks("members", "7"), 0)
    redis.lset(keys.chunks("members", "7"), 0, whole[:HEADER] + b"\xc1 no chunk of ours")
    job.let_timeouts_pass()
    results = [job.runtime.deliver("crm", f"t{n}", 5) for n in range(3)]
    failed = [result for result in results if isinstance(result, Failed)]
    assert [(each.segment, each.code, each.needs_help) for each in failed] == [("7", "segsync chunk", True)]
    assert job.target.members() == {("8", "B")}
    lane: Any = redis.hgetall(keys.lane("members", "7"))
    assert lane[b"hold"].startswith(b"segsync chunk: ")
    assert b"owner" not in lane

    redis.lset(keys.chunks("members", "7"), 0, whole)
    redis.hdel(keys.lane("members", "7"), "retry")
    for name in (keys.timed("members"), keys.full("members")):
        redis.zadd(name, {"7": 0}, xx=True)
    redis.zadd(keys.next("crm"), {"members": 0})
    job.ends_right()


@pytest.mark.parametrize(
    ("at_fault", "refused", "owed"),
    [
        pytest.param(lambda _call, statement: "'A'" in statement, ["sqlite timeout"], 0, id="one profile"),
        pytest.param(lambda _call, _statement: True, [], 3, id="the target"),
        pytest.param(lambda call, _statement: call == 0, [], 0, id="the target, until others are asked"),
    ],
)
def test_what_times_out_alone_is_at_fault_only_if_others_pass_at_that_very_time(
    job: Job, monkeypatch: pytest.MonkeyPatch, at_fault: Callable[[int, str], bool], refused: list[str], owed: int
) -> None:
    """Others had passed earlier, and then the target hung for a while: an innocent profile was set aside.

    As it was where the target went on by the time that others were asked.
    """
    job.push(add(7, "A", "B", "C"))
    job.runtime.route("t", 10)
    redis, keys = job.installation.redis, job.installation.keys
    chunk: Any = redis.lindex(keys.chunks("members", "7"), 0)
    end = chunk[27:54].decode()
    search: dict[Any, Any] = {"attempts": 4, "limit": 1, "suspect": end, "to": end, "passed": "add"}
    redis.hset(keys.lane("members", "7"), mapping=search)
    run, calls = PooledSession._run, count()

    def hangs(self: PooledSession, statement: str, by: Callable[[str], int]) -> int:
        if at_fault(next(calls), statement):
            raise TargetError(ErrorClass.AMBIGUOUS, "sqlite timeout", "the statement took too long")
        return run(self, statement, by)

    with monkeypatch.context() as patched:
        patched.setattr(PooledSession, "_run", hangs)
        job.let_timeouts_pass()
        job.runtime.deliver("crm", "t", 5)
    assert [entry.code for entry in job.quarantined()] == refused
    assert job.installation.backlog() == owed


def test_a_table_that_is_missing_back_and_missing_again_is_no_profiles_fault(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another profile had passed while it was back, and one that stood alone afterwards was set aside."""
    job.configure(batch='{ size = 2, timeout = "100ms" }')
    for event in (add(7, "A", "B", "C", "D"), remove(7, "Z")):  # a chunk each
        job.push(event)
        job.runtime.route("t", 10)
    run, calls = PooledSession._run, iter(range(100))

    def is_missing_but_once(self: PooledSession, statement: str, by: Callable[[str], int]) -> int:
        if next(calls) != 1:
            raise TargetError(ErrorClass.HOLD, "sqlite missing", "there is no such table", level=HoldLevel.INTEGRATION)
        return run(self, statement, by)

    with monkeypatch.context() as patched:
        patched.setattr(PooledSession, "_run", is_missing_but_once)
        job.let_timeouts_pass()
        result = job.runtime.deliver("crm", "t", 5)
    assert isinstance(result, Failed)
    assert result.needs_help
    assert "none of 3 profiles passes by itself" in result.reason
    assert job.quarantined() == []
    assert job.installation.backlog() == 5


def test_that_others_passed_long_ago_and_pass_now_blames_nobody(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that was missing when somebody was tried, and is back when another is asked: he is tried once more."""
    job.push(add(7, "A", "B"))
    job.runtime.route("t", 10)
    redis, keys = job.installation.redis, job.installation.keys
    chunk: Any = redis.lindex(keys.chunks("members", "7"), 0)
    end = chunk[27:54].decode()
    redis.hset(keys.lane("members", "7"), mapping={"limit": 1, "suspect": end, "to": end, "passed": "add"})
    execute, calls = PooledSession.execute, iter(range(100))

    def is_missing_at_first(self: PooledSession, statement: str) -> int:
        if next(calls) == 0:
            raise TargetError(ErrorClass.HOLD, "sqlite missing", "there is no such table", level=HoldLevel.INTEGRATION)
        return execute(self, statement)

    with monkeypatch.context() as patched:
        patched.setattr(PooledSession, "execute", is_missing_at_first)
        job.let_timeouts_pass()
        job.runtime.deliver("crm", "t", 5)
    assert job.quarantined() == []
    assert job.target.members() == {("7", "A"), ("7", "B")}


@pytest.mark.parametrize(("seconds", "refused"), [(3.0, []), (1.0, ["A"])])
def test_who_passes_before_a_deliverer_stands_still_and_after_it_blames_nobody(
    job: Job, monkeypatch: pytest.MonkeyPatch, seconds: float, refused: list[str]
) -> None:
    """A table that was missing at both tries of one profile, and back whenever others were asked."""
    job.push(add(7, "A", "B"))
    job.runtime.route("t", 10)
    redis, keys = job.installation.redis, job.installation.keys
    end = redis.lindex(keys.chunks("members", "7"), 0)[27:54].decode()
    redis.hset(keys.lane("members", "7"), mapping={"limit": 1, "suspect": end, "to": end})
    run, calls, now = PooledSession._run, iter(range(100)), [1000.0]

    def is_missing_twice(self: PooledSession, statement: str, by: Callable[[str], int]) -> int:
        if next(calls) in {0, 2}:
            now[0] += seconds
            raise TargetError(ErrorClass.HOLD, "sqlite missing", "there is no such table", level=HoldLevel.INTEGRATION)
        return run(self, statement, by)

    with monkeypatch.context() as patched:
        patched.setattr(PooledSession, "_run", is_missing_twice)
        patched.setattr("workers.delivery.asking.now", lambda: now[0])
        job.let_timeouts_pass()
        job.runtime.deliver("crm", "t", 5)
    assert len(job.quarantined()) == len(refused)
    job.drain()
    assert job.target.members() == {("7", who) for who in "AB" if who not in refused}


def is_away(job: Job, monkeypatch: pytest.MonkeyPatch, *, tries: int, seconds: float = 0.0) -> list[bytes]:
    """The table is missing at so many tries of batches, and back whenever others are asked; what was told each time.

    seconds  that each of these tries takes
    """
    deliver, told, now = Attempts.deliver, list[bytes](), [1000.0]

    def missing(self: Attempts, turn: Turn, batch: Batch, *more: Any) -> Receipt:
        told.append(b" ".join(member.operation.body for member in batch.members))
        if len(told) > tries:
            return deliver(self, turn, batch, *more)
        now[0] += seconds
        gone = "there is no such table"
        raise TargetError(ErrorClass.HOLD, "sim", gone, level=HoldLevel.INTEGRATION, phase=Phase.EXECUTE)

    with monkeypatch.context() as patched:
        patched.setattr(Attempts, "deliver", missing)
        patched.setattr("workers.delivery.asking.now", lambda: now[0])
        job.let_timeouts_pass()
        job.runtime.deliver("crm", "t", 5)
    return told


def test_tries_before_others_passed_do_not_count(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Halves of a long batch were taken for tries of whom they came down to."""
    job.configure(batch='{ size = 256, timeout = "100ms" }')
    job.push(add(7, *(f"k{number}" for number in range(256))))
    job.runtime.route("t", 10)
    is_away(job, monkeypatch, tries=8 + 3, seconds=3.0)  # eight halve it, and he stands alone at three
    assert job.quarantined() == []
    job.ends_right()


@pytest.mark.parametrize("kind", [ErrorClass.RETRY, ErrorClass.HOLD, ErrorClass.UNKNOWN])
def test_tries_of_an_outage_do_not_count_where_nobody_is_left_to_ask(
    job: Job, monkeypatch: pytest.MonkeyPatch, kind: ErrorClass
) -> None:
    """Ten failed, others passed once and were delivered, and the first try since then was the last one."""
    job.push(add(7, "A"), add(8, "B"))
    job.runtime.route("t", 10)
    redis, keys = job.installation.redis, job.installation.keys
    end = redis.lindex(keys.chunks("members", "7"), 0)[27:54]
    redis.hset(keys.lane("members", "7"), mapping={"attempts": 10, "to": end, "passed": "undone"})
    run, ask = PooledSession._run, Inquiries.ask

    def refuses_one(self: PooledSession, statement: str, by: Callable[[str], int]) -> int:
        if "'A'" in statement:
            raise TargetError(kind, "sim", "there is no such table", level=HoldLevel.INTEGRATION)
        return run(self, statement, by)

    def asks(self: Inquiries, *about: Any) -> Any:
        found = ask(self, *about)
        if found.passed:  # and somebody else delivers all others in that moment
            redis.zadd(keys.timed("members"), {"8": 0})
            redis.zadd(keys.next("crm"), {"members": 0})
            job.installation.runtime().deliver("crm", "o", 0)
        return found

    monkeypatch.setattr(PooledSession, "_run", refuses_one)
    monkeypatch.setattr(Inquiries, "ask", asks)
    redis.zadd(keys.timed("members"), {"8": 9e15, "7": 0})
    redis.zadd(keys.next("crm"), {"members": 0})
    job.runtime.deliver("crm", "t", 5)
    assert ("8", "B") in job.target.members()
    assert job.quarantined() == []


def test_once_more_means_what_was_tried(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two operations of one profile are told as the later one; the earlier one by itself was never tried before."""
    job.configure(batch='{ size = 2, timeout = "100ms" }')
    for event in (add(7, "A"), add(7, "A"), add(7, "B"), remove(7, "C")):
        job.push(event)
        job.runtime.route("t", 10)
    is_away(job, monkeypatch, tries=2)
    assert job.quarantined() == []
    job.ends_right()


def test_a_table_of_positions_that_is_gone_is_no_profiles_fault(job: Job) -> None:
    """Others pass, who are asked without a position: a profile was set aside, and its batch tried without end."""
    job.target.run(CREATE["sqlite"])
    job.configure(exactly_once="true")
    job.push(add(7, "A", "B", "C", "D"))
    job.runtime.route("t", 10)
    job.target.run("DROP TABLE segsync_position")
    job.let_timeouts_pass()
    result = job.runtime.deliver("crm", "t", 5)
    assert isinstance(result, Failed)
    assert result.needs_help
    assert len(job.tries()) == 1
    assert b"aside" not in job.installation.redis.hgetall(job.installation.keys.lane("members", "7"))


@pytest.mark.parametrize("phase", [Phase.EXECUTE, Phase.COMMIT])
def test_who_is_set_aside_is_not_looked_for(job: Job, monkeypatch: pytest.MonkeyPatch, phase: Phase) -> None:
    """Nobody is told of a batch that is all set aside, and what fails all the same was tried without end."""
    job.push(add(7, "A", "B"))
    job.runtime.route("t", 10)
    redis, keys = job.installation.redis, job.installation.keys
    first = redis.lindex(keys.chunks("members", "7"), 0)[:27].decode()
    aside = pack_aside([Rejection(first, "sim refused", "a value does not fit")])
    redis.hset(keys.lane("members", "7"), mapping={"aside": aside, "limit": 1, "passed": "add"})
    tries = count()

    def fails(_attempts: Attempts, _turn: Turn, batch: Batch, *_more: Any) -> Receipt:
        assert not batch.members
        assert next(tries) < 10
        raise TargetError(ErrorClass.HOLD, "sim", "it is broken", level=HoldLevel.INTEGRATION, phase=phase)

    with monkeypatch.context() as patched:
        patched.setattr(Attempts, "deliver", fails)
        job.let_timeouts_pass()
        result = job.runtime.deliver("crm", "t", 5)
    assert isinstance(result, Failed)
    assert result.needs_help
    assert next(tries) == 1


def test_the_end_of_a_hold_is_told_once(job: Job, caplog: pytest.LogCaptureFixture) -> None:
    """Its beginning was told at each try, and nobody read when it was over."""
    job.target.run("ALTER TABLE member RENAME TO away")
    job.push(add(7, "A"))
    job.runtime.route("t", 10)
    job.let_timeouts_pass()
    assert isinstance(job.runtime.deliver("crm", "t", 5), Failed)
    job.target.run("ALTER TABLE away RENAME TO member")
    retry(job.installation.redis, job.installation.keys, "crm")
    job.ends_right()
    job.push(add(8, "B"))
    job.ends_right()
    told = [record.getMessage() for record in caplog.records if "goes on" in record.getMessage()]
    assert told == ["members goes on: what held it is over, as 7 shows"]
