"""Runs from a source to a target, on each database, in the test's own process."""

from __future__ import annotations

import errno
import json
import tempfile
from array import array
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.jobs import add, clear, remove
from tests.integration.resync.platform import LISTED, Platform
from workers.control import resync as control
from workers.errors import WrongUsage
from workers.lanes.runs import ResyncRuns
from workers.monitoring import status
from workers.resync import changing, comparing, room
from workers.runtime import Runtime
from workers.settings import load, revision

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.jobs import Job
    from tests.targets import TargetDatabase
    from workers.resync.run import ResyncRun

ACCEPTED: dict[str, Any] = {"accept_removals": 100, "accept_adds": 1000}


on_one = pytest.mark.parametrize("target", ["sqlite"], indirect=True)
"""What does not depend on the database is tried on one."""


@pytest.fixture
def platform(make_job: Callable[[TargetDatabase], Job], target: TargetDatabase) -> Platform:
    return Platform(make_job(target))


@pytest.mark.parametrize("paged", [True, False])
def test_a_target_is_made_equal_to_the_platform(platform: Platform, *, paged: bool) -> None:
    """With pages and without; other segments are none of its business."""
    platform.configure(members=platform.paged if paged else platform.whole)
    platform.has(7, "a", "b", "c", "it's", "déjà")
    platform.has(8, "a")
    platform.target_has(7, "b", "x")
    platform.target_has(8, "y")
    run = platform.resync(7, **ACCEPTED)
    assert (run.outcome, run.why) == ("done", "")
    assert platform.rows(7) == {"a", "b", "c", "it's", "déjà"}
    assert platform.rows(8) == {"y"}
    assert (run.members, run.rows, run.missing, run.strays, run.removed, run.added) == (5, 2, 4, 1, 1, 5)
    assert platform.lane(7) == {}, "nothing is left of the mark"


@on_one
def test_live_events_before_and_behind_the_mark_end_as_they_came(platform: Platform) -> None:
    """What stands before the mark is delivered before the source is read, and what stands behind it afterwards."""
    platform.has(7, "a", "b")
    platform.job.push(add(7, "gone"), add(7, "a"))
    name = platform.ask(7, **ACCEPTED)
    platform.turn()  # the mark is in the intake
    platform.loses(7, "a")
    platform.has(7, "late")
    platform.job.push(remove(7, "a"), add(7, "late"))
    platform.job.runtime.route("token", 1)
    platform.job.installation.redis.zadd(platform.job.installation.keys.runs, {name: 0})
    platform.turn()  # nothing is delivered yet
    assert platform.ends(name).outcome == "done"
    assert platform.rows(7) == {"b", "late"}


@on_one
def test_nothing_is_read_before_the_lane_has_come_to_the_mark(platform: Platform) -> None:
    """What is still to be delivered would be missing in the target's rows."""
    platform.job.push(add(7, "gone"))
    name = platform.ask(7, **ACCEPTED)
    platform.turn()
    platform.job.runtime.route("token", 1)
    platform.job.installation.redis.zadd(platform.job.installation.keys.runs, {name: 0})
    platform.turn()
    assert (platform.lane(7)["before"], platform.run(name).reached) == ("1", 0)
    assert platform.ends(name).outcome == "done"
    assert platform.rows(7) == set()


@on_one
def test_what_the_source_lost_before_the_mark_goes_though_it_is_told_later(platform: Platform) -> None:
    """A remove that the platform pushes after the reading finds its row gone already."""
    platform.has(7, "a", "b")
    platform.target_has(7, "a", "b")
    name = platform.ask(7, **ACCEPTED)
    platform.loses(7, "a")
    assert platform.ends(name).outcome == "done"
    platform.job.push(remove(7, "a"), add(7, "a"), remove(7, "a"))
    platform.job.drain()
    assert platform.rows(7) == {"b"}


@on_one
def test_members_of_a_large_segment_are_told_in_slices_with_a_mark_each(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between them the lane goes on, and each slice is read behind its own mark."""
    monkeypatch.setattr(changing, "SMALL", 2)
    monkeypatch.setattr(changing, "SLICE_MS", -1)
    platform.has(7, *"abcdefg")
    platform.target_has(7, "x")
    name = platform.ask(7, **ACCEPTED)
    platform.until_state(name, "adding")
    assert platform.rows(7) == set(), "strays went first"
    platform.loses(7, "g")
    platform.has(7, "h")
    platform.job.push(remove(7, "g"), add(7, "h"))
    marks: set[int] = set()

    def is_over(run: ResyncRun) -> bool:
        marks.add(run.marked)
        return run.state == "ended"

    platform.until(name, is_over)
    assert platform.run(name).outcome == "done"
    assert platform.rows(7) == set("abcdefh")
    assert len(marks) >= 4, "of two members each"
    assert platform.run(name).after is None, "nobody's `_id` is remembered for days"


@on_one
@pytest.mark.parametrize("state", ["marked", "removing", "adding"])
def test_a_reader_that_died_is_gone_on_for_by_another(
    platform: Platform, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On another host, where nothing of what it had read is to be found."""
    monkeypatch.setattr(room, "AT_ONCE", 2)
    platform.has(7, *"abcdefg")
    platform.target_has(7, "u", "v", "w", "x", "y")
    name = platform.ask(7, **ACCEPTED)
    platform.until_state(name, state)
    platform.other_host()
    assert platform.ends(name).outcome == "done"
    assert platform.rows(7) == set("abcdefg")


@on_one
@pytest.mark.parametrize("kind", ["paged", "whole", "repeated"])
def test_hosts_that_take_turns_go_on_in_their_own_files(
    platform: Platform, kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A place in one's list is none in another's, which was read at another time."""
    monkeypatch.setattr(room, "AT_ONCE", 1)
    platform.configure(members=platform.whole if kind == "whole" else platform.paged)
    if kind == "repeated":
        platform.without_unique_key()
    members = [letter * number for number, letter in enumerate("abcdefghi", 1)]
    platform.has(7, *members)
    platform.target_has(7, *(f"stray {'x' * number}" for number in range(7)))
    if kind == "repeated":
        platform.target_has(7, "a", "a")
    name, turns, read = platform.ask(7, **ACCEPTED), count(), Runtime.resync

    def on_a_host(self: Runtime, *given: Any) -> None:
        host = tmp_path / f"host-{next(turns) // 5 % 2}"
        host.mkdir(exist_ok=True)
        monkeypatch.setattr(tempfile, "tempdir", str(host))
        read(self, *given)

    monkeypatch.setattr(Runtime, "resync", on_a_host)
    platform.ends(name)
    assert (platform.run(name).outcome, platform.rows(7)) == ("done", set(members))
    assert platform.target.run("SELECT count(*) FROM member")[0][0] == len(members) + (kind == "repeated")


@on_one
def test_without_members_a_segment_is_cleared_first(platform: Platform) -> None:
    platform.configure(members_query=None)
    platform.has(7, "a", "b")
    platform.target_has(7, "x", "a")
    first = platform.resync(7)
    assert first.outcome == "needs confirmation"
    assert platform.rows(7) == {"x", "a"}
    run = platform.resync(7, **ACCEPTED)
    assert (run.outcome, run.mode) == ("done", "replace")
    assert platform.rows(7) == {"a", "b"}


@on_one
def test_a_source_that_has_lost_all_members_since_it_was_confirmed_clears_nothing(platform: Platform) -> None:
    platform.configure(members_query=None)
    platform.has(7, "a", "b")
    platform.target_has(7, "a", "b")
    name = platform.resync(7).id
    platform.loses(7, "a", "b")
    again, _ = control.confirm(platform.job.runtime, name, "removals=0,adds=2", "me")
    run = platform.ends(again)
    assert (run.outcome, run.why) == ("needs confirmation", "the source gives no members at all")
    assert platform.rows(7) == {"a", "b"}


@on_one
def test_without_members_and_clear_strays_stay(platform: Platform) -> None:
    platform.configure(members_query=None, leave_out=("clear",))
    platform.has(7, "a", "b")
    platform.target_has(7, "x")
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    redis.hset(keys.open("members", "7"), "x", f"entry {'0' * 27}")
    run = platform.resync(7)
    assert (run.outcome, run.mode) == ("done", "resend")
    assert platform.rows(7) == {"a", "b", "x"}
    assert redis.hkeys(keys.open("members", "7")) == [b"x"], "it may be the remove that was refused"


@pytest.mark.parametrize(
    ("members", "told"),
    [
        (
            "SELECT id AS _id, custom_id AS {q}CustomID{q} FROM membership WHERE segment_id = {{segment_id}} AND 1 = 0",
            "no members",
        ),
        ("SELECT id AS _id FROM membership WHERE segment_id = {{segment_id}}", "members has a usable key"),
        ("SELECT custom_id AS {q}CustomID{q} FROM membership WHERE segment_id = {{segment_id}}", "'_id'"),
        ("SELECT id AS _id, custom_id AS {q}CustomID{q} FROM no_such_table WHERE segment_id = {{segment_id}}", "table"),
    ],
    ids=["empty", "no key", "no id", "no table"],
)
def test_a_source_that_is_wrong_removes_nothing_and_the_lane_goes_on(
    platform: Platform, members: str, told: str
) -> None:
    quoted = "`" if platform.target.dialect == "mysql" else '"'
    platform.configure(members=members.format(q=quoted))
    platform.has(7, "a", "b")
    platform.target_has(7, "a", "b", "c")
    run = platform.resync(7)
    assert run.outcome in ("needs confirmation", "failed")
    assert told in run.why
    platform.job.push(add(7, "d"))
    platform.job.drain()
    assert platform.rows(7) == {"a", "b", "c", "d"}


def test_a_listing_with_a_column_too_many_removes_nothing(platform: Platform) -> None:
    platform.configure(members_query="SELECT segment_id, client_id FROM member WHERE segment_id = {segment_id}")
    platform.has(7, "a")
    platform.target_has(7, "a", "b")
    run = platform.resync(7, **ACCEPTED)
    assert run.outcome == "failed"
    assert run.why.startswith("the target could not be read: ")
    assert "gives 2 columns, and the key has 1" in run.why
    assert platform.rows(7) == {"a", "b"}


def test_a_source_without_its_where_adds_nothing(platform: Platform) -> None:
    """All members of all segments, for one: that is another list."""
    platform.configure(members=f"{platform.whole} OR 1 = 1")
    platform.has(7, "a")
    platform.has(8, *"bcdefg")
    platform.target_has(7, "a")
    run = platform.resync(7)
    assert run.outcome == "needs confirmation"
    assert "6 members are missing in a target of 1 rows" in run.why
    assert "for want of a WHERE?" in run.why
    platform.job.push(add(7, "h"))
    platform.job.drain()
    assert platform.rows(7) == {"a", "h"}


@on_one
def test_confirmed_is_a_number_and_no_plan(platform: Platform) -> None:
    """What has changed since then is judged anew."""
    many = [f"k{number}" for number in range(40)]
    platform.has(7, *many)
    platform.target_has(7, *many, "x")
    assert "first time" in platform.resync(7).why
    platform.target_has(7, "z")
    run = platform.resync(7, accept_removals=1)
    assert run.outcome == "needs confirmation"
    assert "2 rows would be removed, more than the 1 that were accepted" in run.why
    platform.has(7, "x", "z")
    assert platform.resync(7, accept_removals=1).outcome == "done"
    assert platform.rows(7) == {*many, "x", "z"}


@on_one
@pytest.mark.parametrize("change", ["list", "remove", "place"])
def test_of_another_target_the_first_removals_are_the_first(platform: Platform, change: str, tmp_path: Path) -> None:
    """Its rows may be others', and what was said of an integration of that name is no word for it."""
    many = [f"k{number}" for number in range(40)]
    platform.has(7, *many)
    platform.target_has(7, *many, "x")
    assert platform.resync(7, **ACCEPTED).removed == 1
    platform.target_has(7, "y")
    assert platform.resync(7).removed == 1, "nothing has changed"
    platform.target_has(7, "z")
    if change == "list":
        platform.configure(members_query="SELECT client_id FROM member WHERE segment_id = {segment_id} AND 1 = 1")
    elif change == "remove":
        gone = 'DELETE FROM member WHERE segment_id = {segment_id} AND client_id IN ({batch_in "CustomID"}) AND 1 = 1'
        platform.configure(remove=gone)
    else:
        there = tmp_path / "there"
        there.symlink_to(tmp_path)
        elsewhere = platform.target.connector().replace(str(tmp_path), str(there))
        settings = platform.source() + platform.target.integration(members=LISTED)
        platform.job.installation.configure(elsewhere + settings)
        revision.publish(
            platform.job.installation.redis, platform.job.installation.keys, load(platform.job.installation.file)
        )
        platform.job.runtime = platform.job.installation.runtime()
    run = platform.resync(7)
    assert (run.outcome, "it is the first time" in run.why) == ("needs confirmation", True)
    assert platform.rows(7) == {*many, "z"}


@on_one
def test_a_verification_tells_what_differs_and_changes_nothing(platform: Platform) -> None:
    platform.has(7, "a", "b", "c")
    platform.target_has(7, "a", "x")
    run = platform.resync(7, "verify")
    assert (run.outcome, run.missing, run.strays) == ("differs", 2, 1)
    assert platform.shown(run) == {"missing": ["b", "c"], "strays": ["x"]}
    assert platform.rows(7) == {"a", "x"}


@on_one
def test_what_differs_only_at_the_first_look_is_no_difference(platform: Platform) -> None:
    """It was on its way: committed on the platform, and pushed behind the first look's mark."""
    platform.has(7, "a")
    platform.target_has(7, "a", "x")
    name = platform.ask(7, "verify")
    platform.until_state(name, "marked")
    platform.has(7, "b")
    platform.job.push(add(7, "b"))
    platform.until_state(name, "between")
    platform.has(7, "later still")
    run = platform.ends(name)
    assert (run.outcome, run.missing, run.strays, run.looks) == ("differs", 0, 1, 1)
    assert platform.shown(run) == {"strays": ["x"]}


@on_one
def test_whichever_host_looks_again_what_was_on_its_way_is_no_difference(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each look is another host's: what one has seen lies on none of the others' disks, and the run remembers it."""
    pushed = iter("bcdefg")

    def looks_elsewhere() -> None:
        key = next(pushed)
        on_host(key, monkeypatch, tmp_path)
        platform.has(7, key)

    platform.has(7, "a")
    platform.target_has(7, "a")
    name = platform.ask(7, "verify")
    while platform.run(name).state != "ended":
        platform.until(name, lambda run: run.state in ("marked", "ended"))
        looks_elsewhere()
        platform.until(name, lambda run: run.state in ("between", "ended"))
        platform.job.push(add(7, *(key for (key,) in platform.target.run("SELECT custom_id FROM membership"))))
    run = platform.run(name)
    assert (run.outcome, run.seen) == ("equal", "")


def on_host(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    host = tmp_path / f"host-{name}"
    host.mkdir(exist_ok=True)
    monkeypatch.setattr(tempfile, "tempdir", str(host))


@on_one
def test_what_a_host_has_seen_by_an_earlier_configuration_hides_nothing(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It looked at another table then; since, another host has looked at this one, and has seen the same as it now."""
    monkeypatch.setattr(comparing, "FEW_REMEMBERED", 0)
    platform.has(7, "a", "b")
    platform.target_has(7, "a")
    platform.target.run("CREATE TABLE other (segment_id bigint, client_id varchar(255))")
    platform.target.run("INSERT INTO other VALUES (7, 'b'), (7, 'z')")
    on_host("one", monkeypatch, tmp_path)
    name = platform.ask(7, "verify")
    platform.until(name, lambda run: run.state == "between")
    on_host("two", monkeypatch, tmp_path)
    platform.configure(members_query="SELECT client_id FROM other WHERE segment_id = {segment_id}")
    platform.until(name, lambda run: run.state == "between" and run.looks == 0)
    platform.until(name, lambda run: run.state == "between" and run.looks == 1)
    on_host("one", monkeypatch, tmp_path)
    run = platform.ends(name)
    assert (run.outcome, run.missing, run.strays) == ("differs", 1, 1)


class FullDisk(array):  # type: ignore[type-arg]
    """Of what is written there stands the first part."""

    def tofile(self, file: Any) -> None:
        file.write(self[:1].tobytes())
        if len(self) > 1:
            raise OSError(errno.ENOSPC, "no space")


@on_one
@pytest.mark.parametrize("left", ["a part", "nothing"])
def test_what_a_host_could_not_write_down_of_what_it_has_seen_hides_nothing(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, left: str
) -> None:
    """Its disk was full, and another host has looked; or an older version has noted nothing but rows without a key."""
    monkeypatch.setattr(comparing, "FEW_REMEMBERED", 0)
    platform.has(7, "a", "b", "c")
    platform.target_has(7, "x")
    on_host("one", monkeypatch, tmp_path)
    name = platform.ask(7, "verify")
    with monkeypatch.context() as disk:
        disk.setattr(comparing, "array", FullDisk)
        platform.until(name, lambda run: run.tries == 1)
    kept = platform.folder / f"{name}-looked"
    on_host("two", monkeypatch, tmp_path)
    platform.until_state(name, "between")
    on_host("one", monkeypatch, tmp_path)
    if left == "nothing":
        kept.touch()
    run = platform.ends(name)
    assert (run.outcome, run.missing, run.strays) == ("differs", 3, 1)


@on_one
def test_two_looks_by_two_configurations_are_not_held_against_each_other(platform: Platform) -> None:
    """What differs by the one need not by the other: all of it would be taken for what was on its way."""
    platform.has(7, "a", "b")
    platform.target_has(7, "a")
    name = platform.ask(7, "verify")
    platform.until_state(name, "between")
    platform.target.run("CREATE TABLE other (segment_id bigint, client_id varchar(255))")
    platform.target.run("INSERT INTO other VALUES (7, 'b'), (7, 'z')")
    platform.configure(members_query="SELECT client_id FROM other WHERE segment_id = {segment_id}")
    run = platform.ends(name)
    assert (run.outcome, run.missing, run.strays) == ("differs", 1, 1)
    assert platform.shown(run) == {"missing": ["a"], "strays": ["z"]}


@on_one
@pytest.mark.parametrize("extra", ['delay = "0s"', 'fresh = "SELECT 0"'])
def test_an_id_from_the_future_holds_up_no_run(platform: Platform, extra: str) -> None:
    """What comes behind it has a later sequence, which is no time: the lane would stand until that comes."""
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    platform.configure(extra=extra)
    platform.has(7, "a")
    in_an_hour = redis.time()[0] * 1000 + 3_600_000
    redis.xadd(keys.events, {"event": json.dumps(add(7, "a"))}, id=f"{in_an_hour}-0")
    assert platform.resync(7).outcome == "done"


@pytest.mark.parametrize("target", ["postgresql"], indirect=True)
def test_data_that_nobody_thought_of_ends_its_run_alone(platform: Platform) -> None:
    """Half a character in a JSON column cannot be written as UTF-8: the reader must live to serve the others."""
    quoted = 'SELECT id AS _id, custom_id AS "CustomID", CASE segment_id WHEN 7 THEN \'{{"x": "{}"}}\'::json END AS j'
    members = quoted.format(r"\\ud800") + " FROM membership WHERE segment_id = {segment_id}"
    platform.configure(members=members)
    platform.has(7, "a")
    platform.has(8, "b")
    bad, good = platform.ask(7), platform.ask(8)
    assert platform.ends(good).outcome == "done"
    assert (platform.ends(bad).outcome, platform.run(bad).why) == ("failed", "what was read raised UnicodeEncodeError")
    assert (platform.rows(8), platform.lane(7)) == ({"b"}, {})


@on_one
def test_a_number_that_no_reader_could_take_is_not_accepted(platform: Platform) -> None:
    """It would end every reader that meets it."""
    platform.has(7, "a")
    platform.target_has(7, "x")
    name = platform.resync(7).id
    with pytest.raises(WrongUsage, match="expected removals=N"):
        control.confirm(platform.job.runtime, name, f"removals={'9' * 400}", "me")


@on_one
def test_members_without_a_key_are_counted(platform: Platform) -> None:
    platform.has(7, "a", None, "b")
    run = platform.resync(7)
    assert (run.outcome, run.why, run.unusable, run.quarantined) == ("done", "", 1, 0)
    assert platform.rows(7) == {"a", "b"}


@on_one
def test_what_was_refused_before_the_run_is_superseded_by_it(platform: Platform) -> None:
    """An old add, retried later, would bring back who has left since; what is refused of the run itself stays."""
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    platform.has(7, "a")
    name = platform.ask(7)
    rows, unkeyed = f"{keys.namespace}:rows:members:7", f"{keys.namespace}:unkeyed:members:7"
    old, new = "0" * 27, "9" * 27
    redis.hset(keys.open("members", "7"), mapping={"old": f"entry {old} row", "new": f"entry {new} other"})
    redis.hset(rows, mapping={"row": "1 ", "other": "1 "})
    redis.hset(unkeyed, mapping={"before": old, "later": new})
    assert platform.ends(name).outcome == "done"
    assert redis.hkeys(keys.open("members", "7")) == [b"new"]
    assert redis.hkeys(rows) == [b"other"]
    assert redis.hkeys(unkeyed) == [b"later"]


@on_one
def test_a_flag_is_taken_back_by_a_run_that_began_after_it(platform: Platform) -> None:
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    platform.has(7, "a")
    for sequence, left in (("0" * 27, set()), ("9" * 27, {b"7"})):
        redis.sadd(keys.resync("members"), "7")
        redis.hset(keys.flagged("members"), "7", sequence)
        assert platform.resync(7).outcome == "done"
        assert redis.smembers(keys.resync("members")) == left


@on_one
def test_a_second_request_is_the_same_request(platform: Platform) -> None:
    platform.has(7, "a")
    first = platform.ask(7)
    assert platform.ask(7) == first
    platform.ends(first)
    assert platform.ask(7) != first


@on_one
@pytest.mark.parametrize("when", ["waiting", "marked", "between", "at its end"])
def test_a_resync_that_is_asked_for_while_a_run_only_looks_takes_place(
    platform: Platform, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.has(7, "a", "b")
    platform.target_has(7, "a")
    name = platform.ask(7, "verify")
    if when == "at its end":
        end = ResyncRuns.end

        def late(self: ResyncRuns, *given: Any, **more: Any) -> None:
            monkeypatch.setattr(ResyncRuns, "end", end)
            platform.ask(7, **ACCEPTED)
            end(self, *given, **more)

        monkeypatch.setattr(ResyncRuns, "end", late)
    else:
        platform.until_state(name, when)
        assert platform.ask(7, **ACCEPTED) == name
    assert (platform.ends(name).outcome, platform.rows(7)) == ("done", {"a", "b"})


@on_one
def test_a_run_that_is_cancelled_leaves_its_lane(platform: Platform) -> None:
    platform.has(7, *"abc")
    name = platform.ask(7)
    platform.until_state(name, "marked")
    assert ResyncRuns(platform.job.runtime.lanes).cancel(name, "me")
    run = platform.ends(name)
    assert (run.outcome, run.why) == ("cancelled", "by me")
    platform.job.push(add(7, "z"), clear(7), add(7, "y"))
    platform.job.drain()
    assert platform.rows(7) == {"y"}


@on_one
@pytest.mark.parametrize("comes", ["later", "between"])
def test_a_run_that_ends_while_its_mark_is_on_its_way_leaves_no_mark(
    platform: Platform, comes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would ever take it out, and the lane would stand for good; also where it comes as the run is ended."""
    runtime = platform.job.runtime
    platform.has(7, *"abc")
    name = platform.ask(7)
    platform.turn()
    assert ResyncRuns(runtime.lanes).cancel(name, "me")
    if comes == "between":
        end = ResyncRuns.end

        def late(self: ResyncRuns, *given: Any, **more: Any) -> None:
            platform.job.runtime.route("token", 1)
            end(self, *given, **more)

        monkeypatch.setattr(ResyncRuns, "end", late)
    platform.turn()
    runtime.route("token", 1)
    assert platform.ends(name).outcome == "cancelled"
    platform.job.push(add(7, "z"))
    platform.job.drain()
    assert (platform.rows(7), platform.lane(7)) == ({"z"}, {})


@on_one
def test_a_run_ends_whose_segment_is_followed_no_longer(platform: Platform) -> None:
    """It would never begin, and once begun it would keep one of the few places from all others."""
    platform.has(7, "a")
    name = platform.ask(7)
    platform.configure(scope='{ database = "main", segments = [8] }')
    platform.turn()
    run = platform.run(name)
    assert (run.outcome, run.why) == ("failed", "members does not follow segment 7")


@on_one
def test_a_paused_integration_is_not_marked(platform: Platform) -> None:
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    redis.hset(keys.integration("members"), "paused", "1")
    name = platform.ask(7)
    platform.turn()
    assert (platform.run(name).state, platform.run(name).why) == ("waiting", "members is paused")
    assert redis.xlen(keys.events) == 0


@on_one
def test_a_configuration_that_changes_under_a_run_begins_it_anew(platform: Platform) -> None:
    platform.has(7, *"abcdef")
    platform.target_has(7, "x")
    name = platform.ask(7, **ACCEPTED)
    platform.until_state(name, "adding")
    platform.configure(members_query="SELECT client_id FROM member WHERE segment_id = {segment_id} ORDER BY 1")
    marked = platform.run(name).marked
    run = platform.ends(name)
    assert run.outcome == "done"
    assert run.marked > marked, "another mark, and another look"
    assert platform.rows(7) == set("abcdef")


def test_a_table_that_repeats_a_key_gets_only_what_is_missing(platform: Platform) -> None:
    platform.without_unique_key()
    platform.has(7, "a", "b")
    platform.target_has(7, "a", "a")
    run = platform.resync(7)
    assert (run.outcome, run.repeated, run.added) == ("done", 1, 1)
    assert platform.target.run("SELECT count(*) FROM member")[0][0] == 3


@on_one
def test_more_than_a_tenth_of_the_rows_is_more_than_a_tenth_of_the_keys(platform: Platform) -> None:
    """Of a table that takes a row twice few keys may be most rows."""
    platform.without_unique_key()
    platform.job.installation.redis.hset(platform.job.installation.keys.removals("members"), "ever", 1)
    platform.has(7, *(members := [f"k{number}" for number in range(100)]))
    platform.target_has(7, *members, *["x", "y"] * 30)
    run = platform.resync(7)
    assert (run.outcome, run.strays) == ("needs confirmation", 2)
    assert platform.target.run("SELECT count(*) FROM member")[0][0] == 160
    assert "60 of 160 rows would be removed, more than 10%, of 2 keys" in run.why
    again, _ = control.confirm(platform.job.runtime, run.id, "removals=2", "me")
    assert (platform.ends(again).outcome, platform.rows(7)) == ("done", set(members))


def test_a_row_that_a_member_may_be_stays(platform: Platform) -> None:
    platform.has(7, "Ann", *"bcdefghijkl")
    platform.target_has(7, "ann", *"bcdefghijkl")
    run = platform.resync(7, accept_removals=0)
    assert (run.outcome, run.spelled, run.strays) == ("done", 1, 0)
    assert "ann" in platform.rows(7), "where the target tells them apart it has both, and the run tells of it"


@on_one
def test_who_has_left_goes_though_another_key_is_nearly_alike(platform: Platform) -> None:
    """Some collation takes e for a; this target has both rows, and verifying it would tell of one for ever."""
    platform.has(7, "E1001", "E1002")
    platform.target_has(7, "E1001", "A1001", "A1002")
    first = platform.resync(7, **ACCEPTED)
    assert (first.outcome, first.strays, first.spelled) == ("done", 1, 1), "E1002 may be in the table as A1002"
    assert platform.rows(7) == {"E1001", "E1002", "A1002"}
    platform.resync(7, **ACCEPTED)
    assert (platform.rows(7), platform.resync(7, "verify").outcome) == ({"E1001", "E1002"}, "equal")


@on_one
def test_who_must_say_yes_or_no_is_told_until_then(platform: Platform) -> None:
    platform.has(7, "a")
    platform.target_has(7, "x")

    def told() -> list[str]:
        return [need for need in status.read(platform.job.runtime).needs if "waits for your word" in need]

    name = platform.ask(7)
    assert "resyncs that wait to begin: 1" in status.read(platform.job.runtime).notes
    assert platform.ends(name).outcome == "needs confirmation"
    assert [need.partition(" waits")[0] for need in told()] == ["run 1 (segment 7 of members)"]
    platform.resync(7, **ACCEPTED)
    assert told() == []


@pytest.mark.parametrize("target", ["mysql"], indirect=True)
def test_a_collation_that_takes_two_keys_for_one_loses_none(platform: Platform) -> None:
    """`ann` is no member by its spelling, and removing it would take `Ann` along; so would 42, and 00042."""
    platform.target.run(
        "ALTER TABLE member MODIFY client_id varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL"
    )
    many = [f"k{number}" for number in range(300)]
    platform.has(7, "Ann", "José", *many)
    platform.target_has(7, "ann", "jose", "stray", *many)
    run = platform.resync(7, accept_removals=1)
    assert (run.outcome, run.strays, run.spelled, run.folded, run.removed) == ("done", 1, 0, 2, 1)
    assert {key.lower().replace("é", "e") for key in platform.rows(7)} == {"ann", "jose", *many}


@pytest.mark.parametrize("target", ["mysql"], indirect=True)
def test_a_member_beside_a_row_that_a_collation_takes_for_it_keeps_its_own(platform: Platform) -> None:
    """Where a table has a key twice nobody tells a member again that it had, so nothing may take it along."""
    platform.target.run(
        "DROP TABLE member",
        "CREATE TABLE member (segment_id bigint, client_id varchar(255) CHARACTER SET utf8mb4 "
        "COLLATE utf8mb4_general_ci)",
    )
    platform.configure(
        add="INSERT INTO member (segment_id, client_id) VALUES "
        "{for $index, $lead = $batch}({segment_id}, '{$lead.CustomID}'){autocomma}{end}"
    )
    platform.has(7, "dup", "strase")
    platform.target_has(7, "dup", "dup", "strase", "straße", "stray")
    run = platform.resync(7, **ACCEPTED)
    assert (run.outcome, run.strays, run.spelled) == ("done", 1, 1)
    assert platform.rows(7) == {"dup", "strase", "straße"}


@pytest.mark.parametrize("target", ["mysql"], indirect=True)
def test_a_column_of_numbers_loses_no_member_that_is_written_with_zeros(platform: Platform) -> None:
    platform.target.run("ALTER TABLE member MODIFY client_id bigint NOT NULL")
    platform.has(7, "00042", "7")
    platform.target_has(7, "42", "8")
    run = platform.resync(7, **ACCEPTED)
    assert (run.outcome, run.strays, run.spelled, run.folded) == ("done", 1, 0, 1)
    assert {str(key) for key in platform.rows(7)} == {"42", "7"}
