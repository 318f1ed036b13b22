"""`segsync why`: where a profile is, wherever it is; and `segsync runs`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from segsync import Producer
from tests.integration.place import integration
from workers.control.drain import drain
from workers.control.pause import pause
from workers.lanes import walking
from workers.monitoring import streams

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.place import Call, Place


@pytest.fixture
def ask(call: Call) -> Callable[..., tuple[int, dict[str, Any]]]:
    """What `why` says of a profile of segment 7, and its exit status."""

    def run(profile: str | None = "3", key: str = "crm") -> tuple[int, dict[str, Any]]:
        of_profile = [] if profile is None else ["--profile", profile]
        done = call("why", key, "--segment", "7", *of_profile, "--json")
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    return run


def test_the_greatest_id_ends_what_is_looked_through(
    place: Place, ask: Callable[..., tuple[int, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "PAGE", 2)
    runtime = place.publish(integration())
    for stream_id in ("1-1", walking.GREATEST):
        runtime.redis.xadd(runtime.keys.events, {"event": "{}"}, id=stream_id)
    status, _ = ask()
    assert status == 0


def test_a_profile_that_waits_in_the_intake(place: Place, ask: Callable[..., tuple[int, Any]]) -> None:
    place.publish(integration())
    place.add("8")
    place.add("7", 5)
    status, found = ask()
    assert status == 0
    assert "waits in the intake to be routed: add of" in found["verdict"]
    assert "event 2 of 2" in found["verdict"]
    assert (found["intake"]["segment"], found["scope"]["known"]) == (1, False)


def test_an_intake_that_nobody_routes_needs_someone(
    place: Place, ask: Callable[..., tuple[int, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    place.publish(integration())
    place.add("7", 5)
    monkeypatch.setattr(streams, "STUCK_SECONDS", -1.0)
    status, found = ask()
    assert (status, found["verdict"].endswith("a worker must serve the queue `route`")) == (1, True)


def test_a_profile_that_waits_in_the_lane_with_its_place(place: Place, ask: Callable[..., tuple[int, Any]]) -> None:
    runtime = place.publish(integration(timeout="1h"))
    place.add("7", 5)
    runtime.route("token", 5)
    status, found = ask()
    assert status == 0
    assert "waits in the lane: add of" in found["verdict"]
    assert "operation 4 of 5; due in" in found["verdict"]
    assert "nothing of it waits" in ask("absent")[1]["verdict"]


def test_a_paused_integration_is_told_with_its_reason(place: Place, ask: Callable[..., tuple[int, Any]]) -> None:
    runtime = place.publish(integration())
    place.add("7", 5)
    runtime.route("token", 5)
    pause(place.redis, place.keys, "crm", reason="new table", by="ann@host")
    status, found = ask()
    assert (status, "crm is paused since" in found["verdict"], "new table" in found["verdict"]) == (0, True, True)


def test_a_failed_batch_is_told_with_its_reason(place: Place, ask: Callable[..., tuple[int, Any]]) -> None:
    runtime = place.publish(integration(table="missing"))
    place.add("7", 5)
    runtime.route("token", 5)
    place.let_timeouts_pass()
    drain(runtime)
    status, found = ask()
    assert (status, found["state"]["state"]) == (1, "held")
    assert "a table does not exist" in found["verdict"]


def test_a_profile_in_the_quarantine_is_found_by_its_id(place: Place, ask: Callable[..., tuple[int, Any]]) -> None:
    runtime = place.publish(integration())
    place.redis.xadd(place.keys.events, {"event": '{"type":"add","segment":{"id":7},"profiles":[{"_id":"3"}]}'})
    runtime.route("token", 5)
    place.let_timeouts_pass()
    drain(runtime)
    status, found = ask()
    assert status == 1
    assert "profile 3 is in the quarantine since" in found["verdict"]
    assert "`segsync quarantine retry 1`" in found["verdict"]
    assert "payload" not in found["entries"][0]

    status, found = ask(None)
    assert (status, "; 1 open entry in the quarantine" in found["verdict"]) == (0, True), found["verdict"]


def test_what_was_delivered_is_told_up_to_when(place: Place, ask: Callable[..., tuple[int, Any]], call: Call) -> None:
    runtime = place.publish(integration())
    place.add("7", 5)
    runtime.route("token", 5)
    place.let_timeouts_pass()
    drain(runtime)
    status, found = ask()
    assert status == 0
    assert "nothing of it waits; all that came for segment 7 until" in found["verdict"]
    (run,) = found["deliveries"]
    assert (run["outcome"], run["operations"], run["rows"], run["event_types"]) == ("delivered", 5, 5, ["add"])

    assert json.loads(call("runs", "--json").stdout)["runs"] == [run]
    assert "delivered" in call("runs", "--segment", "7").stdout
    assert "nothing was tried" in call("runs", "--segment", "8").stdout
    assert "nothing has failed" in call("runs", "--failed").stdout
    assert "did you mean 'crm'" in call("runs", "--integration", "crn").stderr


def test_a_segment_out_of_scope(place: Place, ask: Callable[..., tuple[int, Any]]) -> None:
    runtime = place.publish(integration(segments="[9]"))
    place.add("7", 5)
    runtime.route("token", 5)
    status, found = ask()
    assert (status, found["scope"]["unwanted"]) == (0, 5)
    assert found["verdict"] == "segment 7 is not in the scope of crm (segments 9): nothing is told"


def test_people_are_told_of_the_segment_as_a_whole(place: Place, call: Call) -> None:
    runtime = place.publish(integration(timeout="1h"))
    with Producer(place.url, namespace=place.keys.namespace) as producer:
        producer.segment_upsert("7", name="VIP", database="main", groups=["sales"])
    place.add("7", 2)
    runtime.route("token", 5)
    done = call("why", "crm", "--segment", "7")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("segment 7 waits in the lane")
    assert "segment 7 ('VIP', database main, groups sales) is in it: main: all segments" in done.stdout
    assert "lane        owes 3 operations, the oldest of" in done.stdout


def test_an_unknown_integration_is_named_with_the_nearest(place: Place, call: Call) -> None:
    place.publish(integration())
    done = call("why", "crn", "--segment", "7")
    assert ("did you mean 'crm'?" in done.stderr, done.returncode) == (True, 2)
