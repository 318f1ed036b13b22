"""Out of the quarantine again: what is retried never overwrites what came later, and each entry ends in one state."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.jobs import add, clear, delete, remove, upsert
from tests.servers.mariadb import BINARY
from workers import outcomes
from workers.errors import MalformedEvent
from workers.events.retry_header import RetryHeader, encode
from workers.quarantine import entries as quarantine
from workers.quarantine import requeue as requeueing
from workers.quarantine.entries import Selection
from workers.quarantine.past_tries import history
from workers.runtime import Runtime
from workers.settings import load, load_local, revision

if TYPE_CHECKING:
    from tests.integration.jobs import Job
    from workers.quarantine.entries import EntryDetail
    from workers.quarantine.requeue import Requeued

BAD = "x" * 300
"""Too long for client_id in MariaDB and PostgreSQL."""

TRIGGER = (
    "CREATE TRIGGER too_long BEFORE INSERT ON {table} WHEN length(NEW.{column}) > 255"
    " BEGIN SELECT RAISE(ABORT, 'too long'); END"
)
WIDEN = {
    "sqlite": "DROP TRIGGER too_long",
    "postgresql": "ALTER TABLE member ALTER COLUMN client_id TYPE varchar(400)",
    "mysql": f"ALTER TABLE member MODIFY client_id varchar(400) CHARACTER SET utf8mb4 COLLATE {BINARY}",
}


@pytest.fixture
def lite(sqlite_job: Job) -> Job:
    """A job on SQLite, which refuses BAD."""
    refuse(sqlite_job)
    return sqlite_job


def refuse(job: Job) -> None:
    if job.target.dialect == "sqlite":
        job.target.run(TRIGGER.format(table="member", column="client_id"))


def widen(job: Job) -> None:
    job.target.run(WIDEN[job.target.dialect])


def retry(job: Job, *ids: int, **wanted: Any) -> Requeued:
    runtime = job.runtime
    which = Selection(ids, **wanted)
    done = requeueing.retry(runtime.ledger, runtime.lanes, runtime.keys, which, "ann@host")
    runtime.drain_outcomes(10)
    return done


def drop(job: Job, *ids: int) -> Requeued:
    done = requeueing.drop(job.runtime.ledger, job.runtime.lanes, Selection(ids), "ann@host")
    job.runtime.drain_outcomes(10)
    return done


def entries(job: Job) -> list[EntryDetail]:
    return [entry for page in quarantine.pages(job.runtime.ledger, Selection(state=None)) for entry in page]


def states(job: Job) -> list[str]:
    return [entry.state for entry in entries(job)]


def only(job: Job) -> EntryDetail:
    (entry,) = entries(job)
    return entry


def open_slots(job: Job, segment: str = "7") -> dict[bytes, bytes]:
    """Slot to entry; the sequence that the entry had first stands behind it."""
    found: Any = job.installation.redis.hgetall(f"{job.installation.namespace}:open:members:{segment}")
    return {slot: value.split(b" ")[0] for slot, value in found.items()}


def raw(job: Job, data: bytes, **more: bytes) -> None:
    job.installation.redis.xadd(job.installation.keys.events, {"event": data, **more})


def test_an_entry_tells_the_tries_that_it_was_in(job: Job) -> None:
    """The search for it, and the tries of the entry that it replaces."""
    refuse(job)
    job.push(add(7, *(f"k{n}" for n in range(7)), BAD))
    job.drain()
    job.runtime.drain_outcomes(10)
    first = only(job)
    tries = history(job.runtime.ledger, first)
    retry(job)
    job.drain()
    job.runtime.drain_outcomes(10)
    again = next(entry for entry in entries(job) if entry.state == "open")

    assert [each.operations for each in tries] == sorted((each.operations for each in tries), reverse=True)
    assert tries[0].operations == 8
    assert {(each.outcome, each.event_type, each.code) for each in tries[:-1]} == {("retry", "add", first.code)}
    assert (tries[-1].outcome, tries[-1].operations) == ("delivered", 1)
    both = history(job.runtime.ledger, again)
    assert both[: len(tries)] == tries
    assert len(both) > len(tries)
    assert history(job.runtime.ledger, first) == tries, "what was tried of others is not its own"


# --- What a retry leads to -------------------------------------------------------------------------------------------


def test_a_retry_after_the_column_was_widened_delivers(job: Job) -> None:
    refuse(job)
    job.push(add(7, "A", BAD))
    job.drain()
    assert states(job) == ["open"]
    widen(job)
    assert retry(job).entries == 1
    assert states(job) == ["retried"]
    assert only(job).changed_by == "ann@host"
    job.ends_right()
    assert states(job) == ["delivered"]
    assert open_slots(job) == {}


def test_a_retry_keeps_the_time_when_it_happened(lite: Job) -> None:
    lite.push(add(7, BAD) | {"at": "2026-01-02T03:04:05Z"})
    lite.drain()
    widen(lite)
    retry(lite)
    lite.drain()
    ((updated,),) = lite.target.run("SELECT updated FROM member")
    assert updated.startswith("2026-01-02")


@pytest.mark.parametrize("later", [add, remove])
def test_a_later_operation_of_the_key_supersedes_the_entry(job: Job, later: Any) -> None:
    """Of the same key, whoever's profile: operations meet on the key."""
    refuse(job)
    job.push(add(7, BAD, "B"))
    job.drain()
    widen(job)
    job.push(later(7, BAD))
    job.drain()
    assert states(job) == ["superseded"]
    assert only(job).note == "later operation"
    assert retry(job, only(job).id).left == [(1, "it is superseded")]
    job.ends_right()


def test_a_later_operation_of_the_key_in_the_very_batch_supersedes_the_entry(lite: Job) -> None:
    """Where nothing is merged. It stayed open, and its retry was said to be stopped by another spelling."""
    query = lite.target.queries()["add"].replace("{$lead._event_time}", "{number $lead.at}")
    lite.configure(ordering='"strict"', add=query)
    profiles = [{"_id": "1", "CustomID": "A", "at": at} for at in ("no number", "5")]
    lite.installation.producer.push([{"type": "add", "segment": {"id": 7}, "profiles": profiles}])
    lite.drain()
    assert lite.target.members() == {("7", "A")}
    assert (states(lite), open_slots(lite)) == (["superseded"], {})


@pytest.mark.parametrize("later", [add, remove])
def test_what_came_later_under_another_spelling_stops_a_retry_and_loses_nothing(lite: Job, later: Any) -> None:
    """The table may take both for one row, or for two: a person decides."""
    lite.push(add(7, "good"), add(7, BAD), add(7, "y" * 300))
    lite.drain()
    widen(lite)
    lite.push(later(7, BAD.upper()))
    lite.drain()
    assert states(lite) == ["open", "open"]
    done = retry(lite)
    assert (done.entries, done.left) == (1, [(1, requeueing.SPELLED)])
    lite.drain()
    assert states(lite) == ["open", "delivered"]
    assert ("7", BAD) not in lite.target.members()
    drop(lite, 1)
    assert lite.installation.redis.keys(f"{lite.installation.namespace}:rows:*") == []


def test_what_came_earlier_under_another_spelling_stops_no_retry(lite: Job) -> None:
    lite.push(add(7, BAD))
    lite.drain()
    widen(lite)
    lite.push(add(7, BAD.upper()))
    lite.drain()
    refuse(lite)
    lite.push(add(7, "X" + BAD[1:]))
    lite.drain()
    widen(lite)
    assert (retry(lite).entries, states(lite)) == (1, ["open", "retried"])
    lite.drain()
    assert states(lite) == ["open", "delivered"]


def test_where_keys_are_exact_another_spelling_is_another_row(lite: Job) -> None:
    lite.configure(ordering='"exact"')
    lite.push(add(7, BAD))
    lite.drain()
    widen(lite)
    lite.push(remove(7, BAD.upper()))
    lite.drain()
    retry(lite)
    lite.ends_right()
    assert lite.target.members() == {("7", BAD)}


def test_another_spelling_that_comes_between_retry_and_delivery_opens_it_again(lite: Job) -> None:
    lite.configure(leave_out=("batch",), **lite.target.single_queries())
    lite.push(add(7, BAD))
    lite.drain()
    widen(lite)
    lite.push(remove(7, BAD.upper()))
    assert retry(lite).entries == 1
    lite.drain()
    assert (states(lite), only(lite).note) == (["open"], "other spelling")
    assert lite.target.members() == set()
    assert retry(lite, 1).left == [(1, requeueing.SPELLED)]


def test_a_retry_is_as_old_as_it_was_for_another_spelling_of_its_key(lite: Job) -> None:
    """What is retried late may be older than what was refused: brought first, the newer one still may come."""
    lite.push(add(7, "good"), add(7, BAD), add(7, BAD.upper()))
    lite.drain()
    widen(lite)
    retry(lite, 1)
    lite.drain()
    assert retry(lite, 2).entries == 1
    lite.drain()
    assert states(lite) == ["delivered", "delivered"]


def test_a_newer_one_that_is_retried_first_stops_the_older_one(lite: Job) -> None:
    lite.push(add(7, "good"), add(7, BAD), add(7, BAD.upper()))
    lite.drain()
    widen(lite)
    retry(lite, 2)
    lite.drain()
    assert retry(lite, 1).left == [(1, requeueing.SPELLED)]


def test_a_later_operation_of_another_key_or_segment_does_not(lite: Job) -> None:
    lite.push(add(7, BAD))
    lite.drain()
    lite.push(add(7, "B"), remove(8, BAD), upsert(7, "n"), delete(8))
    lite.drain()
    assert states(lite) == ["open"]


def test_what_was_refused_before_its_segment_was_deleted_does_not_come_back(lite: Job) -> None:
    """Nor where the segment is in use again: it is another one."""
    lite.push(upsert(7, "old"), add(7, BAD))
    lite.drain()
    lite.push(delete(7), upsert(7, "new"), add(7, "B"))
    lite.drain()
    widen(lite)
    retry(lite)
    lite.drain()
    assert states(lite) == ["superseded"]
    assert open_slots(lite) == {}
    assert ("7", BAD) not in lite.target.members()


def test_a_delete_without_a_query_supersedes_nothing(lite: Job) -> None:
    """The target was not told of it, and keeps what it has."""
    lite.configure(leave_out=("segment_delete",))
    lite.push(add(7, BAD))
    lite.drain()
    lite.installation.producer.push([delete(7)])
    lite.drain()
    assert states(lite) == ["open"]


@pytest.mark.parametrize("later", [add, remove])
def test_what_comes_between_retry_and_delivery_supersedes_it(lite: Job, later: Any) -> None:
    """Its own batch before the retry's: the retry is looked up when it is delivered, and changes nothing."""
    lite.configure(leave_out=("batch",), **lite.target.single_queries())
    lite.push(add(7, BAD))
    lite.drain()
    widen(lite)
    lite.push(later(7, BAD))
    assert retry(lite).entries == 1
    changes_before = later is add
    lite.ends_right()
    assert states(lite) == ["superseded"]
    assert lite.target.members() == ({("7", BAD)} if changes_before else set())


def test_a_clear_supersedes_the_entries_of_its_segment(lite: Job) -> None:
    lite.push(add(7, BAD), {"type": "add", "segment": {"id": 7}, "profiles": [{"_id": "no key", "CustomID": ""}]})
    lite.push(add(8, BAD))
    lite.drain()
    widen(lite)
    lite.push(clear(7))
    lite.drain()
    assert [(e.segment, e.state) for e in entries(lite)] == [
        ("7", "superseded"),
        ("7", "superseded"),
        ("8", "open"),
    ]
    assert open_slots(lite) == {}
    retry(lite)
    lite.drain()
    assert lite.target.members() == {("8", BAD)}


def test_a_clear_between_retry_and_delivery_supersedes_it(lite: Job) -> None:
    lite.push(add(7, BAD))
    lite.drain()
    widen(lite)
    lite.push(clear(7))
    retry(lite)
    lite.ends_right()
    assert lite.target.members() == set()
    assert states(lite) == ["superseded"]


def test_a_clear_without_a_query_supersedes_nothing(lite: Job) -> None:
    lite.configure(leave_out=("clear",))
    lite.push(add(7, BAD))
    lite.drain()
    lite.push(clear(7))
    lite.drain()
    assert states(lite) == ["open"]


@pytest.mark.parametrize("retry_first", [True, False])
def test_a_retry_loses_against_a_normal_operation_in_its_batch(job: Job, retry_first: bool) -> None:
    refuse(job)
    job.push(add(7, BAD))
    job.drain()
    widen(job)
    if retry_first:
        retry(job)
        job.push(remove(7, BAD))
    else:
        job.push(remove(7, BAD))
        retry(job)
    job.drain()
    assert job.target.members() == set()
    assert states(job) == ["superseded"]


def test_what_is_refused_again_gets_a_new_entry_that_knows_its_past(lite: Job) -> None:
    lite.push(add(7, BAD))
    lite.drain()
    for times in (1, 2):
        retry(lite)
        lite.drain()
        assert states(lite) == ["replaced"] * times + ["open"]
    first, second, third = entries(lite)
    assert (first.retries, second.retries, third.retries) == (0, 1, 2)
    assert (second.replaces, third.replaces) == (first.uid, second.uid)
    assert list(open_slots(lite).values()) == [third.uid.encode()]
    widen(lite)
    retry(lite)
    lite.ends_right()
    assert states(lite) == ["replaced", "replaced", "delivered"]


def test_retrying_twice_delivers_once(lite: Job) -> None:
    lite.push(add(7, BAD))
    lite.drain()
    retry(lite)
    retry(lite, 1)
    lite.drain()
    assert states(lite) == ["replaced", "open"]
    widen(lite)
    retry(lite)
    retry(lite, 2)
    lite.ends_right()
    assert states(lite) == ["replaced", "delivered"]


def test_a_retry_that_comes_second_leaves_the_new_entry_in_its_place(lite: Job) -> None:
    """Or a later operation of the key would not find it."""
    lite.configure(leave_out=("batch",), **lite.target.single_queries())
    lite.push(add(7, BAD))
    lite.drain()
    retry(lite)
    retry(lite, 1)
    lite.drain()
    assert states(lite) == ["replaced", "open"]
    lite.push(remove(7, BAD))
    lite.drain()
    assert states(lite) == ["replaced", "superseded"]


def test_a_clear_that_the_ledger_does_not_know_yet_supersedes_what_had_no_key(
    lite: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    lite.installation.producer.push([{"type": "add", "segment": {"id": 7}, "profiles": [{"_id": "A", "CustomID": ""}]}])
    lite.drain()
    with monkeypatch.context() as patched:
        patched.setattr(lite.runtime, "drain_outcomes", lambda seconds: int(seconds * 0))
        lite.push(clear(7))
        lite.drain()
        done = retry(lite)
    assert done.left == [(1, requeueing.GONE)]
    lite.drain()
    assert states(lite) == ["superseded"]


def kept(job: Job) -> int:
    """All that Redis holds of the installation: keys, and what stands in them, but for streams that were emptied."""
    redis, found = job.installation.redis, 0
    counts: Any = {b"hash": redis.hlen, b"zset": redis.zcard, b"set": redis.scard, b"list": redis.llen}
    for name in redis.scan_iter(match=f"{job.installation.keys.namespace}:*", count=1000):
        kind: Any = redis.type(name)
        found += counts[kind](name) if kind in counts else 1
    return found


def test_a_segment_that_has_ended_leaves_nothing_behind(lite: Job) -> None:
    """Nor what of it was refused without a key: a field was kept for each segment that was ever cleared."""

    def lives(segment: int) -> None:
        unkeyed = {"type": "add", "segment": {"id": segment}, "profiles": [{"_id": "A", "CustomID": ""}]}
        lite.push(add(segment, "B", BAD))
        lite.installation.producer.push([unkeyed])
        lite.push(clear(segment), add(segment, "C"))
        lite.installation.producer.push([unkeyed])
        lite.push({"type": "segment_delete", "segment": {"id": segment}})
        lite.drain()
        lite.runtime.drain_outcomes(60)

    lives(1)
    before = kept(lite)
    for segment in range(2, 6):
        lives(segment)
    assert kept(lite) == before


def test_an_operation_that_had_no_key_is_retried_once_the_key_is_another(lite: Job) -> None:
    lite.configure(leave_out=("batch",), **lite.target.single_queries())
    event = {"type": "add", "segment": {"id": 7}, "profiles": [{"_id": "A"}]}
    lite.installation.producer.push([event])
    lite.drain()
    assert (only(lite).code, open_slots(lite)) == ("missing key", {})
    queries = {kind: query.replace("CustomID", "_id") for kind, query in lite.target.single_queries().items()}
    lite.configure(leave_out=("batch", "key"), **queries)
    lite.runtime.follow()
    retry(lite)
    lite.drain()
    assert lite.target.members() == {("7", "A")}
    assert (states(lite), open_slots(lite)) == (["delivered"], {})


def test_a_refused_segment_event_is_retried_with_the_name_that_is_known_now(lite: Job) -> None:
    lite.target.run(TRIGGER.format(table="segment", column="name").replace("too_long", "long_name"))
    lite.push(upsert(7, BAD))
    lite.drain()
    assert only(lite).event_type == "segment_upsert"
    lite.target.run("DROP TRIGGER long_name")
    retry(lite)
    lite.ends_right()
    assert states(lite) == ["delivered"]


def test_a_later_upsert_supersedes_a_refused_one_and_a_clear_does_not(lite: Job) -> None:
    lite.target.run(TRIGGER.format(table="segment", column="name").replace("too_long", "long_name"))
    lite.push(upsert(7, BAD), clear(7), add(7, "A"))
    lite.drain()
    assert states(lite) == ["open"]
    lite.push(upsert(7, "short"))
    lite.ends_right()
    assert states(lite) == ["superseded"]


def refuse_clears(job: Job) -> None:
    job.target.run("CREATE TRIGGER no_clear BEFORE DELETE ON member BEGIN SELECT RAISE(ABORT, 'kept'); END")


def leave_a_refused_clear(job: Job) -> None:
    """Behind A; the next one would run."""
    job.push(add(7, "A"))
    job.drain()
    refuse_clears(job)
    job.push(clear(7))
    job.drain()
    job.target.run("DROP TRIGGER no_clear")


def test_a_refused_clear_is_retried_while_nothing_came_after_it(lite: Job) -> None:
    leave_a_refused_clear(lite)
    retry(lite)
    lite.ends_right()
    assert lite.target.members() == set()


def test_a_refused_clear_never_wipes_what_came_after_it(lite: Job) -> None:
    """Neither what was delivered after it, nor what still waits in the lane before the retry."""
    leave_a_refused_clear(lite)
    flagged = lite.installation.keys.resync("members")
    assert lite.installation.redis.smembers(flagged) == set()
    lite.push(add(7, "B"))
    retry(lite)
    lite.drain()
    assert lite.target.members() == {("7", "A"), ("7", "B")}
    assert states(lite) == ["superseded"]
    assert lite.installation.redis.smembers(flagged) == {b"7"}, "A should have gone"


@pytest.mark.parametrize("behind", [[upsert(7, "seven"), clear(7), add(7, "N")], [delete(7)]])
def test_a_refused_clear_flags_nothing_where_another_end_comes_behind_it(lite: Job, behind: list[Any]) -> None:
    """Whatever it would have taken away goes all the same."""
    leave_a_refused_clear(lite)
    lite.push(add(7, "B"), *behind)
    lite.drain()
    assert states(lite) == ["superseded"]
    assert lite.installation.redis.smembers(lite.installation.keys.resync("members")) == set()


@pytest.mark.parametrize("first_refused", ["clear", "B"])
def test_a_refused_clear_never_wipes_what_was_refused_after_it_and_retried_since(lite: Job, first_refused: str) -> None:
    """A profile that is retried is as old as when it first came: what came before it must not undo it."""
    refuse_clears(lite)
    lite.target.run(
        "CREATE TRIGGER no_b BEFORE INSERT ON member WHEN NEW.client_id = 'B' BEGIN SELECT RAISE(ABORT, 'not yet'); END"
    )
    lite.push(add(7, "A"))
    lite.drain()
    for event in (clear(7), add(7, "B")) if first_refused == "clear" else (add(7, "B"), clear(7)):
        lite.push(event)
        lite.drain()
    lite.target.run("DROP TRIGGER no_b")
    lite.drain()
    (profile,) = [entry.id for entry in entries(lite) if entry.event_type == "add"]
    retry(lite, profile)
    lite.drain()
    lite.target.run("DROP TRIGGER no_clear")
    (refused,) = [entry.id for entry in entries(lite) if entry.event_type == "clear"]
    retry(lite, refused)
    lite.drain()
    assert lite.target.members() == ({("7", "A"), ("7", "B")} if first_refused == "clear" else set())


def test_a_retried_clear_supersedes_what_was_refused_again_after_a_retry(lite: Job) -> None:
    """Its own sequence is later than the clear's, and it is older all the same: its entry would stay open for ever."""
    refuse_clears(lite)
    lite.push(add(7, "A"))
    lite.drain()
    lite.push(add(7, BAD))
    lite.drain()
    lite.push(clear(7))
    lite.drain()
    (profile,) = [entry.id for entry in entries(lite) if entry.event_type == "add"]
    retry(lite, profile)
    lite.drain()
    assert states(lite) == ["replaced", "open", "open"]
    lite.target.run("DROP TRIGGER no_clear")
    retry(lite, *[entry.id for entry in entries(lite) if entry.event_type == "clear"])
    lite.drain()
    assert states(lite) == ["replaced", "delivered", "superseded"]
    assert lite.target.members() == set()
    assert open_slots(lite) == {}


# --- Where a retry cannot go -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("removed", [True, False])
def test_what_no_integration_follows_any_more_is_open_again_with_the_reason(lite: Job, removed: bool) -> None:
    lite.push(add(7, BAD))
    lite.drain()
    slots = open_slots(lite)
    other = lite.target.integration("others" if removed else "members").replace('"all"', '["8"]')
    lite.installation.configure(lite.target.connector() + other)
    revision.publish(lite.installation.redis, lite.installation.keys, load(lite.installation.file))
    lite.runtime.follow()
    retry(lite)
    lite.drain()
    assert states(lite) == ["open"]
    assert only(lite).note.startswith("not followed: 'members' is not in the applied configuration")
    assert open_slots(lite) == slots
    lite.configure()
    lite.runtime.follow()
    widen(lite)
    retry(lite)
    lite.ends_right()
    assert states(lite) == ["delivered"]


def test_a_retry_teaches_nothing_about_its_segment(lite: Job) -> None:
    """An old delete must not make a segment forgotten that is in use again."""
    lite.target.run("CREATE TRIGGER no_delete BEFORE DELETE ON segment BEGIN SELECT RAISE(ABORT, 'kept'); END")
    lite.push(upsert(7, "VIP"), delete(7), add(7, "A"))
    lite.drain()
    known = lite.installation.redis.hget(lite.installation.keys.segments, "7")
    assert known is not None
    lite.target.run("DROP TRIGGER no_delete")
    retry(lite)
    lite.drain()
    assert states(lite) == ["delivered"]
    assert lite.installation.redis.hget(lite.installation.keys.segments, "7") == known


def test_what_was_kept_in_part_cannot_be_retried(lite: Job) -> None:
    profile = {"_id": "1", "CustomID": "", "bulk": "y" * 70_000}
    lite.installation.producer.push([{"type": "add", "segment": {"id": 7}, "profiles": [profile]}])
    lite.drain()
    done = retry(lite)
    assert (done.entries, done.skipped) == (0, 1)
    assert "bytes were kept" in done.left[0][1]
    assert states(lite) == ["open"]


def test_a_full_intake_refuses_retries(lite: Job) -> None:
    lite.push(add(7, BAD))
    lite.drain()
    lite.installation.redis.hset(lite.installation.keys.full_marks, "reason", "members has reached its max_backlog")
    with pytest.raises(requeueing.RetryStopped, match="max_backlog; 0 entries were retried"):
        retry(lite)
    assert states(lite) == ["open"]


def test_a_retry_is_not_dropped_where_an_integration_drops_its_newest(lite: Job) -> None:
    lite.push(add(7, BAD))
    lite.drain()
    lite.configure(max_backlog="2", when_full='"drop"')
    lite.runtime.follow()
    widen(lite)
    lite.installation.redis.hset(lite.installation.keys.integration("members"), "paused", "1")
    lite.installation.producer.push([add(7, "A", "B", "C")])
    lite.runtime.route("t", 5)
    retry(lite)
    lite.runtime.route("t", 5)
    lite.installation.redis.hdel(lite.installation.keys.integration("members"), "paused")
    lite.drain()
    assert ("7", BAD) in lite.target.members()
    assert states(lite) == ["delivered"]


# --- What never reached an integration -------------------------------------------------------------------------------


def test_a_malformed_event_is_pushed_again_as_it_came(lite: Job) -> None:
    """As after an update that understands it; here it does not, so a new entry replaces the old one."""
    raw(lite, b"{not json")
    lite.drain()
    assert only(lite).source == "intake"
    retry(lite)
    lite.drain()
    first, second = entries(lite)
    assert (first.state, second.state, second.retries, second.replaces) == ("replaced", "open", 1, first.uid)
    assert second.payload == b"{not json"


def test_what_never_reached_an_integration_is_pushed_again_once(lite: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second person, before the ledger knows of the first: it was another event then, and delivered twice."""
    raw(lite, b"{not json")
    lite.drain()
    entry = only(lite)
    with monkeypatch.context() as patched:
        patched.setattr(lite.runtime, "drain_outcomes", lambda seconds: int(seconds * 0))
        assert retry(lite).entries == 1
        again = retry(lite)
    assert (again.entries, again.left) == (0, [(entry.id, "it was pushed again already; the ledger will tell soon")])
    assert lite.installation.redis.xlen(lite.installation.keys.events) == 1


def test_an_event_that_can_be_read_by_now_goes_to_all_that_want_it(lite: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(_: bytes) -> None:
        raise MalformedEvent("malformed: not yet")

    with monkeypatch.context() as patched:
        patched.setattr("workers.routing.entry.parse", cannot)
        lite.push(add(7, "A"))
        lite.drain()
    assert lite.target.members() == set()
    retry(lite)
    lite.ends_right()
    assert states(lite) == ["retried"]


def test_a_bad_profile_is_pushed_again_alone(lite: Job) -> None:
    raw(lite, b'{"type":"add","segment":{"id":7},"profiles":[{"_id":"1","CustomID":"A"},{"CustomID":"B"}]}')
    lite.drain()
    assert only(lite).code == "bad id"
    lite.target.run("DELETE FROM member")
    retry(lite)
    lite.drain()
    assert [e.state for e in entries(lite)] == ["replaced", "open"]
    assert entries(lite)[1].payload == b'{"CustomID":"B"}'
    assert lite.target.members() == set(), "the good one of its event is not delivered again"


@pytest.mark.parametrize("field", [b"", b"\xff", b"[]", b"{}", b'{"entry":1}', b"3"])
def test_a_field_retry_that_is_none_of_ours_is_malformed(lite: Job, field: bytes) -> None:
    raw(lite, json.dumps(add(7, "A")).encode(), retry=field)
    lite.drain()
    assert only(lite).code == "malformed"
    assert lite.target.members() == set()


@pytest.mark.parametrize("integration", ["members", "unknown", None])
@pytest.mark.parametrize("sealed", [True, False])
def test_a_retry_of_an_entry_that_nobody_knows_is_kept_as_what_it_is(
    lite: Job, integration: str | None, sealed: bool
) -> None:
    """It would be taken for something that came later, and be neither delivered nor counted."""
    event = json.dumps(add(7, "A")).encode()
    made_up = json.dumps({"entry": "nobody knows", "retries": 1, "integration": integration}).encode()
    foreign = encode(RetryHeader("nobody knows", 1, integration, "slot"), "another installation")
    raw(lite, event, retry=foreign if sealed else made_up)
    lite.drain()
    assert (only(lite).code, only(lite).state, only(lite).payload) == ("malformed", "open", event)


# --- Dropped, and purged ---------------------------------------------------------------------------------------------


def test_dropping_an_entry_keeps_who_and_when(lite: Job) -> None:
    lite.push(add(7, BAD))
    lite.drain()
    assert drop(lite, 1).entries == 1
    entry = only(lite)
    assert (entry.state, entry.changed_by, open_slots(lite)) == ("dropped", "ann@host", {})
    assert entry.changed is not None
    assert drop(lite, 1).left == [(1, "it is dropped")]


def test_dropping_what_is_on_its_way_stops_it(lite: Job) -> None:
    lite.push(add(7, BAD))
    lite.drain()
    widen(lite)
    retry(lite)
    drop(lite, 1)
    lite.drain()
    assert lite.target.members() == set()
    assert states(lite) == ["dropped"]


def test_so_is_a_retry_stopped_of_what_still_has_no_key(lite: Job) -> None:
    """It became a new open entry, and so did each of two retries of one."""
    unkeyed = {"type": "add", "segment": {"id": 7}, "profiles": [{"_id": "A"}]}
    lite.installation.producer.push([unkeyed])
    lite.drain()
    retry(lite)
    retry(lite, 1)
    lite.drain()
    assert states(lite) == ["replaced", "open"]
    retry(lite)
    drop(lite, 2)
    lite.drain()
    assert states(lite) == ["replaced", "dropped"]


def test_an_unknown_id_is_refused_before_anything_is_done(lite: Job) -> None:
    lite.push(add(7, BAD))
    lite.drain()
    with pytest.raises(quarantine.UnknownEntry, match="no quarantine entry 99"):
        retry(lite, 1, 99)
    assert states(lite) == ["open"]


# --- A process that ends between two steps ---------------------------------------------------------------------------


class Ended(BaseException):
    """Stands for the end of a process."""


@pytest.mark.parametrize("point", ["before-append", "after-append", "after-claim", "after-commit", "after-settle"])
@pytest.mark.parametrize("fixed", [True, False])
def test_whenever_the_process_ends_an_entry_is_in_one_state(
    lite: Job, monkeypatch: pytest.MonkeyPatch, point: str, fixed: bool
) -> None:
    lite.push(add(7, "A", BAD))
    lite.drain()
    if fixed:
        widen(lite)
    retry(lite)

    def reach(place: str) -> None:
        if place == point:
            raise Ended

    with monkeypatch.context() as patched:
        patched.setattr("workers.routing.router.reach", reach)
        for module in ("delivery.deliverer", "delivery.settlement", "connectors.sql.delivery"):
            patched.setattr(f"workers.{module}.reach", reach)
        if fixed or point != "after-commit":
            with pytest.raises(Ended):
                lite.drain()
    redis, keys = lite.installation.redis, lite.installation.keys
    for lane in (keys.intake, keys.lane("members", "7")):
        if redis.exists(lane):
            redis.hset(lane, "until", 0)
    for due in (keys.full("members"), keys.timed("members")):
        redis.zadd(due, {"7": 0}, xx=True)
    redis.zadd(keys.next("crm"), {"members": 0}, xx=True)
    redis.delete(keys.permits("route"), keys.permits("deliver.crm"))
    lite.runtime = Runtime(load_local(lite.installation.file))
    lite.drain()
    assert states(lite) == (["delivered"] if fixed else ["replaced", "open"])
    assert lite.target.members() == {("7", "A")} | ({("7", BAD)} if fixed else set())
    assert len(open_slots(lite)) == (0 if fixed else 1)


def test_records_that_are_written_twice_leave_the_same_states(lite: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """The drainer's process ends after its COMMIT: the next one writes all of them once more."""
    lite.push(add(7, BAD))
    lite.runtime.route("t", 5)
    redis, keys = lite.installation.redis, lite.installation.keys
    lite.drain()
    retry(lite)
    runtime = lite.runtime
    with monkeypatch.context() as patched:
        patched.setattr(runtime, "drain_outcomes", lambda seconds: int(seconds * 0))
        lite.drain()
    records = [outcomes.decode(fields[b"r"]) for _, fields in redis.xrange(keys.outcomes)]
    runtime.ledger.write(records)
    before = [(e.state, e.changed) for e in entries(lite)]
    runtime.drain_outcomes(10)
    assert [(e.state, e.changed) for e in entries(lite)] == before
    assert [state for state, _ in before] == ["replaced", "open"]
