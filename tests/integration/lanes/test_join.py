"""join.lua on a real Redis: which lanes go with one that was claimed, and which never do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.lanes.test_scripts import NOW, Bench
from workers.events.event import Kind
from workers.lanes.messages import Release, Settlement

if TYPE_CHECKING:
    import redis

    from workers.lanes import Claimed

MOST = 5
LATER = 2_000_000_000_000
LATER = 2_000_000_000_000


@pytest.fixture
def bench(redis_client: redis.Redis, namespace: str) -> Bench:
    return Bench(redis_client, namespace)


def join(bench: Bench, first: Claimed, count: int = 4, nonce: str = "n") -> list[Claimed]:
    claims = [f"one/{number}/{nonce}" for number in range(1, count + 1)]
    return bench.lanes().join(first, "db", "token-one", claims, MOST)


def first_of(bench: Bench) -> Claimed:
    bench.append(1, "first", ms=1_600_000_000_000)
    return bench.claim()


def test_small_lanes_join_each_with_a_claim_of_its_own(bench: Bench) -> None:
    for segment in ("a", "b", "c"):
        bench.append(2, segment)
    first = first_of(bench)
    found = join(bench, first, 2)
    assert [(each.segment, each.claim) for each in found] == [("a", "one/1/n"), ("b", "one/2/n")]
    assert all((each.tried_to, each.deaths, len(each.chunks)) == ("", 0, 1) for each in found)
    assert [bench.lane(each)["owner"] for each in "ab"] == ["one/1/n", "one/2/n"]
    assert "owner" not in bench.lane("c")
    for each in found:
        done = Settlement("crm", each.segment, each.claim, each.done, each.to, 2, None, 0, 0, go_on=False)
        bench.lanes().settle_all([done])
        assert bench.lane(each.segment) == {}


def test_a_join_that_was_sent_twice_gives_the_same_lanes(bench: Bench) -> None:
    for segment in ("a", "b", "c"):
        bench.append(2, segment)
    first = first_of(bench)
    found, again = join(bench, first, 2), join(bench, first, 2)
    assert [each.segment for each in again] == [each.segment for each in found] == ["a", "b"]
    assert [bench.lane(each)["starts"] for each in "ab"] == ["1", "1"]


@pytest.mark.parametrize(
    "why", ["many", "event", "clear", "tried", "died", "failed", "held", "later", "set aside", "open"]
)
def test_what_is_not_plain_does_not_join(bench: Bench, why: str) -> None:
    first = first_of(bench)
    if why == "event":
        bench.append(1, "other", Kind.SEGMENT_UPSERT)
    if why == "clear":
        bench.append(1, "other", Kind.CLEAR)
    bench.append(MOST + 1 if why == "many" else 1, "other", ms=LATER if why == "later" else NOW)
    fields = {"tried": "to", "died": "starts", "failed": "attempts", "held": "hold", "set aside": "aside"}
    if why in fields:
        bench.redis.hset(bench.keys.lane("crm", "other"), fields[why], "1")
    if why == "open":
        bench.redis.hset(f"{bench.keys.namespace}:open:crm:other", "slot", "entry")
    assert join(bench, first) == []


@pytest.mark.parametrize("why", ["paused", "held", "circuit", "no room", "moved", "another revision"])
def test_nothing_joins_where_nothing_may_be_claimed(bench: Bench, why: str) -> None:
    first = first_of(bench)
    bench.append(1, "other")
    integration, connector = bench.keys.integration("crm"), bench.keys.connector("db")
    changes: dict[str, tuple[str, dict[str, str | int]]] = {
        "paused": (integration, {"paused": "me"}),
        "held": (integration, {"hold_until": 1}),
        "circuit": (connector, {"open_until": 1}),
        "no room": (integration, {"max_quarantine": 1, "quarantined": 1}),
        "moved": (integration, {"connector": "elsewhere"}),
        "another revision": (bench.keys.config, {"revision": 2}),
    }
    key, mapping = changes[why]
    for field, value in mapping.items():
        bench.redis.hset(key, field, str(value))
    assert join(bench, first) == []


def test_what_a_lost_join_got_is_given_back_by_its_claim(bench: Bench) -> None:
    bench.append(1, "a")
    first = first_of(bench)
    join(bench, first)
    bench.lanes().release_all([Release("", "", f"one/{number}/n") for number in (1, 2)])
    assert "owner" not in bench.lane("a")
    assert [each.segment for each in join(bench, first, nonce="again")] == ["a"]
