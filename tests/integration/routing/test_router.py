"""The router on a real Redis: events in, lanes out, nothing lost and nothing twice."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.integration.desk import Desk, add
from workers.errors import Stale
from workers.events.event import Kind
from workers.integrations import Scope
from workers.lanes import Lanes, store, unpack
from workers.lanes.lease import ROUTE
from workers.routing import losses
from workers.routing.router import RoutingLost


def test_events_arrive_in_order_in_every_lane_that_wants_them(desk: Desk) -> None:
    desk.push(
        add("1", "2"), add("1", kind="remove"), {"type": "clear", "segment": {"id": 7}}, add("3"), add("9", segment=8)
    )

    assert desk.route() == 5
    for integration in ("a", "b"):
        assert desk.ids(integration) == ["1", "2", "1", "3", "3"]
        assert desk.ids(integration, "8") == ["9"]
    assert desk.ids("sales") == []
    assert desk.redis.xlen(desk.keys.events) == 0
    sequences = [o.sequence for o in desk.operations("a", "7")]
    assert sequences == sorted(set(sequences))


def test_a_second_router_waits(desk: Desk) -> None:
    desk.push(add("1"))
    first = Lanes(desk.redis, desk.keys.namespace, 1, "first")
    assert first.take_lease(ROUTE, "first", "t") == 0
    assert desk.route() == 0
    first.leave_lease(ROUTE, "first")
    assert desk.route() == 1


def test_what_nobody_wants_is_counted_and_gone(desk: Desk) -> None:
    desk.push(add("1", "2", database="elsewhere"), {"type": "clear", "segment": {"id": 7}})
    desk.route()
    assert desk.redis.hgetall(desk.keys.unwanted) == {b"7": b"3"}
    assert desk.redis.xlen(desk.keys.events) == 0


def test_entering_a_scope_is_remembered(desk: Desk) -> None:
    desk.push(add("1"), {"type": "segment_upsert", "segment": {"id": 7, "groups": ["sales"]}}, add("2"))
    desk.route()
    assert desk.ids("sales") == ["4", "2"]
    assert desk.redis.smembers(desk.keys.resync("sales")) == {b"7"}


def test_what_an_integration_drops_is_told_at_once_and_then_once_a_minute(
    desk: Desk, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(losses, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    desk.redis.hset(desk.keys.integration("a"), mapping={"max_backlog": 1, "when_full": "drop"})
    router = desk.router()

    def told(*ids: str) -> list[str]:
        caplog.clear()
        desk.push(add(*ids))
        router.turn("t", 30)
        return [message for message in caplog.messages if "dropped" in message]

    assert told("1") == []
    assert told("2", "3") == ["a: 2 operations were dropped, for its backlog is at its max_backlog: push them again"]
    assert told("4") == told("5") == []
    clock[0] += 60
    assert told("6") == ["a: 3 operations were dropped, for its backlog is at its max_backlog: push them again"]
    assert desk.redis.hget(desk.keys.integration("a"), "dropped") == b"5"


def test_what_has_left_a_scope_needs_no_resync_there(desk: Desk) -> None:
    enters, leaves = ({"type": "segment_upsert", "segment": {"id": 7, "groups": each}} for each in (["sales"], []))
    desk.push(add("1"), enters)
    desk.route()
    assert desk.redis.smembers(desk.keys.resync("sales")) == {b"7"}
    desk.push(leaves)
    desk.route()
    assert desk.redis.smembers(desk.keys.resync("sales")) == set()
    desk.push(enters, leaves, enters)
    desk.route()
    assert desk.redis.smembers(desk.keys.resync("sales")) == {b"7"}, "the last word counts"


def test_an_add_that_goes_to_another_scope_clears_the_one_that_it_leaves(desk: Desk) -> None:
    desk.integrations["a"].on_leave = "clear"
    desk.integrations["sales"].scope = Scope("other")
    desk.push(add("1"), add("2", database="other"), add("3"))
    desk.route()
    assert desk.ids("a") == ["1", str(Kind.CLEAR.value)]
    assert (desk.ids("b"), desk.ids("sales")) == (["1"], ["2", "3"])


def test_the_clear_is_in_the_step_that_learns_of_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The router ends between two steps of one event; who goes on does not know any more who has followed it."""
    monkeypatch.setattr(store, "BUDGET_BYTES", 20_000)
    desk.integrations["a"].on_leave = "clear"
    desk.integrations["sales"].scope = Scope("other")
    ids = [f"{n:0>100}" for n in range(300)]
    desk.push(add("1"))
    desk.route()
    desk.push(add("1", segment=8), add(*ids, database="other"))
    router = desk.router()
    append = router._lanes.append

    def is_the_last(move: Any) -> Any:
        monkeypatch.setattr(router._lanes, "append", lambda _: None)
        return append(move)

    monkeypatch.setattr(router._lanes, "append", is_the_last)
    with pytest.raises(RoutingLost):
        router.turn("t", 30)
    assert 0 < len(desk.ids("sales")) < len(ids)
    desk.redis.delete(desk.keys.lease(ROUTE))
    desk.route()
    assert desk.ids("sales") == ids
    assert desk.ids("a") == ["1", str(Kind.CLEAR.value)]


def test_who_was_told_of_a_clear_or_of_the_end_needs_no_resync(desk: Desk) -> None:
    """From a clear on it is told of every member, and what is deleted has none."""
    enters = {"type": "segment_upsert", "segment": {"id": 7, "groups": ["sales"]}}
    for ends in ("clear", "segment_delete"):
        desk.push(add("1"), enters, add("2"))
        desk.route()
        assert desk.redis.smembers(desk.keys.resync("sales")) == {b"7"}
        desk.push({"type": ends, "segment": {"id": 7}})
        desk.route()
        assert desk.redis.smembers(desk.keys.resync("sales")) == set()
        desk.push({"type": "segment_upsert", "segment": {"id": 7, "groups": []}})
        desk.route()


ENDS = [
    {"type": "segment_upsert", "segment": {"id": 7, "groups": []}},
    {"type": "segment_delete", "segment": {"id": 7}},
]


@pytest.mark.parametrize("ends", ENDS)
def test_what_a_step_has_not_taken_teaches_nothing_in_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, ends: dict[str, Any]
) -> None:
    """Who went on behind that step knew no more that `sales` had followed the segment, and did not tell it."""
    monkeypatch.setattr("workers.routing.transfer.LANES_AT_MOST", 4)
    desk.push({"type": "segment_upsert", "segment": {"id": 7, "groups": ["sales"]}})
    desk.route()
    desk.push(add("1", segment=8), ends)
    router = desk.router()
    append = router._lanes.append

    def is_the_last(move: Any) -> Any:
        monkeypatch.setattr(router._lanes, "append", lambda _: None)
        return append(move)

    monkeypatch.setattr(router._lanes, "append", is_the_last)
    with pytest.raises(RoutingLost):
        router.turn("t", 30)
    assert (desk.ids("a", "8"), desk.ids("sales")) == (["1"], ["4"])
    desk.route()
    assert len(desk.ids("sales")) == 2


def test_a_deleted_segment_is_forgotten(desk: Desk) -> None:
    desk.push({"type": "segment_upsert", "segment": {"id": 7, "name": "VIP", "groups": ["sales"]}})
    desk.push({"type": "segment_delete", "segment": {"id": 7}}, add("1"))
    desk.route()
    assert desk.ids("sales") == ["4", "5"]
    assert desk.redis.hgetall(desk.keys.segments) == {b"7": b"{}"}


def test_the_name_is_the_one_that_the_lane_had_passed(desk: Desk) -> None:
    desk.push(
        {"type": "segment_upsert", "segment": {"id": 7, "name": "old"}},
        add("1"),
        {"type": "segment_upsert", "segment": {"id": 7, "name": "new"}},
        add("2"),
    )
    desk.route()
    chunks = desk.redis.lrange(desk.keys.chunks("a", "7"), 0, -1)
    assert [(name, len(operations)) for name, operations in map(unpack, chunks)] == [("old", 2), ("new", 2)]


def test_malformed_events_stand_in_quarantine_and_stop_nothing(desk: Desk) -> None:
    desk.push(b"\xff\xfe", add("1"), b"{", b'{"type":"add"}', add("2"))
    desk.redis.xadd(desk.keys.events, {"evnt": "{}"})
    assert desk.route() == 6
    assert desk.ids() == ["1", "2"]
    records = desk.records()
    assert [r.code for r in records] == ["not utf-8", "not json", "malformed", "malformed"]
    assert records[0].payload == b"\xff\xfe"
    assert "field 'event'" in records[3].reason


def test_a_bad_profile_costs_itself_alone(desk: Desk) -> None:
    event = add("1", "2")
    event["profiles"].insert(1, {"no": "id"})
    desk.push(event)
    desk.route()
    assert desk.ids() == ["1", "2"]
    (record,) = desk.records()
    assert (record.segment, record.event_type) == ("7", "add")


def test_a_giant_event_moves_in_parts(desk: Desk) -> None:
    """No step is larger than its budget, and a router that dies between two goes on in the middle."""
    desk.push(
        {"type": "add", "segment": {"id": 7}, "profiles": [{"_id": str(i), "pad": "x" * 60} for i in range(60_000)]}
    )

    class Dies(Exception):
        pass

    router = desk.router()
    append, steps = router._lanes.append, []

    def dying(move: Any) -> Any:
        steps.append(str(move.position))
        if len(steps) == 2:
            raise Dies
        return append(move)

    router._lanes.append = dying  # type: ignore[method-assign]
    with pytest.raises(Dies):
        router.turn("t", 30)
    assert steps[0].endswith("|0") is False
    assert desk.redis.xlen(desk.keys.events) == 1
    assert desk.route() == 1
    assert desk.ids() == [str(i) for i in range(60_000)]


def test_many_small_segments_move_in_bounded_steps(desk: Desk) -> None:
    desk.push(*(add("1", segment=n) for n in range(2500)))
    assert desk.route() == 2500
    assert desk.ids("b", "2499") == ["1"]


def test_events_are_read_a_few_at_a_time_where_they_are_large(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither Redis nor a router may have to hold what thousands of large events take (rule 3)."""
    monkeypatch.setattr(store, "BUDGET_BYTES", 20_000)
    desk.push(*[b"x" * 1000] * 200)
    read = desk.router()._lanes.read(4000)
    assert 20 <= len(read.entries) <= 40


def test_a_router_that_was_replaced_stops(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has read, and another has taken over since: what it holds is the other's to move (rule 2)."""
    desk.push(add("A"))
    router = desk.router()
    read = router._lanes.read

    def reads(*arguments: Any) -> Any:
        desk.redis.hset(desk.keys.lease(ROUTE), "owner", "another")
        return read(*arguments)

    monkeypatch.setattr(router._lanes, "read", reads)
    with pytest.raises(RoutingLost):
        router.turn("t", 30)
    assert desk.ids() == []
    assert desk.redis.xlen(desk.keys.events) == 1


def test_a_router_that_meets_a_new_revision_gives_the_routing_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever works by that one need not wait for the lease."""
    desk.push(add("A"))
    router = desk.router()
    read = router._lanes.read

    def reads(*arguments: Any) -> Any:
        desk.redis.hset(desk.keys.config, "revision", 2)
        return read(*arguments)

    monkeypatch.setattr(router._lanes, "read", reads)
    with pytest.raises(Stale):
        router.turn("t", 30)
    assert not desk.redis.hexists(desk.keys.lease(ROUTE), "owner")
    assert desk.redis.xlen(desk.keys.events) == 1
