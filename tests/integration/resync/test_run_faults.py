"""What goes wrong around runs: paused integrations, misspelled columns, plans that are made twice."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.jobs import add
from tests.integration.resync.platform import LISTED, Platform
from workers.cli.commands import resync as command
from workers.lanes import Lanes, runs
from workers.lanes.runs import ResyncRuns
from workers.monitoring.resyncs import notes_of_resyncs, read_resyncs
from workers.resync import changing, failing, reader, readiness, room
from workers.resync.folder import StrangeFolder, folder_of, forget_ended, make_private
from workers.settings import load, revision
from workers.settings.published import published

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.jobs import Job
    from tests.targets import TargetDatabase
    from workers.resync.run import ResyncRun

ACCEPTED: dict[str, Any] = {"accept_removals": 100, "accept_adds": 1000}
on_one = pytest.mark.parametrize("target", ["sqlite"], indirect=True)


@pytest.fixture
def platform(make_job: Callable[[TargetDatabase], Job], target: TargetDatabase) -> Platform:
    return Platform(make_job(target))


@on_one
def test_runs_of_a_paused_integration_leave_room_for_others(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have begun, and stand still; whoever is held up by nothing may begin."""
    monkeypatch.setattr(runs, "OPEN_AT_MOST", 1)
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    platform.has(7, "a")
    platform.job.push(add(7, "a"))
    name = platform.ask(7)
    platform.turn()
    redis.hset(keys.integration("members"), "paused", "1")
    lanes = ResyncRuns(platform.job.runtime.lanes)
    assert lanes.may_begin(2**50) == []
    other = platform.ask(8)
    redis.zadd(keys.runs, {name: 0})
    platform.job.runtime.route("token", 1)
    platform.turn()
    assert platform.run(name).stalled == "1"
    assert lanes.may_begin(2**50) == [other]

    redis.hdel(keys.integration("members"), "paused")
    redis.zadd(keys.runs, {name: 0})
    assert platform.ends(name).outcome == "done"
    assert redis.exists(keys.runs_stalled) == 0


@on_one
def test_a_run_of_a_paused_integration_leaves_its_room_between_two_marks(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "OPEN_AT_MOST", 1)
    monkeypatch.setattr(changing, "SMALL", 1)
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    platform.has(7, "a", "b")
    name = platform.ask(7)
    platform.until_state(name, "between")
    redis.hset(keys.integration("members"), "paused", "1")
    redis.zadd(keys.runs, {name: 0})
    platform.turn()
    other = platform.ask(8)
    assert ResyncRuns(platform.job.runtime.lanes).may_begin(2**50) == [other]

    redis.hdel(keys.integration("members"), "paused")
    redis.zadd(keys.runs, {name: 0})
    platform.turn()
    assert redis.exists(keys.runs_stalled) == 0
    assert platform.ends(name).outcome == "done"


def in_the_middle(platform: Platform) -> str:
    """A run before whose mark stands what is to be delivered."""
    platform.has(7, *"abcdef")
    name = platform.ask(7)
    platform.until_state(name, "adding")
    platform.turn()
    assert platform.lane(7)["before"] == "6"
    platform.job.installation.redis.zadd(platform.job.installation.keys.runs, {name: 0})
    return name


@on_one
@pytest.mark.parametrize("field", ["hold_until", "open_until"])
def test_a_run_whose_connector_tells_nobody_anything_leaves_its_room(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    """One database that is out of reach kept the resyncs of all others waiting."""
    monkeypatch.setattr(runs, "OPEN_AT_MOST", 1)
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    name = in_the_middle(platform)
    redis.hset(keys.connector("crm"), field, 2**50)
    platform.turn()
    other = platform.ask(8)
    assert ResyncRuns(platform.job.runtime.lanes).may_begin(2**50) == [other]
    redis.zrem(keys.runs, name)
    platform.turn()
    assert platform.run(other).why == f"connector crm is {'held' if field == 'hold_until' else 'out of reach'}"

    redis.hdel(keys.connector("crm"), field)
    redis.zadd(keys.runs, {name: 0})
    assert platform.ends(name).outcome == "done"
    assert redis.exists(keys.runs_stalled) == 0


@on_one
def test_a_run_whose_lane_is_held_leaves_its_room(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """As what it tells may have it held, and somebody is needed."""
    monkeypatch.setattr(runs, "OPEN_AT_MOST", 1)
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    name = in_the_middle(platform)
    redis.hset(keys.lane("members", "7"), "hold", "refused")
    platform.turn()
    other = platform.ask(8)
    assert (platform.run(name).stalled, ResyncRuns(platform.job.runtime.lanes).may_begin(2**50)) == ("1", [other])


@on_one
@pytest.mark.parametrize("act", ["apply", "cancel", "remove"])
def test_whatever_comes_to_a_run_of_a_paused_integration_it_leaves_its_room(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    """Who finds a query wrong pauses, applies another one, and goes on some hours later."""
    monkeypatch.setattr(runs, "OPEN_AT_MOST", 1)
    name = in_the_middle(platform)
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    redis.hset(keys.integration("members"), "paused", "1")
    if act == "apply":
        platform.configure(members_query=LISTED + " ORDER BY 1")
    elif act == "cancel":
        platform.cancel(name)
    else:
        place = platform.job.installation
        place.configure(platform.target.connector() + platform.source())
        revision.publish(place.redis, place.keys, load(place.file))
        platform.job.runtime = place.runtime()
    platform.turn()
    other = platform.ask(8)
    assert ResyncRuns(platform.job.runtime.lanes).may_begin(2**50) == [other]

    platform.configure(members_query=LISTED)
    redis.hdel(keys.integration("members"), "paused")
    redis.zadd(keys.runs, {name: 0})
    assert platform.ends(name).outcome == ("cancelled" if act == "cancel" else "done")
    assert redis.exists(keys.runs_stalled) == 0


def closed() -> str:
    """A window that opens in half a day."""
    hours = [datetime.now(UTC) + timedelta(hours=each) for each in (12, 13)]
    return '"{:%H:%M}-{:%H:%M} UTC"'.format(*hours)


@on_one
def test_runs_that_wait_for_their_window_leave_room_for_others(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight of them, asked for in the morning, kept all others waiting until the night."""
    for module in (runs, readiness):
        monkeypatch.setattr(module, "OPEN_AT_MOST", 1)
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    platform.configure(window=closed())
    platform.has(7, *"abcdef")
    name = platform.ask(7)
    platform.until_state(name, "adding")
    for _ in range(2):
        platform.turn()
        redis.zadd(keys.runs, {name: 0})
    other = platform.ask(8)
    assert (platform.run(name).stalled, ResyncRuns(platform.job.runtime.lanes).may_begin(2**50)) == ("1", [other])
    redis.zrem(keys.runs, name)
    platform.turn()
    assert platform.run(other).why == "members waits for its window", "or all segments would stand in Redis until then"

    platform.configure()
    redis.zadd(keys.runs, {name: 0})
    redis.zadd(keys.runs_waiting, {other: 0})
    assert platform.ends(name).outcome == "done"
    platform.ends(other)
    assert redis.exists(keys.runs_stalled) == 0


@on_one
@pytest.mark.parametrize("who", ["itself", "paused"])
def test_only_others_that_wait_for_a_window_keep_a_run_from_reading_before_its_own(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    """Eight runs of a paused integration kept all with windows from being read by day."""
    monkeypatch.setattr(readiness, "OPEN_AT_MOST", 1)
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    if who == "paused":
        name = in_the_middle(platform)
        redis.hset(keys.integration("members"), "paused", "1")
        platform.turn()
        assert platform.run(name).stalled == "1"
        redis.zrem(keys.runs, name)
        redis.hdel(keys.integration("members"), "paused")
    platform.configure(window=closed())
    asked = platform.ask(8)
    if who == "itself":
        redis.sadd(keys.runs_stalled, asked)
        redis.hset(keys.run(asked), mapping={"stalled": "1", "windowed": "1"})
    platform.turn()
    assert (platform.run(asked).state, platform.run(asked).why) == ("marked", "")


@on_one
def test_between_two_slices_a_run_waits_for_its_window(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changing, "SMALL", 1)
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    platform.has(7, "a", "b")
    name = platform.ask(7)
    platform.until_state(name, "between")
    platform.configure(window=closed())
    platform.turn()
    run = platform.run(name)
    assert (run.state, run.why, run.stalled) == ("between", "members waits for its window", "1")
    platform.configure()
    redis.zadd(keys.runs, {name: 0})
    assert platform.ends(name).outcome == "done"


@on_one
def test_members_without_any_key_are_a_wrong_query(platform: Platform) -> None:
    """A column that is misspelled would be taken for a segment without members."""
    platform.configure(members=platform.whole.replace("CustomID", "CustomId"))
    platform.has(7, "a", "b")
    platform.target_has(7, "a", "b")
    run = platform.resync(7, **ACCEPTED)
    assert run.outcome == "failed"
    assert "none of its 2 members has a usable key; expected the field 'CustomID'" in run.why
    assert platform.rows(7) == {"a", "b"}


@on_one
def test_a_plan_that_is_made_again_counts_its_removals_once(platform: Platform) -> None:
    """What a day has removed decides what its other runs may."""
    platform.has(7, "a")
    platform.target_has(7, "a", *(f"x{n}" for n in range(30)))
    name = platform.ask(7, **ACCEPTED)
    platform.until_state(name, "removing")
    platform.other_host()
    assert platform.ends(name).outcome == "done"
    counted = platform.job.installation.redis.hgetall(platform.job.installation.keys.removals("members"))
    assert (counted[b"removed"], counted[b"rows"]) == (b"30", b"31")


def has_removed(rows: int, run: ResyncRun) -> bool:
    return run.removed >= rows


@on_one
def test_however_often_a_plan_is_made_again_it_says_how_many_rows_go(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "AT_ONCE", 10)
    platform.has(7, "a")
    platform.target_has(7, "a", *(f"x{n:02}" for n in range(30)))
    name = platform.ask(7, **ACCEPTED)
    for removed in (10, 20, 30):
        platform.until(name, partial(has_removed, removed))
        assert platform.run(name).progress == f"removing, {removed} of 30"
        platform.other_host()
    assert platform.ends(name).outcome == "done"
    counted = platform.job.installation.redis.hgetall(platform.job.installation.keys.removals("members"))
    assert (counted[b"removed"], counted[b"rows"]) == (b"30", b"31")


@on_one
def test_a_verification_that_joins_a_resync_looks_at_what_that_has_left(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.has(7, "a")
    name = platform.ask(7, **ACCEPTED)
    monkeypatch.setattr(command, "_ended", lambda _runtime, name, **_: platform.ends(name))
    joined, fresh = ResyncRuns(platform.job.runtime.lanes).ask("members", "7", "test", "verify")
    assert (joined, fresh) == (name, False)

    found = command._verified(platform.job.runtime, joined, quiet=True)

    assert (found.kind, found.outcome) == ("verify", "equal")
    assert platform.run(name).outcome == "done"


@on_one
def test_what_a_lane_is_about_to_set_aside_stops_no_run(platform: Platform) -> None:
    """A lane's hash holds packed bytes while a profile is on its way to the quarantine."""
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    platform.has(7, "a")
    platform.has(8, "b")
    names = [platform.ask(segment, **ACCEPTED) for segment in (7, 8)]
    platform.until_state(names[0], "marked")
    redis.hset(keys.lane("members", "7"), "aside", b"\x91\x94\xbb")
    redis.zadd(keys.runs, {names[0]: 0})
    platform.turn()
    redis.hdel(keys.lane("members", "7"), "aside")
    assert [platform.ends(name).outcome for name in names] == ["done", "done"]


@pytest.mark.parametrize("step", ["part", "mark", "leave", "end"])
@on_one
def test_a_step_that_is_sent_twice_is_one(platform: Platform, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """The client library sends a command again whose answer was lost."""
    call = ResyncRuns._reader

    def twice(self: ResyncRuns, what: str, *arguments: Any) -> str:
        answer = call(self, what, *arguments)
        return call(self, what, *arguments) if what == step else answer

    monkeypatch.setattr(ResyncRuns, "_reader", twice)
    platform.has(7, *(f"k{n}" for n in range(12)))
    platform.target_has(7, "x", "y")
    run = platform.resync(7, **ACCEPTED)
    assert (run.outcome, run.added, run.removed) == ("done", 12, 2)
    assert platform.rows(7) == {f"k{n}" for n in range(12)}
    assert platform.lane(7) == {}
    assert platform.job.installation.backlog() == 0
    assert platform.job.installation.redis.xlen(platform.job.installation.keys.events) == 0


@pytest.mark.parametrize(("hours", "lost"), [(1, False), (24, False), (1, True)])
@on_one
def test_a_clock_that_was_set_back_keeps_no_run_waiting(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, hours: int, *, lost: bool
) -> None:
    """Seen from its data, all times of a run lie ahead of the clock; one that waits is put right as well.

    A mark that is lost is sent anew: how long ago it was sent must not be told by the other clock.
    """
    monkeypatch.setattr(reader, "LATER_MS", 50)
    monkeypatch.setattr(reader, "LOST_MS", 100)
    platform.configure(extra='delay = "1s"')
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    platform.has(7, "a")
    name, other = platform.ask(7, **ACCEPTED), platform.ask(8, "verify")
    platform.until_state(name, "marked")
    ahead = hours * 3_600_000
    for key in (keys.runs, keys.runs_waiting):
        for run, score in redis.zrange(key, 0, -1, withscores=True):
            redis.zadd(key, {run: score + ahead})
    redis.hincrby(keys.run(name), "marked", ahead)
    if lost:
        redis.delete(keys.events)
    redis.hset(keys.seen, "clock", redis.time()[0] * 1000 + ahead)
    assert "upkeep" in platform.woken()
    platform.job.runtime.upkeep("token", 1, rest=0, rest_of_ledger=0)
    assert platform.ends(name).outcome == "done"
    assert platform.ends(other).outcome == "equal"


@on_one
def test_a_reader_asks_now_and_then_whether_it_may_go_on(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for each page and part of its files: of a small segment that would be most of the work."""
    monkeypatch.setattr(reader, "KEPT_SECONDS", 3600.0)
    asked: list[str] = []
    keep = Lanes.keep_lease

    def counted(lanes: Lanes, name: str, owner: str) -> bool:
        asked.append(owner)
        return keep(lanes, name, owner)

    monkeypatch.setattr(Lanes, "keep_lease", counted)
    platform.has(7, "a", "b", "c")
    platform.target_has(7, "x")
    assert platform.resync(7, **ACCEPTED).outcome == "done"
    assert asked
    assert len(asked) == len(set(asked)), "once for each time that somebody reads"


@on_one
def test_status_says_how_far_a_run_is(platform: Platform) -> None:
    platform.has(7, "a", "b")
    platform.target_has(7, "x")
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    name = platform.ask(7, accept_removals=9, accept_adds=9)
    said: list[str] = []
    for state in ("marked", "removing", "adding"):
        platform.until_state(name, state)
        said += notes_of_resyncs(read_resyncs(redis, keys))
    at = datetime.fromtimestamp(platform.run(name).asked / 1000, UTC)
    where = f"run {name} (segment 7 of members), asked for by test at {at:%Y-%m-%d %H:%M:%S} UTC, is open: "
    assert said == [
        f"{where}waiting for what came before it",
        f"{where}removing, 0 of 1",
        f"{where}adding, 0 of 2",
    ]


@pytest.mark.parametrize("listed", [True, False])
@on_one
def test_a_source_that_is_emptied_while_members_are_told_is_told_of(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, *, listed: bool
) -> None:
    """It was compared as one that has members: what is told then is no whole segment, and nobody may think so.

    Of few members this is no matter: they are told as they were compared.
    """
    monkeypatch.setattr(changing, "SMALL", 0)
    platform.configure(members_query=LISTED if listed else None)
    platform.has(7, "a", "b", "c")
    platform.target_has(7, "a", "x")
    name = platform.ask(7, **ACCEPTED)
    platform.until(name, lambda run: run.told > 0)
    platform.target.run("DELETE FROM membership")
    run = platform.ends(name)
    assert (run.outcome, run.added) == ("failed", 0), run
    assert "0 of 3 members" in run.why
    flagged = platform.job.installation.redis.hgetall(platform.job.installation.keys.flagged("members"))
    assert list(flagged) == [b"7"]
    platform.has(7, "a", "b", "c")
    assert platform.resync(7, **ACCEPTED).outcome == "done"
    assert platform.rows(7) == {"a", "b", "c"}


@on_one
def test_what_was_told_before_a_run_began_anew_makes_no_list_whole(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a source that has lost half of its members since would be called done: with those of both times all are."""
    monkeypatch.setattr(changing, "SMALL", 0)
    monkeypatch.setattr(room, "AT_ONCE", 10)
    platform.has(7, *(f"m{number}" for number in range(60)))
    platform.target_has(7, "x")
    name = platform.ask(7, **ACCEPTED)
    platform.until(name, lambda run: run.added >= 40)
    platform.configure(members_query=f"{LISTED} ORDER BY 1")
    platform.until(name, lambda run: run.state == "between" and run.phase == "plan")
    platform.until(name, lambda run: run.phase == "adds")
    assert platform.run(name).progress == "adding, 0 of 60"
    platform.target.run("DELETE FROM membership WHERE id > 25")
    run = platform.ends(name)
    assert (run.outcome, "25 of 60 members" in run.why) == ("failed", True), run


@on_one
def test_few_members_that_another_host_reads_anew_are_told_as_a_whole(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As above, where a reader has died: another one reads again what is to be told."""
    monkeypatch.setattr(room, "AT_ONCE", 10)
    platform.has(7, *(f"m{number}" for number in range(60)))
    platform.target_has(7, "x")
    name = platform.ask(7, **ACCEPTED)
    platform.until(name, lambda run: run.added >= 40)
    platform.other_host()
    platform.target.run("DELETE FROM membership WHERE id > 25")
    run = platform.ends(name)
    assert (run.outcome, "25 of 60 members" in run.why) == ("failed", True), run


@on_one
def test_what_an_older_version_has_told_counts_where_another_goes_on(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker is upgraded in the middle: its source was told to have lost those whom the old one had told."""
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    monkeypatch.setattr(room, "AT_ONCE", 10)
    platform.has(7, *(f"m{number}" for number in range(60)))
    platform.target_has(7, "x")
    name = platform.ask(7, **ACCEPTED)
    platform.until(name, lambda run: run.added >= 40)
    (told,) = [field for field in redis.hkeys(keys.run(name)) if field.startswith(b"told ")]
    redis.hdel(keys.run(name), told)
    run = platform.ends(name)
    assert (run.outcome, run.why, run.added) == ("done", "", 60)


def open_to_all(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    folder.chmod(0o777)


def a_link(folder: Path) -> None:
    other = folder.with_name("other")
    other.mkdir(mode=0o700)
    folder.symlink_to(other)


def a_file(folder: Path) -> None:
    folder.touch(mode=0o600)


@on_one
@pytest.mark.parametrize("made", [open_to_all, a_link, a_file])
def test_nothing_is_kept_in_a_folder_that_another_may_have_made(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: Callable[[Path], None]
) -> None:
    """Its name is known: another user of the host could read the keys there, and write which rows are removed."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(failing, "MOST_TRIES", 1)
    made(platform.folder.parent)
    platform.has(7, "a")
    platform.target_has(7, "a", "x")
    run = platform.resync(7, **ACCEPTED)
    assert run.outcome == "failed"
    assert str(platform.folder.parent) in run.why
    assert platform.rows(7) == {"a", "x"}
    assert [path for path in tmp_path.rglob("*") if path.is_dir() and path.name.startswith(platform.folder.name)] == []


@on_one
def test_a_folder_of_another_user_is_refused(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    user = os.getuid()
    folder = platform.folder
    folder.parent.mkdir(mode=0o755)
    make_private(folder)
    assert folder.parent.stat().st_mode & 0o777 == 0o700, "one of our own that others could read is closed to them"
    monkeypatch.setattr(os, "getuid", lambda: user + 1)
    with pytest.raises(
        StrangeFolder, match=rf"segsync-{user} is not this user's own; expected a folder of user {user + 1}"
    ):
        make_private(folder)


@on_one
def test_two_installations_of_one_name_keep_what_they_read_apart(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each in a Redis of its own, on one host: their runs have the same numbers."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    platform.has(7, "a")
    platform.target_has(7, "x")
    platform.until_state(platform.ask(7, **ACCEPTED), "removing")
    (folder,) = (tmp_path / f"segsync-{os.getuid()}").iterdir()
    installation = platform.job.installation
    applied = published(installation.redis, installation.keys)
    assert applied is not None
    assert folder.name == f"{installation.namespace}-{applied.installation}"
    assert folder_of("segsync", "1") != folder_of("segsync", "2")


def forget(platform: Platform) -> None:
    """As each worker's pulse does every few seconds."""
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    applied = published(redis, keys)
    assert applied is not None
    forget_ended(redis, keys, applied.installation)


@on_one
def test_a_host_without_a_folder_for_files_has_nothing_to_forget(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container whose disk is read-only: its worker serves other queues, and its pulse wakes all."""

    def nowhere() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    forget(platform)


@on_one
@pytest.mark.parametrize("kind", ["resync", "verify"])
def test_what_another_host_has_read_goes_there_once_the_run_is_over(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Keys and whole profiles: whoever ends a run removes them on its own host alone."""
    here, there = tmp_path / "here", tmp_path / "there"

    def forgets() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(tempfile, "tempdir", str(there))
            forget(platform)

    here.mkdir()
    there.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(there))
    platform.has(7, "ann", "bob")
    platform.target_has(7, "x")
    name = platform.ask(7, kind, **ACCEPTED)
    platform.until_state(name, "removing" if kind == "resync" else "between")
    left = platform.folder
    (left / f"{name}.0f").mkdir()
    (left / "somebody's").mkdir()
    kept = {*left.iterdir()}
    forgets()
    assert {*left.iterdir()} == kept, "the run is open"

    monkeypatch.setattr(tempfile, "tempdir", str(here))
    assert platform.ends(name).outcome in ("done", "differs")
    assert [*platform.folder.iterdir()] == []
    assert {*left.iterdir()} == kept, "nobody here can look there"
    left.parent.chmod(0o777)
    forgets()
    assert {*left.iterdir()} == kept, "others may have put something in its place"
    left.parent.chmod(0o700)
    forgets()
    assert [path.name for path in left.iterdir()] == ["somebody's"]


@on_one
def test_rows_without_a_key_are_told_of(platform: Platform) -> None:
    """No query of the key can name them; a target that has them is not equal."""
    platform.has(7, "a")
    platform.target_has(7, "a", "")
    said = "rows of the target with a null or an empty key: 1;"
    verified, made = platform.resync(7, "verify"), platform.resync(7)
    assert (verified.outcome, said in verified.why) == ("differs", True)
    assert (made.outcome, said in made.why) == ("done", True)
    assert said in command._verdict(verified)
    assert said in command._verdict(made)
    assert platform.rows(7) == {"a", ""}
