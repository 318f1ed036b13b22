"""`exactly_once`: from the intake on, each operation takes effect once, whatever is repeated (rule 22).

The journal is what shows it: its add query is a plain INSERT that a repeated batch would double.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.jobs import add, clear
from tests.waiting import PATIENCE
from workers.connectors.sql.positions import CREATE
from workers.lanes import Lost

if TYPE_CHECKING:
    from tests.integration.jobs import Job

JOURNAL = """
INSERT INTO journal (client_id) VALUES
{for $index, $lead = $batch}('{$lead.CustomID}'){autocomma}{end}
;
INSERT INTO journal (client_id) SELECT NULL FROM journal WHERE 1 = 0 AND 1 = {segment_id}
"""


@pytest.fixture
def once(job: Job) -> Job:
    """A job whose add query writes a journal, with exactly_once."""
    job.target.run("CREATE TABLE journal (client_id varchar(255))", CREATE[job.target.dialect])
    job.configure(exactly_once="true", add=JOURNAL)
    return job


def journal(job: Job) -> list[str]:
    return sorted(row[0] for row in job.target.run("SELECT client_id FROM journal"))


def serve(job: Job) -> Any:
    job.runtime.route("t", 10)
    job.let_timeouts_pass()
    return job.runtime.deliver("crm", "t", 30)


def dies_before_settling(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """COMMIT has come through, and then the deliverer is gone: its lease ends and another takes the lane."""
    lanes = job.runtime.lanes
    with monkeypatch.context() as patch:
        patch.setattr(lanes, "settle", lambda _: Lost())
        serve(job)
    keys = job.installation.keys
    for segment in ("7", "8"):
        job.installation.redis.hset(keys.lane("members", segment), mapping={"until": 0})
        for due in (keys.full("members"), keys.timed("members")):
            job.installation.redis.zadd(due, {segment: 0}, xx=True)


def test_a_batch_that_was_committed_is_not_repeated(once: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    once.push(add(7, "A", "B"))
    dies_before_settling(once, monkeypatch)
    assert journal(once) == ["A", "B"]
    once.push(add(7, "C"))
    once.drain()
    assert journal(once) == ["A", "B", "C"]
    assert once.installation.backlog() == 0


def test_without_it_the_same_crash_repeats_the_batch(once: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the test above guards against does happen otherwise."""
    once.configure(add=JOURNAL)
    once.push(add(7, "A"))
    once.runtime.follow()
    dies_before_settling(once, monkeypatch)
    once.drain()
    assert journal(once) == ["A", "A"]


def test_a_batch_cut_again_is_only_delivered_where_it_is_new(once: Job) -> None:
    """The position lies within the batch: what is at or below it is dropped (rule 22)."""
    once.push(add(7, "A", "B"))
    serve(once)
    ((position,),) = once.target.run("SELECT position FROM segsync_position")
    once.push(add(7, "C", "D"))
    once.runtime.route("t", 10)
    first = once.installation.redis.lrange(once.installation.keys.chunks("members", "7"), 0, 0)[0][:27].decode()
    assert first > position
    once.target.run(f"UPDATE segsync_position SET position = '{first}'")
    serve(once)
    assert journal(once) == ["A", "B", "D"]


def test_a_position_is_read_by_one_transaction_at_a_time(once: Job) -> None:
    """Whoever comes second reads what the first has written, even where no session lock keeps them apart."""
    connector: Any = once.runtime.targets.get("crm")
    first, second = connector.open(), connector.open()
    first.begin(None, PATIENCE)
    first.position("lane", "members")
    first.commit()  # the row is there
    first.begin(None, PATIENCE)
    first.position("lane", "members")
    found: list[str] = []

    def reads() -> None:
        second.begin(None, PATIENCE)
        found.append(second.position("lane", "members"))
        second.discard()

    other = threading.Thread(target=reads)
    other.start()
    other.join(0.3)
    first.move_position("lane", "1" * 27)
    first.commit()
    other.join(PATIENCE)
    first.close()
    connector.dispose()

    assert found == ["1" * 27]


def test_a_position_ahead_of_everything_holds_the_lane(once: Job) -> None:
    """As when Redis has lost what the target has: it never trims and never ends by itself (rule 22)."""
    once.push(add(7, "A"))
    serve(once)
    once.target.run(f"UPDATE segsync_position SET position = '{9 * 10**12:013d}{0:014d}'")
    once.push(add(7, "B"), add(8, "C"))
    results = [serve(once), serve(once)]
    assert any("ahead" in str(result) for result in results)
    assert journal(once) == ["A", "C"]
    assert once.installation.backlog() == 1


def test_a_position_behind_what_was_delivered_holds_the_lane(once: Job) -> None:
    """As when the target was restored from a backup."""
    once.push(*(add(7, f"K{n}") for n in range(3)))
    once.configure(exactly_once="true", add=JOURNAL, batch='{ size = 1, timeout = "100ms" }')
    once.runtime.follow()
    once.runtime.route("t", 10)
    lanes = once.runtime.lanes
    settle = lanes.settle

    def restored(done: Any) -> Any:
        answer = settle(done)
        once.target.run(f"UPDATE segsync_position SET position = '{1:027d}'")
        return answer

    lanes.settle = restored  # type: ignore[method-assign]
    result = serve(once)
    assert "behind" in str(result)
    assert journal(once) == ["K0"]
    assert once.installation.backlog() == 2


def test_without_its_table_the_integration_is_held(once: Job) -> None:
    once.target.run("DROP TABLE segsync_position")
    once.push(add(7, "A"))
    result = serve(once)
    assert result.needs_help
    assert once.installation.redis.hget(once.installation.keys.integration("members"), "hold_until")
    assert journal(once) == []


def test_segment_events_and_moot_batches_move_the_position(once: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    once.push(add(7, "A"), clear(7), add(7, "B"))
    dies_before_settling(once, monkeypatch)
    once.drain()
    assert journal(once) == ["B"]
    assert once.installation.backlog() == 0


def test_a_bad_profile_is_passed_over_and_the_lane_goes_on(once: Job) -> None:
    """What goes to the quarantine moves the position too, or the next batch would find it behind (rule 22)."""
    once.target.run("DROP TABLE journal", "CREATE TABLE journal (client_id varchar(9) CHECK (length(client_id) < 9))")
    once.push(add(7, "A", "much too long", "B"))
    serve(once)
    once.push(add(7, "C"))
    once.drain()
    assert journal(once) == ["A", "B", "C"]
    assert once.installation.backlog() == 0
