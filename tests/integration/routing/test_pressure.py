"""What many integrations, and a full Redis, cost the router (rules 3, 31)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from redis import OutOfMemoryError

from tests.integration.desk import Desk, add

if TYPE_CHECKING:
    from workers.lanes.moves import Move

MB = 1024 * 1024


def steps_of(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> list[Move]:
    router = desk.router()
    append, moves = router._lanes.append, []

    def noted(move: Move) -> object:
        moves.append(move)
        return append(move)

    monkeypatch.setattr(router._lanes, "append", noted)
    router.turn("t", 30)
    return moves


@pytest.mark.parametrize("integrations", [399, 400, 1000])
def test_one_event_that_many_integrations_want_is_one_step_and_one_chunk_each(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, integrations: int
) -> None:
    """From 400 on each profile was a step of its own, and a chunk of its own in every lane."""
    monkeypatch.setattr("workers.routing.transfer.LANES_AT_MOST", 400)
    desk.follow(integrations)
    desk.push(add(*map(str, range(300))))
    moves = steps_of(desk, monkeypatch)
    assert len(moves) == 1
    assert [len(run.integrations) for run in moves[0].runs] == [integrations]
    assert desk.redis.llen(desk.keys.chunks("i0", "7")) == 1
    assert len(desk.ids(f"i{integrations - 1}")) == 300


def test_more_events_that_many_want_are_more_steps(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.routing.transfer.LANES_AT_MOST", 400)
    desk.follow(300)
    desk.push(*(add("1", segment=segment) for segment in range(4)))
    assert [len(move.runs) for move in steps_of(desk, monkeypatch)] == [1, 1, 1, 1]


def test_events_of_many_segments_in_turn_share_chunks(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each was a chunk of its own where a step touched fewer lanes than there were segments."""
    desk.follow(1)
    desk.push(*(add(str(n), segment=n % 600) for n in range(1_800)))
    (move,) = steps_of(desk, monkeypatch)
    assert {run.operations for run in move.runs} == {3}
    assert desk.ids("i0", "7") == ["7", "607", "1207"]


def test_a_bad_profile_is_told_once_though_its_event_waits_for_the_next_step(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The router ends between the step before the event and the event's own."""
    desk.follow(300)
    event = add("1", segment=8)
    event["profiles"].insert(0, {"no": "id"})
    desk.push(add("1"), event)
    router = desk.router()
    append = router._lanes.append
    monkeypatch.setattr(router._lanes, "append", lambda move: append(move) if not move.records else 1 / 0)
    monkeypatch.setattr("workers.routing.transfer.LANES_AT_MOST", 300)
    with pytest.raises(ZeroDivisionError):
        router.turn("t", 30)
    desk.route()
    assert len(desk.records()) == 1
    assert desk.ids("i0", "8") == ["1"]


def fill(desk: Desk) -> None:
    for number in range(20_000):
        desk.push(add(*(f"{number}-{n}" for n in range(50)), segment=number % 50, name="x" * 1000))


def test_a_full_redis_grows_no_more_and_goes_on_as_lanes_drain(own_redis: Any, namespace: str) -> None:
    """Ten integrations whose targets are away, and an intake that has filled all there is."""
    client = own_redis.client()
    client.config_set("appendonly", "no")  # rewriting it takes 10 MB at once
    desk = Desk(client, namespace)
    desk.follow(10)
    limit = client.info("memory")["used_memory"] + 24 * MB
    client.config_set("maxmemory", limit)
    with pytest.raises(OutOfMemoryError):
        fill(desk)
    for _ in range(5):
        desk.route()
    assert desk.redis.xlen(desk.keys.events) > 0
    assert client.info("memory")["used_memory"] < 1.1 * limit
    assert client.hget(desk.keys.lease("route"), "why") is not None
    for _ in range(1000):
        if not desk.redis.xlen(desk.keys.events):
            break
        for n in range(10):  # as deliverers do, all at once
            client.unlink(*client.keys(f"{namespace}:chunks:i{n}:*"), *client.keys(f"{namespace}:lane:i{n}:*"), "none")
        desk.route()
        assert client.info("memory")["used_memory"] < 1.1 * limit
    assert desk.redis.xlen(desk.keys.events) == 0
    client.close()


def test_what_fills_redis_and_is_not_owed_stops_no_event(own_redis: Any, namespace: str) -> None:
    """As outcomes of a ledger that is away: the router waited for lanes to drain, and there were none."""
    client = own_redis.client()
    desk = Desk(client, namespace)
    for number in range(200):
        desk.push(add(*(f"{number}-{n}" for n in range(50)), segment=number))
    client.set("others", "x" * MB)
    client.config_set("maxmemory", client.info("memory")["used_memory"] - MB)
    left = []
    while waits := desk.redis.xlen(desk.keys.events):
        left.append(waits)
        assert len(left) < 300
        desk.route()
        owed = client.keys(f"{namespace}:chunks:*")
        assert owed, "nothing was moved although nothing was owed"
        client.unlink(*owed, *client.keys(f"{namespace}:lane:*"))
        for key in ("a", "b"):
            client.hdel(desk.keys.integration(key), "backlog")
    assert len(left) > 1, "it was never short of room"
    client.close()


def test_what_nobody_wants_is_counted_without_a_field_for_each_segment_for_ever(desk: Desk) -> None:
    """A hundred thousand have one of their own; the others are counted together."""
    pipe = desk.redis.pipeline(transaction=False)
    for n in range(100):
        pipe.hset(desk.keys.unwanted, mapping={f"s{n}-{m}": 1 for m in range(1000)})
    pipe.execute()
    desk.push(add("1", "2", segment=1, database="elsewhere"), add("3", segment=2, database="elsewhere"))
    desk.push({"type": "add", "segment": {"id": "s7-7", "database": "elsewhere"}, "profiles": [{"_id": "1"}]})
    desk.route()
    assert desk.redis.hlen(desk.keys.unwanted) == 100_001
    assert desk.redis.hget(desk.keys.unwanted, "\1 others") == b"3"
    assert desk.redis.hget(desk.keys.unwanted, "s7-7") == b"2"
