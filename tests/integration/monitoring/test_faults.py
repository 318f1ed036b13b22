"""One test for each fault that an operator meets: `status` says it, with what to do, and nothing while all is well.

They are made real, each in faults.py. Those that need time are made old by writing their beginning into Redis, as if
they had lasted. With real workers: tests/acceptance/test_watching.py.
"""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.integration.monitoring.faults import AGAIN, FAULTS, FAULTS_OF_REDIS, SINCE, nothing
from tests.integration.monitoring.scene import Scene
from tests.integration.place import integration
from tests.servers.process import free_port
from tests.waiting import until
from workers.control import apply as applying
from workers.control.drain import drain
from workers.lanes.clock import redis_ms
from workers.ledger.database import Ledger
from workers.ledger.errors import LedgerError
from workers.monitoring import status
from workers.monitoring.consumers import Consumers
from workers.settings import load, revision

if TYPE_CHECKING:
    from tests.integration.monitoring.faults import Fault
    from tests.integration.place import Place
    from tests.servers.redis import RedisServer
    from workers.monitoring.whole import Status
    from workers.runtime import Runtime

SERVED = {"route": 1, "upkeep": 1, "deliver.db": 1}
LONG_MS = 600_000


def look(runtime: Runtime, workers: int = 2, queues: dict[str, int] | None = None, many: int = 10_000) -> Status:
    return status.read(runtime, lambda: Consumers(workers, SERVED if queues is None else queues), many=many, patience=0)


def running(runtime: Runtime) -> Runtime:
    """As if workers and beat were there."""
    runtime.looked("pulse")
    runtime.looked("beat")
    return runtime


@pytest.fixture
def fine(place: Place) -> Runtime:
    """An installation on which all is well: everything delivered, and somebody looking for more."""
    runtime = place.publish(integration())
    place.add("7", 10)
    drain(runtime)
    runtime = running(runtime)
    assert look(runtime).needs == []
    return runtime


@pytest.fixture
def idle(place: Place) -> Runtime:
    """An installation that has had nothing to do yet."""
    return running(place.publish(integration()))


def only(sentences: list[str]) -> str:
    (one,) = sentences
    return one


def earlier(place: Place, by_ms: int = LONG_MS) -> int:
    return redis_ms(place.redis) - by_ms


def owe_for_long(place: Place) -> None:
    """Ten operations that came in ten minutes ago."""
    place.redis.xadd(
        place.keys.events,
        {"event": json.dumps({"type": "add", "segment": {"id": "8"}, "profiles": [{"_id": 1, "id": "x"}]})},
        id=f"{earlier(place)}-0",
    )


def matches(pattern: str, sentences: list[str]) -> bool:
    return any(re.match(pattern, sentence) for sentence in sentences)


def happens(scene: Scene, fault: Fault) -> None:
    """`status` says it, ends with its status, and says nothing any more once it is mended."""
    assert scene.look().needs == []
    fault.begin(scene)
    found = scene.look()
    if fault.said:
        assert matches(fault.said, found.needs), found.needs
    else:
        assert found.needs == []
    assert matches(fault.noted, found.notes) or not fault.noted, found.notes
    assert scene.exit_status() == fault.status
    if fault.mend is not nothing:
        fault.mend(scene)
        assert scene.look().needs == []
        assert scene.exit_status() == 0


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_told_until_it_is_mended(place: Place, name: str) -> None:
    happens(Scene(place, *FAULTS[name].file), FAULTS[name])


@pytest.mark.parametrize("name", FAULTS_OF_REDIS)
def test_each_fault_of_redis_is_told_until_it_is_mended(own_redis: RedisServer, place: Place, name: str) -> None:
    place.url, place.redis = own_redis.url, own_redis.client()
    happens(Scene(place), FAULTS_OF_REDIS[name])


BY_MARIADB = """
[connectors.other]
url = "{url}"
password_file = "password"
[integrations.crm]
connector = "other"
key = "id"
scope = {{ database = "main", segments = "all" }}
[integrations.crm.queries]
add = 'REPLACE INTO member (segment_id, client_id) VALUES ("{{segment_id}}", "{{lead.id}}")'
remove = 'DELETE FROM member WHERE segment_id = "{{segment_id}}" AND client_id = "{{lead.id}}"'
"""


def test_a_password_that_is_wrong(place: Place, mariadb_url: str) -> None:
    """The connector is held, and tried again less often than a table: an account may get locked."""
    (place.folder / "password").write_text("wrong")
    scene = Scene(place, BY_MARIADB.format(url=mariadb_url))
    scene.push()
    scene.work()
    found = scene.look()
    assert matches(rf"crm is held{SINCE}.*: connector other: mysql 1045: .*{AGAIN}", found.needs), found.needs
    assert (found.integrations[0].next_try_s or 0) > 60
    assert scene.exit_status() == 1


def test_a_target_that_is_down(place: Place) -> None:
    (place.folder / "password").write_text("any")
    scene = Scene(place, BY_MARIADB.format(url=f"mysql://segsync@127.0.0.1:{free_port()}/x"))
    scene.push()
    scene.work()
    assert scene.exit_status() == 0, "it may be starting anew"
    scene.age()
    found = scene.look()
    told = rf"crm is retrying{SINCE}, 1 failed try: connector other: mysql 2003: .*{AGAIN}"
    assert matches(told, found.needs), found.needs
    assert scene.exit_status() == 1


def test_an_outage_since_a_time_to_come_is_told(fine: Runtime, place: Place) -> None:
    """The clock was set back by two hours while a target was away: nobody must wait for it to catch up."""
    now = redis_ms(place.redis)
    place.add("8", 10)
    fine.route("t", 5)
    ahead: dict[Any, Any] = {"open_until": now, "open_reason": "down", "open_since": now + 7_200_000}
    place.redis.hset(place.keys.connector("db"), mapping=ahead)
    assert only(look(fine).needs).startswith("crm is retrying since")


def test_a_short_outage_is_no_alarm(fine: Runtime, place: Place) -> None:
    now = redis_ms(place.redis)
    place.add("8", 10)
    fine.route("t", 5)
    place.redis.hset(place.keys.connector("db"), mapping={"open_until": now, "open_reason": "down", "open_since": now})
    found = look(fine)
    assert (found.integrations[0].state, found.needs) == ("retrying", [])


def test_a_connector_without_integrations_need_not_be_served(fine: Runtime, place: Place) -> None:
    place.redis.sadd(place.keys.connectors, "unused")
    assert look(fine).needs == []


def test_nothing_runs_at_all(fine: Runtime, place: Place) -> None:
    place.redis.hset(place.keys.seen, mapping={"pulse": earlier(place), "beat": earlier(place)})
    needs = look(fine, workers=0, queues={}).needs
    assert needs[0].startswith("no worker is running; start them with")
    assert any(sentence.startswith("no worker's pulse has looked for work for 10 min") for sentence in needs)
    assert any(sentence.startswith("beat has not looked for 10 min: start one") for sentence in needs)


def test_no_beat(fine: Runtime, place: Place) -> None:
    place.redis.hset(place.keys.seen, "beat", earlier(place))
    assert only(look(fine).needs).startswith("beat has not looked for 10 min: start one with `celery -A workers beat`")


def test_events_that_nobody_routes(idle: Runtime, place: Place) -> None:
    owe_for_long(place)
    assert only(look(idle).needs) == "events have waited for 10 min to be routed; a worker must serve the queue `route`"


def test_events_whose_ids_lie_ahead_of_the_clock_and_that_nobody_routes(idle: Runtime, place: Place) -> None:
    """Their ids tell no age; whoever looked for work first has seen them."""
    ahead = f"{earlier(place, -LONG_MS)}-0"
    place.redis.xadd(place.keys.events, {"event": json.dumps({"type": "clear", "segment": {"id": 7}})}, id=ahead)
    idle.lanes.tick("t", "beat")
    noted = cast("bytes", place.redis.hget(place.keys.seen, "ahead")).decode()
    assert noted.startswith(f"{ahead} ")
    idle.lanes.tick("t", "beat")
    assert place.redis.hget(place.keys.seen, "ahead") == noted.encode(), "first seen, not last"
    assert look(idle).intake.oldest_age_s is not None
    place.redis.hset(place.keys.seen, "ahead", f"{ahead} {earlier(place)}")
    assert only(look(idle).needs) == "events have waited for 10 min to be routed; a worker must serve the queue `route`"


def test_outcomes_that_nobody_writes_down(fine: Runtime, place: Place) -> None:
    place.redis.delete(place.keys.outcomes)
    place.redis.xadd(place.keys.outcomes, {"r": b"x"}, id=f"{earlier(place)}-0")
    assert only(look(fine).needs) == (
        "outcomes have waited for 10 min to be written to the ledger; a worker must serve the queue `upkeep`"
    )


def test_the_quarantine_is_counted_while_the_ledger_is_silent(fine: Runtime, place: Place) -> None:
    place.redis.hset(place.keys.integration("crm"), "quarantined", 3)
    (place.folder / "ledger.db").rename(place.folder / "aside.db")
    (place.folder / "ledger.db").mkdir()
    fresh = running(type(fine)(fine.local))
    found = look(fresh)
    assert (found.quarantine, found.integrations[0].quarantine, found.ledger_is_dead) == (3, 3, True)


def test_a_ledger_that_is_gone_is_told_as_that_and_none_is_made_in_its_place(fine: Runtime, place: Place) -> None:
    ledger = place.folder / "ledger.db"
    ledger.rename(place.folder / "aside.db")
    found = look(running(fine))
    assert "its file is gone: it was removed, or its disk is not mounted" in found.unread[0]
    assert found.topics == ["ledger"]  # nothing waits to be written, and it needs someone
    assert only(found.needs).startswith("the ledger cannot be read: ledger sqlite")
    place.add("9", 10)
    assert "its file is gone" in drain(fine).ledger
    assert "in its place is nothing, or an empty or new one" in drain(fine).ledger
    fresh = running(type(fine)(fine.local))
    with pytest.raises(LedgerError, match=r"its disk is not mounted\. Expected to be put back") as refused:
        _ = fresh.ledger
    assert str(refused.value).count(str(ledger)) == 1
    assert not ledger.exists()
    ledger.touch()  # as a segsync that was older would have made it
    with pytest.raises(LedgerError, match="is gone, and in its place is nothing"):
        _ = fresh.ledger
    (place.folder / "aside.db").replace(ledger)
    assert look(running(type(fine)(fine.local))).unread == []
    assert drain(fine).ledger == ""


def test_a_new_ledger_in_the_place_of_the_one_that_is_known_is_none(fine: Runtime, place: Place) -> None:
    (place.folder / "ledger.db").rename(place.folder / "aside.db")
    Ledger(f"sqlite:///{place.folder / 'ledger.db'}").upgrade()
    with pytest.raises(LedgerError, match="is gone, and in its place is nothing, or an empty or new one"):
        _ = type(fine)(fine.local).ledger
    plan = applying.plan(place.redis, place.keys, load(place.file))
    applying.carry_out(place.redis, place.keys, plan, accept=True)
    assert look(running(type(fine)(fine.local))).needs == []


def test_what_is_given_up_is_made_anew(fine: Runtime, place: Place) -> None:
    (place.folder / "ledger.db").unlink()
    plan = applying.plan(place.redis, place.keys, load(place.file))
    applying.carry_out(place.redis, place.keys, plan, accept=True)
    assert look(running(type(fine)(fine.local))).needs == []


def test_another_ledger_is_refused_and_told(fine: Runtime, place: Place) -> None:
    place.redis.hset(place.keys.ledger, "host", "elsewhere")
    (place.folder / "ledger.db").rename(place.folder / "first.db")
    other = running(type(fine)(fine.local))
    with pytest.raises(LedgerError, match="it is not the one that this installation writes to"):
        _ = other.ledger
    found = look(other)
    assert "expected one ledger for all hosts" in found.unread[0]
    place.add("9", 10)
    assert "it is not the one" in drain(other).ledger
    assert place.redis.xlen(place.keys.outcomes) > 0


def quarantine_two(fine: Runtime, place: Place) -> None:
    event = {"type": "add", "segment": {"id": 7}, "profiles": [{"_id": 1}, {"_id": 2}]}
    place.redis.xadd(place.keys.events, {"event": json.dumps(event)})
    place.redis.xadd(place.keys.events, {"event": json.dumps({"type": "clear", "segment": {"id": 99}})})
    drain(fine)
    place.let_timeouts_pass()
    drain(fine)


def test_an_open_quarantine_is_a_word_and_an_alarm_from_a_threshold(fine: Runtime, place: Place) -> None:
    quarantine_two(fine, place)
    found = look(fine)
    assert found.integrations[0].quarantine == 2
    assert found.needs == []
    assert only(found.notes) == "2 open entries in the quarantine; `segsync errors` groups them by cause"
    assert only(look(fine, many=2).needs).startswith("crm has 2 entries in the quarantine")


def test_apply_that_widens_a_scope_flags_what_comes_in(fine: Runtime, place: Place) -> None:
    assert fine.applied.revision == 1
    runtime = place.publish(integration(segments="[7]"))
    place.add("8", 1)
    drain(runtime)
    assert look(running(runtime)).integrations[0].needs_resync == 0

    settings = place.write(integration(segments="[7, 8, 9]"), integration("new", segments="[8]"))
    applying.carry_out(place.redis, place.keys, applying.plan(place.redis, place.keys, settings))
    runtime.follow()
    found = {each.key: each for each in look(running(runtime)).integrations}
    assert (found["crm"].needs_resync, found["crm"].resync_segments) == (1, ("8",))
    assert found["new"].resync_segments == ("8",)
    told = "crm was never told of all members of segment 8: `segsync resync crm --needed`, or push them again"
    assert told in look(runtime).notes


def test_apply_that_narrows_a_scope_takes_the_flags_of_what_leaves_it(place: Place) -> None:
    runtime = place.publish(integration(segments="[7]"))
    place.add("8", 1)
    place.add("9", 1)
    drain(runtime)
    place.publish(integration(segments="[7]"))
    for scope, flagged in (("[7, 8, 9]", ("8", "9")), ("[7, 9]", ("9",))):
        plan = applying.plan(place.redis, place.keys, place.write(integration(segments=scope)))
        applying.carry_out(place.redis, place.keys, plan)
        runtime.follow()
        assert look(running(runtime)).integrations[0].resync_segments == flagged


def test_a_segment_first_seen_while_apply_is_at_work_is_flagged(
    fine: Runtime, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at what is known and the publishing it was judged by the old scope."""
    runtime = place.publish(integration(segments="[7]"))
    fine.follow()
    publish = revision.publish

    def after_an_event(*arguments: Any, **more: Any) -> int:
        place.add("8", 3)
        runtime.route("t", 5)
        return publish(*arguments, **more)

    settings = place.write(integration(segments="[7, 8]"))
    monkeypatch.setattr(revision, "publish", after_an_event)
    applying.carry_out(place.redis, place.keys, applying.plan(place.redis, place.keys, settings))
    assert look(running(runtime)).integrations[0].resync_segments == ("8",)


def test_apply_that_narrows_a_scope_flags_nothing(fine: Runtime, place: Place) -> None:
    settings = place.write(integration(segments="[7]"))
    applying.carry_out(place.redis, place.keys, applying.plan(place.redis, place.keys, settings))
    fine.follow()
    assert look(fine).integrations[0].needs_resync == 0


def test_a_time_to_come_hides_no_delay(place: Place) -> None:
    """A producer's clock is twenty hours ahead, so later events get such ids, too: what is late is late."""
    runtime = place.publish(integration())
    event = {"type": "add", "segment": {"id": 8}, "profiles": [{"_id": 1, "id": "x"}]}
    ahead = f"{redis_ms(place.redis) + 20 * 3_600_000}-0"
    place.redis.xadd(place.keys.events, {"event": json.dumps(event)}, id=ahead)
    place.add("9", 1)
    runtime.route("t", 5)
    for segment in ("8", "9"):
        assert int(place.redis.hget(place.keys.lane("crm", segment), "head") or 0) <= redis_ms(place.redis)
    until(lambda: look(running(runtime)).integrations[0].late_s > 0, "it is late", 5)


def emptied(place: Place) -> None:
    for key in place.redis.scan_iter(match=f"*{place.keys.namespace}*", count=1000):
        place.redis.delete(key)


def test_an_emptied_redis_is_told_though_nothing_is_written_to_the_ledger(place: Place) -> None:
    """A scope by groups wants nothing then, so no outcome comes of anything."""
    place.add("7", 10)
    drain(place.publish(integration()))
    emptied(place)
    runtime = place.publish(integration().replace('segments = "all"', 'groups = ["sales"]'))
    place.add("7", 10)
    runtime.route("t", 5)
    assert place.redis.xlen(place.keys.outcomes) == 0
    assert only(look(running(runtime)).needs).startswith("this Redis was emptied or replaced")
    settings = load(place.file)
    plan = applying.plan(place.redis, place.keys, settings)
    applying.carry_out(place.redis, place.keys, plan, accept=True)
    assert look(running(runtime)).needs == []
    runtime.drain_outcomes(5)
    assert look(running(runtime)).needs == []


def test_who_wrote_to_the_ledger_before_another_was_accepted_is_refused(fine: Runtime, place: Place) -> None:
    fine.drain_outcomes(5)
    (place.folder / "other").mkdir()
    file = place.folder / "other" / "segsync.toml"
    file.write_text(place.file.read_text())
    other = type(fine)(load(file).local)
    plan = applying.plan(place.redis, place.keys, load(file))
    applying.carry_out(place.redis, place.keys, plan, accept=True)
    other.drain_outcomes(5)
    with pytest.raises(LedgerError, match="it is not the one that this installation writes to"):
        fine.drain_outcomes(5)


def test_only_the_accepted_ledger_is_taken_whoever_writes_first(fine: Runtime, place: Place) -> None:
    (place.folder / "other").mkdir()
    file = place.folder / "other" / "segsync.toml"
    file.write_text(place.file.read_text())
    applying.carry_out(place.redis, place.keys, applying.plan(place.redis, place.keys, load(file)), accept=True)
    with pytest.raises(LedgerError, match="it is not the one that this installation writes to"):
        fine.drain_outcomes(5)
    type(fine)(load(file).local).drain_outcomes(5)


def test_of_two_copies_of_a_ledger_the_one_that_lacks_something_is_refused(fine: Runtime, place: Place) -> None:
    """They have the same id: two hosts with a copy each would split the quarantine."""
    (place.folder / "copy").mkdir()
    file = place.folder / "copy" / "segsync.toml"
    file.write_text(place.file.read_text())
    shutil.copy(place.folder / "ledger.db", file.with_name("ledger.db"))
    copy = type(fine)(load(file).local)
    deliver_one(fine, place)
    with pytest.raises(LedgerError, match="lacks what was written since: it is an older copy"):
        copy.drain_outcomes(5)
    assert "older copy" in look(running(type(fine)(load(file).local))).unread[0]
    deliver_one(fine, place)
    applying.carry_out(place.redis, place.keys, applying.plan(place.redis, place.keys, load(file)), accept=True)
    deliver_one(type(fine)(load(file).local), place)
    with pytest.raises(LedgerError, match="it is an older copy"):
        fine.drain_outcomes(5)


def deliver_one(runtime: Runtime, place: Place) -> None:
    """As a process that has just begun."""
    if runtime._books:
        runtime._books._count_at = 0.0
    event = {"type": "add", "segment": {"id": 7}, "profiles": [{"_id": 1}]}
    place.redis.xadd(place.keys.events, {"event": json.dumps(event)})
    runtime.route("t", 5)
    place.redis.xadd(place.keys.outcomes, {"r": b"x"})
    assert runtime.drain_outcomes(5)
