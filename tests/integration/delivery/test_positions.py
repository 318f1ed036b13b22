"""`exactly_once` where a batch is cut anew after it was committed unheard, and where some of it is refused (rule 22).

On SQLite alone: what is cut and what is written down is the same for all.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.delivery.test_exactly_once import JOURNAL, dies_before_settling, journal, serve
from tests.integration.jobs import add, clear
from workers.connectors.sql.connector import PooledSession
from workers.connectors.sql.positions import CREATE, Reached
from workers.errors import ErrorClass, Phase, TargetError
from workers.events.sequence import Sequence
from workers.lanes import Lost

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.jobs import Job

BAD = "much too long"
REFUSING = f"CREATE TRIGGER refuses BEFORE INSERT ON journal WHEN NEW.client_id LIKE '{BAD}%'"
REFUSING += " BEGIN SELECT RAISE(ABORT, 'refused'); END"
CLEARS = "INSERT INTO journal (client_id) SELECT 'cleared' WHERE {segment_id} = {segment_id}"


@pytest.fixture
def once(sqlite_job: Job) -> Job:
    sqlite_job.target.run("CREATE TABLE journal (client_id varchar(255))", CREATE["sqlite"])
    configure(sqlite_job)
    return sqlite_job


def configure(job: Job, *, size: int = 1000, **more: str) -> None:
    batch = f'{{ size = {size}, timeout = "100ms" }}'
    job.configure(**{"exactly_once": "true", "add": JOURNAL, "clear": CLEARS, "batch": batch, **more})


def loses_answers(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """So many COMMITs come through, and their answers do not."""
    commit = PooledSession.commit
    left = [times]

    def unheard(self: PooledSession) -> None:
        commit(self)
        if left[0]:
            left[0] -= 1
            raise TargetError(ErrorClass.AMBIGUOUS, "sqlite lost", "the link was lost", phase=Phase.COMMIT)

    monkeypatch.setattr(PooledSession, "commit", unheard)


def goes_on(job: Job) -> None:
    """Whatever waits for its retry time, or for a lease to end, is due."""
    redis, keys = job.installation.redis, job.installation.keys
    for _ in range(20):
        redis.hdel(keys.lane("members", "7"), "retry")
        for due in (keys.full("members"), keys.timed("members")):
            redis.zadd(due, {"7": 0}, xx=True)
        job.runtime.deliver("crm", "t", 10)
        if not job.installation.backlog():
            return
    raise AssertionError(f"it is still owed: {redis.hgetall(keys.lane('members', '7'))}")


def test_a_half_of_what_was_committed_unheard_takes_no_position_back(
    once: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first half is skipped, and moved the position back to its own end: the second half was delivered again."""
    once.push(add(7, *"ABCDEFGH"))
    loses_answers(monkeypatch, 2)
    serve(once)
    goes_on(once)
    assert journal(once) == [*"ABCDEFGH"]
    limits = [each.operations for each in once.tries() if each.outcome == "delivered"]
    assert limits[0] == 4, "it was halved in between, or nothing was tested"


def test_a_smaller_batch_by_a_new_revision_takes_no_position_back(once: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    once.push(add(7, *"ABCDEFGH"))
    dies_before_settling(once, monkeypatch)
    configure(once, size=3)
    goes_on(once)
    assert journal(once) == [*"ABCDEFGH"]


def test_three_deaths_after_a_commit_repeat_nothing(once: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(once, size=8)
    once.push(add(7, *"ABCDEFGH"))
    dies_before_settling(once, monkeypatch)
    once.installation.redis.hset(once.installation.keys.lane("members", "7"), "starts", 3)
    goes_on(once)
    assert journal(once) == [*"ABCDEFGH"]
    assert [each.operations for each in once.tries()] == [4, 2, 1, 1]


def test_a_second_clear_repeats_neither_the_first_nor_what_stood_before_it(
    once: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It changes what is moot, and so how what was tried is cut: the first ran twice, with adds it had made moot."""
    once.push(add(7, "A"), clear(7))
    dies_before_settling(once, monkeypatch)
    assert journal(once) == ["cleared"]
    once.push(add(7, "B"), clear(7), add(7, "C"))
    once.runtime.route("t", 10)
    goes_on(once)
    assert journal(once) == ["C", "cleared", "cleared"]


def accounted_for(job: Job, *keys: str) -> None:
    """Each is in the table or in the quarantine, and in one of them."""
    refused = [str(entry.profile).removeprefix("p") for entry in job.quarantined()]
    assert sorted([*journal(job), *refused]) == sorted(keys)


@pytest.mark.parametrize("how", ["dies", "unheard"])
def test_what_is_written_down_as_refused_is_set_aside_whatever_the_position_says(
    once: Job, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """The position was committed past a refused profile, and nothing else told of it: it was nowhere."""
    once.target.run(REFUSING)
    once.push(add(7, "A", BAD, "B", "C"))
    lanes: Any = once.runtime.lanes
    release, settle = lanes.release, lanes.settle

    def written_down(told: Any) -> Any:
        if told.aside and how == "unheard":
            loses_answers(monkeypatch, 1)
        return release(told)

    with monkeypatch.context() as patched:
        patched.setattr(lanes, "release", written_down)
        if how == "dies":
            patched.setattr(lanes, "settle", lambda done: Lost() if done.entries else settle(done))
        serve(once)
    assert once.quarantined() == []
    once.target.run("DROP TRIGGER refuses")
    goes_on(once)
    assert [entry.code for entry in once.quarantined()] == ["sqlite SQLITE_CONSTRAINT_TRIGGER"]
    accounted_for(once, "A", "B", "C", BAD)


def test_most_are_refused_the_table_is_mended_and_nobody_is_lost(once: Job) -> None:
    """The one with which the query is found at fault was neither in the table nor in the quarantine."""
    once.target.run(REFUSING)
    bad = [f"{BAD}{n}" for n in range(25)]
    once.push(add(7, "A", *bad, "B"))
    result: Any = serve(once)
    assert result.needs_help
    once.target.run("DROP TRIGGER refuses")
    once.installation.redis.hdel(once.installation.keys.integration("members"), "hold_until", "hold", "hold_id")
    goes_on(once)
    accounted_for(once, "A", "B", *bad)
    assert set(bad) & set(journal(once)), "the table was mended before all were set aside"


def test_positions_older_than_all_that_waits_may_be_deleted(once: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    once.push(add(8, "A"))
    once.drain()
    once.push(add(7, *"BC"))
    dies_before_settling(once, monkeypatch)  # its lane owes what its position says is there
    head: Any = once.installation.redis.hget(once.installation.keys.lane("members", "7"), "head")
    before = int(once.target.run("SELECT count(*) FROM segsync_position")[0][0])
    once.target.run(f"DELETE FROM segsync_position WHERE position < '{int(head)}'")
    assert (before, once.target.run("SELECT count(*) FROM segsync_position")[0][0]) == (2, 1)
    goes_on(once)
    once.push(add(8, "D"))
    once.drain()
    assert journal(once) == [*"ABCD"]


def test_a_position_may_be_deleted_under_a_lane_that_owes_only_what_is_greater(
    once: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None at all is not behind what was delivered: only the one of a target that was restored is."""
    configure(once, size=1)
    once.push(add(7, "A"))
    time.sleep(0.005)
    once.push(add(7, "B"))
    commit, commits = PooledSession.commit, list[PooledSession]()

    def once_only(self: PooledSession) -> None:
        commits.append(self)
        if len(commits) > 1:
            raise TargetError(ErrorClass.RETRY, "sqlite busy", "another one writes", phase=Phase.COMMIT)
        commit(self)

    with monkeypatch.context() as patched:
        patched.setattr(PooledSession, "commit", once_only)
        serve(once)
    assert (journal(once), once.installation.backlog()) == (["A"], 1)
    head: Any = once.installation.redis.hget(once.installation.keys.lane("members", "7"), "head")
    once.target.run(f"DELETE FROM segsync_position WHERE position < '{int(head)}'")
    assert once.target.run("SELECT position FROM segsync_position") == []
    goes_on(once)
    assert journal(once) == [*"AB"]


@pytest.mark.parametrize("place", ["that of another", "between them", "between them, written without a fingerprint"])
def test_a_position_in_what_redis_has_given_out_twice_holds_the_lane(once: Job, place: str) -> None:
    """As when its replica took over without the last second, and with a clock that is behind: nothing is dropped."""
    once.push(add(7, "A"))
    serve(once)
    ((position,),) = once.target.run("SELECT position FROM segsync_position")
    fingerprint = Reached.from_text(position).fingerprint
    assert (len(position), len(fingerprint)) == (27, 5)
    once.push(add(7, "B"), add(7, "C"))
    once.runtime.route("t", 10)
    chunks = once.installation.redis.lrange(once.installation.keys.chunks("members", "7"), 0, -1)
    first, last = chunks[0][:27].decode(), chunks[-1][27:54].decode()
    between = str(Sequence.from_text(first)._replace(index=1))
    unknown = {
        "that of another": Reached(last, fingerprint),
        "between them": Reached(between, fingerprint),
        "between them, written without a fingerprint": Reached(between),
    }[place]
    once.target.run(f"UPDATE segsync_position SET position = '{unknown}'")
    assert "does not have" in str(serve(once))
    assert (journal(once), once.installation.backlog()) == (["A"], 2)


def commits_past_what_was_refused(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused stands in the lane, the position is behind it, and nothing of that is settled."""
    lanes: Any = job.runtime.lanes
    settle = lanes.settle
    with monkeypatch.context() as patched:
        patched.setattr(lanes, "settle", lambda done: Lost() if done.entries else settle(done))
        serve(job)
    assert job.quarantined() == []
    job.installation.redis.hset(job.installation.keys.lane("members", "7"), mapping={"until": 0})


def test_a_redis_that_has_lost_what_it_set_aside_takes_none_of_it_for_delivered(
    once: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when its replica took over between the COMMIT and the settlement: the refused one was nowhere."""
    once.target.run(REFUSING)
    once.push(add(7, "A", BAD, "B"))
    commits_past_what_was_refused(once, monkeypatch)
    loses_what_it_set_aside(once)
    assert "passed over a refused one" in str(serve(once))
    assert (journal(once), once.installation.backlog()) == (["A"], 2)


def loses_what_it_set_aside(job: Job) -> None:
    redis, keys = job.installation.redis, job.installation.keys
    redis.hdel(keys.lane("members", "7"), "aside")
    is_due(job)


def is_due(job: Job) -> None:
    for due in (job.installation.keys.full("members"), job.installation.keys.timed("members")):
        job.installation.redis.zadd(due, {"7": 0}, xx=True)


@pytest.mark.parametrize("settled", [False, True])
def test_a_half_of_what_passed_over_a_refused_one_takes_that_from_no_position(
    once: Job, monkeypatch: pytest.MonkeyPatch, settled: bool
) -> None:
    """The position forgot it with the half's COMMIT, before the quarantine had it; or else it was the half's last."""
    numbers = JOURNAL.replace("'{$lead.CustomID}'", "{number $lead.CustomID}")
    configure(once, size=4, add=numbers)
    once.push(add(7, "1", BAD, "2", "3"))
    commits_past_what_was_refused(once, monkeypatch)
    ((position,),) = once.target.run("SELECT position FROM segsync_position")
    configure(once, size=2)  # which refuses nothing
    once.runtime.follow()
    is_due(once)
    if settled:
        monkeypatch.setattr(once.runtime.lanes, "settle", settles_and_dies(once))
        serve(once)
        assert len(once.quarantined()) == 1
        is_due(once)
        monkeypatch.undo()
        goes_on(once)
        accounted_for(once, "1", "2", "3", BAD)
        return
    commits_past_what_was_refused(once, monkeypatch)
    assert once.target.run("SELECT position FROM segsync_position") == [(position,)]
    loses_what_it_set_aside(once)
    assert "passed over a refused one" in str(serve(once))
    assert (once.quarantined(), once.installation.backlog()) == ([], 4)


def settles_and_dies(job: Job) -> Callable[[Any], Any]:
    """Its turn goes no further: what the lane says is all that the next one knows."""
    settle = job.runtime.lanes.settle

    def settle_and_die(done: Any) -> Any:
        settle(replace(done, go_on=False))
        return Lost()

    return settle_and_die


def test_what_was_set_aside_is_settled_in_smaller_batches(once: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """The position says that some was refused, and of the second batch none was."""
    numbers = JOURNAL.replace("'{$lead.CustomID}'", "{number $lead.CustomID}")
    configure(once, size=4, add=numbers)
    once.push(add(7, "1", BAD, "2", "3"))
    commits_past_what_was_refused(once, monkeypatch)
    assert journal(once) == ["1", "2", "3"]
    configure(once, size=2, add=numbers)
    once.runtime.follow()
    goes_on(once)
    accounted_for(once, "1", "2", "3", BAD)
