"""When a run may begin, write, change a table that others keep rows in, and give up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.jobs import add
from tests.integration.resync.platform import LISTED, Platform
from workers.cli.commands import resync as command
from workers.connectors.sql.sqlite.listing import SqliteLister
from workers.control import resync as control
from workers.lanes.clock import redis_ms
from workers.lanes.runs import ResyncRuns
from workers.resync import changing, comparing, failing, reader
from workers.settings import load, revision

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
def test_source_and_target_are_closed_before_the_first_write(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a file that has no WAL a list that is open would let no COMMIT through."""
    opened: list[SqliteLister] = []
    at_writes: list[int] = []
    begin, close, part = SqliteLister.__init__, SqliteLister.close, ResyncRuns.part

    def opens(self: SqliteLister, connection: Any) -> None:
        begin(self, connection)
        opened.append(self)

    def closes(self: SqliteLister) -> None:
        close(self)
        opened.remove(self)

    def writes(self: ResyncRuns, *given: Any) -> bool:
        at_writes.append(len(opened))
        return part(self, *given)

    monkeypatch.setattr(SqliteLister, "__init__", opens)
    monkeypatch.setattr(SqliteLister, "close", closes)
    monkeypatch.setattr(ResyncRuns, "part", writes)
    platform.has(7, "a", "b")
    platform.target_has(7, "x")
    assert platform.resync(7, **ACCEPTED).outcome == "done"
    assert at_writes == [0, 0], "strays, then members"


@on_one
def test_a_run_waits_while_more_than_half_of_max_backlog_is_owed(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lane would stand at the mark, and what comes for it fill the rest."""
    monkeypatch.setattr(reader, "LATER_MS", 20)
    platform.configure(max_backlog="4", batch='{ size = 10, timeout = "60s" }')
    platform.has(7, "a")
    platform.job.push(add(8, "b", "c", "d"))
    platform.job.runtime.route("token", 1)
    name = platform.ask(7)
    platform.turn()
    assert (platform.run(name).state, platform.run(name).why) == (
        "waiting",
        "members owes more than half of its max_backlog",
    )
    platform.configure(max_backlog="6", batch='{ size = 10, timeout = "60s" }')
    assert platform.ends(name).outcome == "done", "half of it is not more than half"
    assert platform.rows(8) == set()


@on_one
@pytest.mark.parametrize(
    ("of", "field"), [("connector", "open_until"), ("connector", "hold_until"), ("integration", "hold_until")]
)
def test_what_nobody_probes_is_in_no_runs_way(platform: Platform, of: str, field: str) -> None:
    """A connector is probed for what is owed there alone: where that was dropped, runs waited without end."""
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    where = keys.connector("crm") if of == "connector" else keys.integration("members")
    platform.has(7, "a")
    name = platform.ask(7)
    now = redis_ms(redis)
    redis.hset(where, mapping={field: now + 60_000, "hold_id": "1"})
    platform.turn()
    assert (platform.run(name).state, bool(platform.run(name).why)) == ("waiting", True)
    redis.hset(where, field, now - 60_000)
    redis.zadd(keys.runs_waiting, {name: 0})
    assert (platform.ends(name).outcome, platform.rows(7)) == ("done", {"a"})


@on_one
@pytest.mark.parametrize("other", [LISTED, f"{LISTED} AND 1 = 1"], ids=["same query", "other query"])
def test_rows_that_another_integration_lists_too_are_removed_by_a_word_alone(platform: Platform, other: str) -> None:
    """They may be its own; by the same query on the same connector, that is."""
    target, installation = platform.target, platform.job.installation
    many = [f"k{number}" for number in range(60)]
    platform.has(7, *many)
    platform.target_has(7, *many)
    installation.redis.hset(platform.job.runtime.keys.removals("members"), "ever", 1)
    integrations = target.integration(members=LISTED) + target.integration(key="other", members=other)
    installation.configure(target.connector() + platform.source() + integrations)
    revision.publish(installation.redis, installation.keys, load(installation.file))
    platform.job.runtime = installation.runtime()
    platform.target_has(7, "x")
    run = platform.resync(7)
    if other == LISTED:
        assert run.outcome == "needs confirmation"
        assert run.why == "1 rows would be removed, and 'other' may keep rows in the same table"
        run = platform.resync(7, **ACCEPTED)
    assert (run.outcome, platform.rows(7)) == ("done", set(many))


@on_one
def test_rows_that_another_integration_clears_too_are_cleared_by_a_word_alone(platform: Platform) -> None:
    """As far as a clear says, they are the other one's."""
    target, installation = platform.target, platform.job.installation
    platform.has(7, "a")
    platform.target_has(7, "a", "the other one")
    installation.redis.hset(platform.job.runtime.keys.removals("members"), "ever", 1)
    installation.configure(
        target.connector() + platform.source() + target.integration() + target.integration(key="other")
    )
    revision.publish(installation.redis, installation.keys, load(installation.file))
    platform.job.runtime = installation.runtime()
    run = platform.resync(7)
    assert (run.outcome, len(platform.rows(7))) == ("needs confirmation", 2)
    assert run.why == "all rows would be removed first, and 'other' may keep rows in the same table"
    assert platform.resync(7, **ACCEPTED).outcome == "done"


@on_one
@pytest.mark.parametrize(
    ("own", "others", "field", "asks"),
    [
        ({}, {"scope": '{ database = "second", segments = "all" }'}, "CustomID", False),
        ({}, {"members": LISTED}, "CustomID", True),
        ({"members": LISTED}, {}, "CustomID", True),
        ({"members": LISTED}, {"members": f"{LISTED} AND 1 = 1"}, "CustomID", False),
        ({}, {}, "_id", True),
        ({"members": LISTED}, {"members": LISTED}, "_id", True),
        ({}, {"clear": "DELETE FROM member WHERE segment_id = {segment_id} AND 1 = 1"}, "CustomID", False),
    ],
    ids=["other segments", "lists, too", "is cleared", "lists others", "other key", "listed by other key", "others"],
)
def test_who_may_keep_the_same_segments_rows_is_asked_about_and_nobody_else(
    platform: Platform, own: dict[str, Any], others: dict[str, Any], field: str, *, asks: bool
) -> None:
    """Each run of two brands on one connector asked; and a list of its own, or another key, hid the same clear."""
    target, installation = platform.target, platform.job.installation
    many = [f"k{number}" for number in range(60)]
    platform.has(7, *many)
    platform.target_has(7, *many, "x")
    installation.redis.hset(platform.job.runtime.keys.removals("members"), "ever", 1)
    other = target.integration("other", **others).replace('key = "CustomID"', f'key = "{field}"')
    installation.configure(target.connector() + platform.source() + target.integration(**own) + other)
    revision.publish(installation.redis, installation.keys, load(installation.file))
    platform.job.runtime = installation.runtime()
    run = platform.resync(7)
    assert (run.outcome, "'other' may keep rows" in run.why) == (
        ("needs confirmation", True) if asks else ("done", False)
    )


@on_one
@pytest.mark.parametrize("by", ["this version", "an older one"])
def test_a_run_that_has_cleared_its_segment_never_gives_up(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """Its table would stay empty: it waits for its source, and says why."""
    monkeypatch.setattr(failing, "LONGEST_LOOK_MS", 5)
    platform.configure(members_query=None)
    platform.has(7, "a", "b")
    platform.target_has(7, "x")
    name = platform.ask(7, **ACCEPTED)
    platform.until_state(name, "adding")
    if by == "an older one":
        without(platform, name, "cleared")
    platform.other_host()  # else what was read at first is told
    platform.target.run("ALTER TABLE membership RENAME TO away")
    platform.until(name, lambda run: run.state == "ended" or run.tries > failing.MOST_TRIES)
    assert (platform.run(name).state, "a table does not exist" in platform.run(name).why) == ("adding", True)
    platform.target.run("ALTER TABLE away RENAME TO membership")
    run = platform.ends(name)
    assert (run.outcome, run.mode, platform.rows(7)) == ("done", "replace", {"a", "b"})


def without(platform: Platform, name: str, field: str) -> None:
    """The run is one of a version that knows nothing of this."""
    assert platform.job.installation.redis.hdel(platform.job.installation.keys.run(name), field) == 1


@on_one
@pytest.mark.parametrize("by", ["this version", "an older one"])
def test_another_configuration_asks_nothing_of_a_run_that_has_cleared_its_segment(platform: Platform, by: str) -> None:
    """As whether a column is missing: it ended with its table empty, and `status` said that nothing was changed."""
    name = has_cleared(platform)
    if by == "an older one":
        without(platform, name, "cleared")
    time = "{$lead._event_time}"
    add = platform.target.queries()["add"].replace(time, f"{{if $lead.email}}{time}{{else}}{time}{{end}}")
    platform.configure(members_query=None, add=add)
    run = platform.ends(name)
    assert (run.outcome, run.mode, platform.rows(7)) == ("done", "replace", {"a", "b"})


@on_one
def test_a_run_that_has_cleared_its_segment_waits_for_a_source_that_can_be_told(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And asks where that has no members at all: whoever has lost them, or has taken them out, knows which it is."""
    monkeypatch.setattr(failing, "LONGEST_LOOK_MS", 5)
    name = has_cleared(platform)
    monkeypatch.setattr(comparing, "MOST_UNDER_A_MARK", 1)
    platform.configure(members=platform.whole, members_query=None)
    platform.until(name, lambda run: run.state == "ended" or run.tries > failing.MOST_TRIES)
    assert (platform.run(name).state, "more than the 1 that can be told" in platform.run(name).why) == ("marked", True)
    platform.loses(7, "a", "b")
    run = platform.ends(name)
    assert (run.outcome, "no members at all" in run.why) == ("needs confirmation", True)
    assert ": no more was changed, since" in command._verdict(run)
    keys = platform.job.installation.keys
    assert platform.job.installation.redis.hexists(keys.flagged("members"), "7")


@on_one
def test_a_run_that_would_clear_by_another_configuration_has_not_cleared_yet(platform: Platform) -> None:
    """It has changed something, by difference: that is no word for a clear, nor a reason to ask for none."""
    platform.has(7, "a", "b")
    platform.target_has(7, "a", "x")
    name, _ = control.confirm(platform.job.runtime, platform.resync(7).id, "removals=1,adds=2", "me")
    platform.until_state(name, "removing")
    platform.configure(members_query=None)
    run = platform.ends(name)
    assert (run.outcome, run.mode, "it is the first time" in run.why) == ("needs confirmation", "replace", True)
    assert platform.rows(7) == {"a", "x"}


@on_one
@pytest.mark.parametrize("change", ["address", "clear"])
def test_a_run_that_has_cleared_its_segment_elsewhere_asks_before_it_clears_here(
    platform: Platform, change: str, tmp_path: Path
) -> None:
    """Those rows may be others', as at an integration's first run; they are not gone yet."""
    name = has_cleared(platform)
    if change == "clear":
        platform.configure(
            members_query=None, clear="DELETE FROM member WHERE segment_id IN ({segment_id}, {segment_id} + 1)"
        )
    else:
        there = tmp_path / "there"
        there.symlink_to(tmp_path)
        installation = platform.job.installation
        elsewhere = platform.target.connector().replace(str(tmp_path), str(there))
        installation.configure(elsewhere + platform.source() + platform.target.integration())
        revision.publish(installation.redis, installation.keys, load(installation.file))
        platform.job.runtime = installation.runtime()
    platform.until(name, lambda run: run.state == "between")
    platform.target_has(8, "y")
    run = platform.ends(name)
    assert (run.outcome, "it is the first time" in run.why) == ("needs confirmation", True)
    assert platform.rows(8) == {"y"}
    keys = platform.job.installation.keys
    assert platform.job.installation.redis.hexists(keys.flagged("members"), "7")


def has_cleared(platform: Platform) -> str:
    """A run that somebody has said yes to, and that takes the rows of segment 7 out."""
    platform.configure(members_query=None)
    platform.has(7, "a", "b")
    platform.target_has(7, "x")
    name, _ = control.confirm(platform.job.runtime, platform.resync(7).id, "removals=0,adds=2", "me")
    platform.until_state(name, "adding")
    return name


@on_one
@pytest.mark.parametrize("kind", ["told at once", "in slices", "without pages"])
@pytest.mark.parametrize("when_full", ["block", "drop"])
def test_a_run_fills_no_more_than_half_of_max_backlog(
    platform: Platform, kind: str, when_full: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the whole of it all producers are stopped, or live events of other segments dropped."""
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    if kind == "in slices":
        monkeypatch.setattr(changing, "SMALL", 1)
    members = platform.whole if kind == "without pages" else platform.paged
    platform.configure(
        members=members, max_backlog="4", when_full=f'"{when_full}"', batch='{ size = 1, timeout = "100ms" }'
    )
    platform.has(7, *"abcdefghij")
    platform.target_has(7, *(f"x{number}" for number in range(6)))
    owed, stopped, part = [0], [0], ResyncRuns.part

    def brings(self: ResyncRuns, *given: Any) -> bool:
        is_there = part(self, *given)
        owed.append(platform.job.installation.backlog())
        stopped.append(redis.exists(keys.full_marks))
        return is_there

    monkeypatch.setattr(ResyncRuns, "part", brings)
    run = platform.resync(7, **ACCEPTED)
    assert (run.outcome, run.added, run.removed, platform.rows(7)) == ("done", 10, 6, set("abcdefghij"))
    assert (max(owed), max(stopped)) == (2, 0)


@on_one
@pytest.mark.parametrize("small", [1, 20_000])
def test_what_is_pushed_behind_a_mark_keeps_no_run_from_its_end(
    platform: Platform, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fills the backlog, and is delivered when the run lets its lane go on alone: a large one does so at once."""
    monkeypatch.setattr(changing, "SMALL", small)
    monkeypatch.setattr(reader, "LATER_MS", 20)
    platform.configure(max_backlog="10", batch='{ size = 1, timeout = "100ms" }')
    platform.has(7, *"abcdefgh")
    name, states = platform.ask(7), set()
    platform.until_state(name, "adding")
    live = [f"live{number}" for number in range(9)]
    platform.job.push(*(add(7, key) for key in live))

    def is_over(run: ResyncRun) -> bool:
        states.add(run.state)
        return run.state == "ended"

    platform.until(name, is_over)
    platform.delivered()
    assert (platform.run(name).outcome, platform.rows(7)) == ("done", {*"abcdefgh", *live})
    assert ("between" in states) == (small == 1)
