"""How many statements a connector is sent, over several workers: counted by a clock that the test sets (rule 55)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.lanes.crew import Crew
from tests.integration.lanes.scripted_clock import START_MS, ScriptedClock
from tests.integration.lanes.test_scripts import Bench
from workers.lanes import Claimed, Idle
from workers.lanes.messages import Release

if TYPE_CHECKING:
    import redis


@pytest.fixture
def clock(redis_client: redis.Redis) -> ScriptedClock:
    return ScriptedClock(redis_client)


def a_crew(clock: ScriptedClock, namespace: str, pace: float, *, statements: int = 1, owed: int = 40) -> Crew:
    bench = Bench(clock, namespace, size=1, timeout=0)  # type: ignore[arg-type]
    bench.redis.hset(bench.keys.integration("crm"), "pace", pace)
    bench.redis.hset(bench.keys.connector("db"), mapping={"parallelism": 3, "pace": pace})
    for segment in "567":
        bench.append(owed, segment, ms=START_MS)
    return Crew(bench, clock, statements)


@pytest.mark.parametrize(("pace", "statements", "owed"), [(10, 1, 60), (1000, 1, 4), (40, 3, 12)])
def test_no_stretch_of_time_has_more_statements_than_the_rate_allows(
    clock: ScriptedClock, namespace: str, pace: float, statements: int, owed: int
) -> None:
    crew = a_crew(clock, namespace, pace, statements=statements, owed=owed)
    crew.run(START_MS + 600_000)
    # One that is begun with, and of each that is at work what its batch had beyond one.
    assert crew.most_beyond(pace) <= 1 + 3 * (statements - 1)
    # Nothing is lost, and each lane is told in its order.
    assert all(told == sorted(told) and len(told) == owed for told in crew.settled.values())
    assert len(crew.settled) == 3
    # It is used, too: nobody waits much longer than the rate asks for.
    assert crew.sent[-1] - crew.sent[0] < 1.5 * pace * len(crew.sent)


def test_nobody_is_woken_while_there_is_no_room(clock: ScriptedClock, namespace: str) -> None:
    crew = a_crew(clock, namespace, 1000, owed=4)
    crew.run(START_MS + 600_000)
    assert crew.idle <= 2
    # A rest is slept through: looks when it is over, and when a statement has ended.
    assert crew.looks <= 5 * len(crew.sent)


def test_a_connector_without_a_rate_keeps_no_count(clock: ScriptedClock, namespace: str) -> None:
    crew = a_crew(clock, namespace, 1)
    for key in (crew.bench.keys.integration("crm"), crew.bench.keys.connector("db")):
        crew.bench.redis.hset(key, "pace", "")
    crew.run(START_MS + 600_000)
    assert not crew.bench.redis.hexists(crew.bench.keys.connector("db"), "paid_until")


def test_a_search_for_a_bad_profile_is_paid_for(clock: ScriptedClock, namespace: str) -> None:
    crew = a_crew(clock, namespace, 1000)
    bench = crew.bench
    claimed = bench.claim()
    for limit in (8, 4, 2):
        bench.lanes("one").release(Release("crm", claimed.segment, claimed.claim, "again", attempts=1, limit=limit))
    bench.lanes("one").release(Release("crm", claimed.segment, claimed.claim, "failed", attempts=4))
    clock.now_ms += 2_400  # four statements, and half a second was saved
    assert isinstance(bench.lanes("two").claim("db", "t", 3), Idle)
    clock.now_ms += 1_200
    assert isinstance(bench.lanes("two").claim("db", "t", 3), Claimed)


def test_a_clock_that_was_set_back_makes_no_connector_wait_for_it(clock: ScriptedClock, namespace: str) -> None:
    crew = a_crew(clock, namespace, 1000)
    crew.bench.lanes("pulse").tick("a:", "pulse")
    crew.bench.claim()
    clock.now_ms -= 3_600_000
    crew.bench.lanes("pulse").tick("b:", "pulse")
    while crew.bench.lanes("upkeep").rescore():
        pass
    assert isinstance(crew.bench.lanes("two").claim("db", "t", 9), Claimed)


@pytest.mark.parametrize(("pace", "joined"), [(1000, 0), (300, 1), ("", 2)])
def test_no_more_lanes_go_together_than_there_is_room_for(
    clock: ScriptedClock, namespace: str, pace: float, joined: int
) -> None:
    bench = a_crew(clock, namespace, 1, owed=1).bench
    for key in (bench.keys.integration("crm"), bench.keys.connector("db")):
        bench.redis.hset(key, "pace", pace)
    claimed, lanes = bench.claim(), bench.lanes("one")
    assert len(lanes.join(claimed, "db", "token-one", [lanes.new_claim(), lanes.new_claim()], 20)) == joined
