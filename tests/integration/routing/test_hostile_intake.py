"""Anybody can push anything with any id: nothing is lost, nothing is cut, nothing stands still."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.desk import add
from workers.control.drain import drain
from workers.events import parsing
from workers.events.sequence import MAX_N
from workers.lanes.lease import ROUTE, Leases
from workers.routing import entry, router
from workers.routing.router import DEATHS_AT_MOST
from workers.routing.transfer import Transfer

if TYPE_CHECKING:
    from tests.integration.desk import Desk
    from tests.integration.jobs import Job

MICROSECONDS = "1700000000000000-0"
GREATEST = "18446744073709551615-18446744073709551615"


def in_order(desk: Desk, integration: str = "a") -> bool:
    sequences = [operation.sequence for operation in desk.operations(integration, "7")]
    numbers = [operation.number for operation in desk.operations(integration, "7")]
    return sequences == sorted(set(sequences)) and numbers == sorted(numbers)


@pytest.mark.parametrize("stream_id", [MICROSECONDS, "9000000000000-0", GREATEST])
def test_an_id_that_is_no_time_costs_nothing(desk: Desk, stream_id: str) -> None:
    """Microseconds for milliseconds: every later id of the stream is as far off, and every event is delivered."""
    desk.push(add("1"))
    desk.push_as(stream_id, add("2"))
    if stream_id != GREATEST:
        desk.push(add("3"))
    desk.route()
    desk.push(add("4"))
    desk.route()

    assert desk.ids() == ["1", "2", "4"] if stream_id == GREATEST else ["1", "2", "3", "4"]
    assert in_order(desk)
    assert desk.records() == []
    assert desk.redis.xlen(desk.keys.events) == 0


def test_the_greatest_id_ends_what_is_read_wherever_it_stands(desk: Desk) -> None:
    """As the last one of those that are read together it stopped the routing for ever: what stands behind was asked."""
    desk.push(*(add(str(n)) for n in range(7)))
    desk.push_as(GREATEST, add("7"))
    assert desk.route() == 8
    desk.push(add("8"))
    desk.route()
    assert desk.ids() == [str(n) for n in range(9)]


def test_after_an_id_from_the_future_ids_are_times_again(desk: Desk) -> None:
    desk.push_as(MICROSECONDS, add("1"))
    desk.route()
    desk.push(add("2"))
    (entry,) = desk.redis.xrange(desk.keys.events)
    assert int(entry[0].split(b"-")[0]) < 10**13


def test_a_clock_that_was_set_back_costs_nothing(desk: Desk) -> None:
    """`*` counts the second number up behind the last id, beyond what a sequence can hold."""
    desk.push_as(f"1700000000000-{MAX_N - 1}", add("0"))
    for n in range(6):
        desk.push_as(f"1700000000000-{MAX_N + n}", add(str(n + 1)))
    desk.push_as("1700000000000-18446744073709551614", add("7"))
    desk.push_as("1700000000001-0", add("8"))
    desk.push_as("1700000000009-0", add("9"))
    desk.route()

    assert desk.ids() == [str(n) for n in range(10)]
    assert in_order(desk)
    assert desk.records() == []
    assert desk.operations("a", "7")[-1].ms == 1_700_000_000_009


def test_a_stream_that_was_deleted_and_begins_lower_is_read(desk: Desk) -> None:
    """The position stands above all new ids then."""
    desk.push_as("7000000000000-0", add("1"))
    desk.route()
    desk.redis.delete(desk.keys.events)
    desk.push(add("2"), add("3"))
    assert desk.route() == 2
    assert desk.ids() == ["1", "2", "3"]
    assert in_order(desk)
    assert desk.redis.xlen(desk.keys.events) == 0


def test_a_drain_ends_although_the_stream_was_deleted(sqlite_job: Job) -> None:
    redis, keys = sqlite_job.installation.redis, sqlite_job.installation.keys
    event = json.dumps({"type": "segment_upsert", "segment": {"id": 1, "name": "x"}})
    redis.xadd(keys.events, {"event": event}, id="7000000000000-0")
    drain(sqlite_job.runtime, 300)
    redis.delete(keys.events)
    redis.xadd(keys.events, {"event": event})
    report = drain(sqlite_job.runtime, 300)
    assert report.events == 1
    assert redis.xlen(keys.events) == 0


def test_a_stream_made_anew_under_an_event_that_was_moved_in_part(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has been moved of the one says nothing of the other that stands in its place."""
    desk.push(add(*map(str, range(10))))
    router = desk.router()
    append = router._lanes.append

    def dies_at_the_second(move: Any) -> Any:
        monkeypatch.setattr(router._lanes, "append", _dies)
        return append(move)

    monkeypatch.setattr(router._lanes, "append", dies_at_the_second)
    monkeypatch.setattr(Transfer, "add_all", lambda *_: False)
    monkeypatch.setattr(Transfer, "has_room_for", lambda _load, _wanted, operation: operation.index != 5)
    with pytest.raises(Died):
        router.turn("t", 30)
    assert desk.ids() == ["0", "1", "2", "3", "4"]
    desk.redis.delete(desk.keys.events)
    desk.push(add("a", "b"))
    desk.route()
    assert desk.ids() == ["0", "1", "2", "3", "4", "a", "b"]


class Died(Exception):
    pass


def _dies(_: object) -> bool:
    raise Died


def test_of_two_events_in_one_entry_both_are_delivered_in_order(desk: Desk) -> None:
    first, second, third = (json.dumps(add(each)).encode() for each in ("1", "2", "3"))
    desk.redis.execute_command("XADD", desk.keys.events, "*", "event", first, "event", second, "event", third)
    desk.push(add("4"))
    assert desk.route() == 2
    assert desk.ids() == ["1", "2", "3", "4"]
    assert in_order(desk)
    assert desk.redis.hget(desk.keys.routed, "events") == b"4"


def test_a_bad_event_beside_a_good_one_costs_itself_alone(desk: Desk) -> None:
    good = json.dumps(add("1")).encode()
    desk.redis.execute_command("XADD", desk.keys.events, "*", "event", b"{", "event", good)
    desk.route()
    assert desk.ids() == ["1"]
    assert [(record.code, record.payload) for record in desk.records()] == [("not json", b"{")]


def test_other_fields_are_counted(desk: Desk) -> None:
    desk.redis.xadd(desk.keys.events, {"trace": "x", "event": json.dumps(add("1")), "source": "y"})
    desk.route()
    assert desk.ids() == ["1"]
    assert desk.redis.hget(desk.keys.routed, "ignored_fields") == b"2"


def test_an_entry_without_an_event_is_kept_with_all_it_has(desk: Desk) -> None:
    desk.redis.xadd(desk.keys.events, {"evnt": "{}"})
    desk.redis.xadd(desk.keys.events, {"a": "1", "b": "2"})
    desk.route()
    assert [record.payload for record in desk.records()] == [b"{}", b"a 1\nb 2"]


def test_an_event_that_kills_its_router_three_times_is_set_aside_whole(desk: Desk) -> None:
    large = add("1", pad="x" * 3000)
    large["profiles"][0]["pad"] = "x" * 200_000
    desk.push(large, add("2"))
    for n in range(3):
        desk.dies(f"dead {n}")
    desk.route()
    assert desk.ids() == ["2"]
    (record,) = desk.records()
    assert record.code == "poison"
    assert json.loads(record.payload) == large


class Killed(BaseException):
    """The process is gone."""


def test_an_event_that_kills_whoever_reads_it_costs_itself_alone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was read before anybody looked how many had died over it, and what stood at the head was blamed."""
    parse, deaths = parsing.parse, 0

    def kills(data: bytes) -> Any:
        if b'"3"' in data:
            raise Killed
        return parse(data)

    monkeypatch.setattr(router, "usual", kills)
    monkeypatch.setattr(entry, "parse", kills)
    monkeypatch.setattr(Leases, "_leave", lambda *_: None)
    desk.push(*(add(str(n)) for n in range(1, 6)))
    while desk.redis.xlen(desk.keys.events) and deaths < 20:
        desk.redis.hset(desk.keys.lease(ROUTE), "until", 0)
        try:
            desk.route()
        except Killed:
            deaths += 1
    assert desk.ids() == ["1", "2", "4", "5"]
    assert [(record.code, json.loads(record.payload)) for record in desk.records()] == [("poison", add("3"))]
    assert deaths == DEATHS_AT_MOST + 1


def test_a_mistake_of_ours_costs_one_event(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever reading an event raises, what comes after it goes on."""
    parse = parsing.parse

    def wrong(data: bytes) -> Any:
        if b'"1"' in data:
            raise IndexError("list index out of range")
        return parse(data)

    monkeypatch.setattr(entry, "parse", wrong)
    desk.push(add("1"), add("2"))
    desk.route()
    assert desk.ids() == ["2"]
    (record,) = desk.records()
    assert record.code == "unreadable"
    assert record.reason == "reading it raised IndexError"
