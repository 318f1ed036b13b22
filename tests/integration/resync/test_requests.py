"""The event that asks for a resync."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.resync.platform import Platform
from workers.cli.exit_status import FINE
from workers.control import resync as control
from workers.errors import WrongUsage
from workers.lanes.runs import OPEN_AT_MOST, ReadingLost, ResyncRuns

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.jobs import Job
    from tests.targets import TargetDatabase

on_one = pytest.mark.parametrize("target", ["sqlite"], indirect=True)
ACCEPTED: dict[str, Any] = {"accept_removals": 10**6, "accept_adds": 10**6}
SALES = '{ database = "main", groups = ["sales"] }'


def upsert(segment: int, *groups: str) -> dict[str, Any]:
    return {"type": "segment_upsert", "segment": {"id": segment, "groups": groups}}


@pytest.fixture
def platform(make_job: Callable[[TargetDatabase], Job], target: TargetDatabase) -> Platform:
    return Platform(make_job(target))


@pytest.mark.parametrize("target", ["sqlite"], indirect=True)
def test_an_event_asks_for_a_run(platform: Platform) -> None:
    """Pushed twice, as after a crash between two steps, it is one run; the intake keeps nothing of it."""
    platform.has(7, "a")
    installation = platform.job.installation
    installation.producer.resync(7)
    installation.producer.resync("7", "members")
    platform.job.runtime.route("token", 1)
    assert ResyncRuns(platform.job.runtime.lanes).open() == ["1"]
    assert platform.run("1").by == "an event"
    assert platform.ends("1").outcome == "done"
    assert platform.rows(7) == {"a"}
    assert installation.redis.xlen(installation.keys.events) == 0


@pytest.mark.parametrize("target", ["sqlite"], indirect=True)
@pytest.mark.parametrize("integration", ["unknown", 7])
def test_what_cannot_be_asked_for_goes_to_the_quarantine(platform: Platform, integration: object) -> None:
    event = {"type": "resync", "segment": {"id": 7}, "integration": integration}
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    redis.xadd(keys.events, {"event": json.dumps(event)})
    platform.job.runtime.route("token", 1)
    assert ResyncRuns(platform.job.runtime.lanes).open() == []
    assert [entry.code for entry in platform.job.quarantined()] == [
        "not followed" if integration == "unknown" else "reserved"
    ]


@on_one
@pytest.mark.parametrize("state", ["marked", "adding"])
def test_what_comes_once_a_run_has_read_its_source_is_done_once_more(platform: Platform, state: str) -> None:
    """The platform's own event was lost: nobody would tell but this request."""
    platform.has(7, "a", "b", "c")
    platform.target_has(7, "a")
    name = platform.ask(7, **ACCEPTED)
    platform.until_state(name, state)
    platform.loses(7, "b")
    assert platform.ask(7, **ACCEPTED) == name
    assert platform.run(name).again
    run = platform.ends(name)
    assert (run.outcome, run.again, platform.rows(7)) == ("done", "", {"a", "c"})
    assert ResyncRuns(platform.job.runtime.lanes).open() == []


@on_one
def test_a_word_that_was_given_is_not_given_once_more(platform: Platform) -> None:
    platform.has(7, *"12345678")
    platform.target_has(7, *"12345678", "x")
    name = platform.ask(7, **ACCEPTED)
    platform.until_state(name, "adding")
    platform.loses(7, *"1234")
    platform.ask(7)
    run = platform.ends(name)
    assert (run.outcome, run.strays, len(platform.rows(7))) == ("needs confirmation", 4, 8)


@on_one
@pytest.mark.parametrize("leave", ["clear", "keep"])
def test_a_segment_that_left_and_came_while_it_was_told_is_told_once_more(platform: Platform, leave: str) -> None:
    """What clears it stands behind the run's mark, and what it lost meanwhile nobody has told."""
    platform.configure(scope=SALES, on_enter='"resync"', on_leave=f'"{leave}"')
    platform.has(7, *"abcdefghijklm")
    platform.job.push(upsert(7), upsert(7, "sales"))
    platform.job.runtime.route("token", 1)
    (name,) = ResyncRuns(platform.job.runtime.lanes).open()
    platform.until_state(name, "adding")
    platform.loses(7, "b")
    platform.job.installation.redis.hset(platform.job.installation.keys.removals("members"), "ever", 1)
    platform.job.push(upsert(7), upsert(7, "sales"))
    platform.job.runtime.route("token", 1)
    run = platform.ends(name)
    platform.delivered()
    assert (run.outcome, platform.rows(7)) == ("done", set("acdefghijklm"))


@on_one
def test_who_asks_once_more_is_not_forgotten_where_an_answer_was_lost(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = ResyncRuns._reader

    def twice(self: ResyncRuns, what: str, *arguments: Any) -> str:
        answer = call(self, what, *arguments)
        if what == "end":
            with contextlib.suppress(ReadingLost):
                call(self, what, *arguments)
        return answer

    monkeypatch.setattr(ResyncRuns, "_reader", twice)
    platform.has(7, "a", "b")
    name = platform.ask(7, **ACCEPTED)
    platform.until_state(name, "adding")
    platform.loses(7, "b")
    platform.ask(7, **ACCEPTED)
    assert (platform.ends(name).outcome, platform.rows(7)) == ("done", {"a"})


@on_one
def test_a_run_that_is_cancelled_is_not_done_once_more(platform: Platform) -> None:
    platform.has(7, "a", "b")
    name = platform.ask(7)
    platform.until_state(name, "adding")
    platform.ask(7)
    assert ResyncRuns(platform.job.runtime.lanes).cancel(name, "me")
    assert platform.ends(name).outcome == "cancelled"


@on_one
def test_who_asks_is_told_that_it_is_done_once_more(platform: Platform) -> None:
    platform.has(7, "a")
    name = platform.ask(7)
    asked = platform.job.installation.segsync("resync", "members", "--segment", "7").stdout
    assert asked == f"run {name}: segment 7 of members, which was asked for before\n"
    platform.until_state(name, "adding")
    asked = platform.job.installation.segsync("resync", "members", "--segment", "7").stdout
    assert "reads its source and tells all members once more" in asked


@on_one
@pytest.mark.parametrize("state", ["", "adding"])
def test_who_asks_beside_a_run_that_is_cancelled_gets_another(platform: Platform, state: str) -> None:
    """The request was the run's that had not begun, and ended with it: a script took it for done."""
    platform.has(7, "a", "b")
    name = platform.ask(7)
    if state:
        platform.until_state(name, state)
    platform.cancel(name)
    asked = platform.job.installation.segsync("resync", "members", "--segment", "7")
    assert (
        asked.stdout
        == f"run {name}: segment 7 of members, which test has cancelled: once that is over, it begins anew\n"
    )
    assert asked.returncode == FINE
    assert (platform.ends(name).outcome, platform.rows(7)) == ("done", {"a", "b"})


@on_one
@pytest.mark.parametrize("state", ["", "marked", "between"])
def test_a_resync_that_is_asked_for_beside_a_cancelled_verification_takes_place(platform: Platform, state: str) -> None:
    platform.has(7, "a", "b")
    name = platform.ask(7, "verify")
    if state:
        platform.until_state(name, state)
    platform.cancel(name)
    assert platform.ask(7) == name
    run = platform.ends(name)
    assert (run.kind, run.outcome, platform.rows(7)) == ("resync", "done", {"a", "b"})
    assert ResyncRuns(platform.job.runtime.lanes).open() == []


@on_one
@pytest.mark.parametrize("state", ["", "adding"])
def test_who_cancels_once_more_ends_what_was_asked_for_meanwhile(platform: Platform, state: str) -> None:
    platform.has(7, "a", "b")
    name = platform.ask(7)
    if state:
        platform.until_state(name, state)
    platform.cancel(name)
    platform.ask(7)
    platform.cancel(name)
    assert platform.ends(name).outcome == "cancelled"
    assert ResyncRuns(platform.job.runtime.lanes).open() == []


@on_one
def test_what_has_not_begun_waits_again_when_it_was_cancelled_and_asked_for(platform: Platform) -> None:
    """All of them stood among those that have begun, and their lanes waited at their marks at once."""
    names = [platform.ask(segment) for segment in range(30)]
    for segment, name in enumerate(names):
        platform.cancel(name)
        platform.ask(segment)
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    for name in names:
        redis.zadd(keys.runs_waiting, {name: 0}, xx=True)
    for _ in range(40):
        platform.turn()
    assert redis.zcard(keys.runs) <= OPEN_AT_MOST
    assert not any(platform.run(name).cancelled for name in names)


@on_one
def test_a_word_that_was_sent_twice_is_taken_once(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer was lost: who gave it was told that a run was open already, which was its own."""
    platform.has(7, *(members := [f"k{number}" for number in range(40)]))
    platform.target_has(7, *members, "x")
    asking = platform.resync(7)
    ask = ResyncRuns.ask

    def twice(self: ResyncRuns, *arguments: Any, **more: Any) -> tuple[str, bool]:
        ask(self, *arguments, **more)
        return ask(self, *arguments, **more)

    with monkeypatch.context() as patched:
        patched.setattr(ResyncRuns, "ask", twice)
        name, _ = control.confirm(platform.job.runtime, asking.id, "removals=1", "me")
    assert (platform.ends(name).outcome, platform.rows(7)) == ("done", set(members))


@on_one
def test_one_word_is_given_once_however_many_give_it_at_once(platform: Platform) -> None:
    """Two saw no open run, and the second's word became that of another pass."""
    platform.has(7, *(members := [f"k{number}" for number in range(40)]))
    platform.target_has(7, *members, "x")
    asking = platform.resync(7)
    name, _ = control.confirm(platform.job.runtime, asking.id, "removals=1", "me")
    platform.until_state(name, "adding")
    runs = ResyncRuns(platform.job.runtime.lanes)
    assert runs.ask("members", "7", "you", accept_removals=99, accepted_of=asking.digest) == (name, False)
    assert "again" not in runs.read(name)
    assert (platform.ends(name).outcome, platform.rows(7)) == ("done", set(members))


@on_one
def test_a_word_is_none_for_another_configuration(platform: Platform) -> None:
    """As where its integration is paused, and gets other queries before the run can begin."""
    platform.has(7, *(members := [f"k{number}" for number in range(40)]))
    platform.target_has(7, *members, "x")
    asking = platform.resync(7)
    name, _ = control.confirm(platform.job.runtime, asking.id, "removals=1", "me")
    platform.target.run("CREATE TABLE other (segment_id bigint, client_id varchar(255))")
    platform.target.run("INSERT INTO other SELECT 7, custom_id FROM membership", "INSERT INTO other VALUES (7, 'z')")
    platform.configure(members_query="SELECT client_id FROM other WHERE segment_id = {segment_id}")
    assert platform.ends(name).outcome == "needs confirmation"
    name, _ = control.confirm(platform.job.runtime, name, "removals=1", "me")
    assert platform.ends(name).outcome == "done"


@on_one
@pytest.mark.parametrize(("kind", "state"), [("resync", "marked"), ("resync", "adding"), ("verify", "waiting")])
def test_a_word_that_is_refused_for_an_open_run_is_not_given(platform: Platform, kind: str, state: str) -> None:
    """The run would be done once more with it, and remove what whoever gave it was told to wait with."""
    platform.has(7, *(members := [f"k{number}" for number in range(40)]))
    platform.target_has(7, *members, "x")
    asking = platform.resync(7)
    assert asking.outcome == "needs confirmation"
    more = ACCEPTED if state == "adding" else {}
    name = platform.ask(7, kind, **more)
    platform.until_state(name, state)
    platform.target_has(7, "y")
    with pytest.raises(WrongUsage, match=f"run {name} of the same segment is open already"):
        control.confirm(platform.job.runtime, asking.id, "removals=2", "me")
    run = platform.ends(name)
    assert (run.kind, "y" in platform.rows(7)) == (kind, True)
