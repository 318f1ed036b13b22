"""A run's mark in a lane, on a real Redis: a barrier for whoever delivers (rule 45)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.lanes.test_scripts import NOW, Bench
from workers.delivery.compaction import Thinner
from workers.events.event import Kind
from workers.integrations import Ordering
from workers.lanes import Claimed, Idle, Operation, pack
from workers.lanes.chunks import MARK, MARK_INDEX, unpack
from workers.lanes.lease import RESYNC
from workers.lanes.moves import Move, Run
from workers.lanes.runs import ReadingLost, ResyncRuns
from workers.monitoring.tracing import Sought, in_lane
from workers.resync.telling import chunks_of

if TYPE_CHECKING:
    import redis


class MarkBench(Bench):
    """A lane, and a run of it."""

    def begin(self) -> str:
        """A run whose mark is in the intake."""
        assert self.lanes("reader").take_lease(RESYNC, "reader", "t") is not None
        run, _ = self.runs().ask("crm", "7", "test")
        self.runs().mark(run, "crm", "7", {"state": "marked"})
        return run

    def runs(self, owner: str = "reader") -> ResyncRuns:
        return ResyncRuns(self.lanes("reader"), owner)

    def route_mark(self, run: str, nonce: str | None = None) -> str:
        """Appends the mark as a router would; its sequence."""
        self.count += 1
        nonce = nonce or self.runs().read(run)["nonce"]
        operation = Operation(NOW, self.count, MARK_INDEX, MARK, None, b"")
        sequence, fresh = operation.sequence, f"{NOW}-{self.count}|0"
        chunk = pack("n", [operation])
        one = Run("7", 1, NOW, sequence, "", chunk, ["crm"], kept=True, mark=f"{run} {nonce}")
        position = self.take_route()
        assert self.lanes("router").append(Move("router", position, fresh, f"{NOW}-{self.count}", runs=[one]))
        return sequence

    def part(self, run: str, mark: str, *keys: int, index: int = 0) -> None:
        bodies = [b'{"_id":"%d"}' % key for key in keys]
        packed = chunks_of(mark, index, Kind.ADD, bodies)
        assert self.runs().part(run, 0, {"index": index + len(keys)}, [chunk for chunk, _ in packed])

    def ids(self, claimed: Claimed) -> list[bytes]:
        return [each.body for chunk in claimed.chunks for each in unpack(chunk)[1]]


@pytest.fixture
def bench(redis_client: redis.Redis, namespace: str) -> MarkBench:
    return MarkBench(redis_client, namespace)


def test_nothing_behind_a_mark_is_handed_out(bench: MarkBench) -> None:
    before = bench.append(3)
    run = bench.begin()
    mark = bench.route_mark(run)
    bench.append(20)
    claimed = bench.claim()
    assert (len(bench.ids(claimed)), claimed.to) == (3, before)
    bench.settle(claimed, before, 3)
    assert isinstance(bench.lanes().claim("db", "t", 4), Idle)
    bench.part(run, mark, 1, 2)
    claimed = bench.claim()
    assert bench.ids(claimed) == [b'{"_id":"1"}', b'{"_id":"2"}']
    assert bench.runs().leave(run, 0, {}) == "busy"
    bench.settle(claimed, claimed.to, 2)
    assert bench.runs().leave(run, 0, {}) == "ok"
    assert len(bench.ids(bench.claim())) == 20


def test_what_stands_before_a_mark_is_due_at_once(bench: MarkBench, redis_client: redis.Redis) -> None:
    """A partial batch waits for its timeout no longer; and a lane that has come to its mark wakes the reader."""
    redis_client.hset(bench.keys.integration("crm"), "timeout", 10**12)
    bench.append(3)
    assert isinstance(bench.lanes().claim("db", "t", 4), Idle)
    run = bench.begin()
    bench.route_mark(run)
    bench.runs().look(run, 10**14)
    claimed = bench.claim()
    bench.settle(claimed, claimed.to, 3)
    assert bench.lane()["before"] == "0"
    score: Any = redis_client.zscore(bench.keys.runs, run)
    assert score < 10**13


def test_a_clear_behind_a_mark_makes_nothing_before_it_moot(bench: MarkBench) -> None:
    bench.append(3)
    run = bench.begin()
    bench.route_mark(run)
    bench.append(1, kind=Kind.CLEAR)
    assert bench.claim().clear == ""


def test_a_mark_that_nobody_waits_for_goes_nowhere(bench: MarkBench) -> None:
    run = bench.begin()
    bench.route_mark(run, "another")
    assert bench.lane() == {}
    bench.route_mark(run)
    bench.route_mark(run)
    assert bench.lane()["count"] == "1", "there is one mark in a lane"


def test_a_lane_with_nothing_but_a_mark_is_gone_with_it(bench: MarkBench) -> None:
    run = bench.begin()
    bench.route_mark(run)
    assert bench.runs().leave(run, 0, {}) == "ok"
    assert bench.lane() == {}
    assert bench.redis.hget(bench.keys.integration("crm"), "backlog") == b"0"


def test_who_lost_the_reading_changes_nothing(bench: MarkBench) -> None:
    run = bench.begin()
    mark = bench.route_mark(run)
    packed = [chunk for chunk, _ in chunks_of(mark, 0, Kind.ADD, [b"{}"])]
    with pytest.raises(ReadingLost):
        bench.runs("another").part(run, 0, {}, packed)
    assert bench.lane()["before"] == "0"


def test_compaction_leaves_a_mark_alone() -> None:
    """Operations on both sides of it stay apart, and it stays in a chunk of its own."""
    same = b'{"_id":"1","id":"1"}'
    operations = [
        Operation(NOW, 1, 0, Kind.ADD, None, same),
        Operation(NOW, 2, MARK_INDEX, MARK, None, b""),
        Operation(NOW, 3, 0, Kind.ADD, None, same),
    ]
    thinned = Thinner(("id",), Ordering.EXACT).thin([pack("n", [each]) for each in operations])
    assert [[each.kind for each in unpack(chunk)[1]] for chunk in thinned.chunks] == [[1], [MARK], [1]]


def test_who_looks_for_a_profile_passes_over_a_mark(bench: MarkBench) -> None:
    """It is nobody's event: `segsync why` tells of what stands around it."""
    bench.append(1)
    bench.route_mark(bench.begin())
    bench.append(1)
    assert in_lane(bench.redis, bench.keys, "crm", Sought("7", None, ("id",))).segment == 2
