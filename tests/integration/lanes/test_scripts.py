"""The lanes' scripts on a real Redis: what they change, and what they refuse."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from redis import ResponseError

from workers.errors import Stale
from workers.events.event import Kind
from workers.lanes import Claimed, Idle, Lanes, Lost, More, Operation, Probe, Rest, Stop, Systemic, pack
from workers.lanes.keys import Keys
from workers.lanes.lease import ROUTE, UPKEEP
from workers.lanes.messages import Compaction, Release, Settlement
from workers.lanes.moves import Move, Run

if TYPE_CHECKING:
    import redis

NOW = 1_700_000_000_000
"""Milliseconds: long past, so that every timeout has passed."""


class Bench:
    """One integration, `crm`, on one connector, `db`, with its lanes."""

    def __init__(self, client: redis.Redis, namespace: str, *, size: int = 10, timeout: int = 1000) -> None:
        self.redis = client
        self.keys = Keys(namespace)
        client.hset(self.keys.config, "revision", 1)
        client.hset(
            self.keys.integration("crm"),
            mapping={"connector": "db", "size": size, "timeout": timeout, "clear": 1, "active": 1, "digest": "d"},
        )
        client.sadd(self.keys.connectors, "db")
        client.hset(self.keys.connector("db"), mapping={"parallelism": 4})
        client.sadd(self.keys.integrations, "crm")
        self.count = 0
        self.keys_apart: int | None = None
        self.claims: dict[str, str] = {}

    def lanes(self, owner: str = "one", revision: int = 1) -> Lanes:
        return Lanes(self.redis, self.keys.namespace, revision, owner)

    def append(self, count: int, segment: str = "7", kind: Kind = Kind.ADD, *, ms: int = NOW, chunk: int = 1000) -> str:
        """Appends operations as a router would; returns the last one's sequence."""
        router = self.lanes("router")
        position, last = self.take_route(), ""
        while count > 0:
            operations = []
            for _ in range(min(count, chunk)):
                self.count += 1
                key = self.count if self.keys_apart is None else self.count * 7 % self.keys_apart
                operations.append(Operation(ms, self.count, 0, kind, None, b'{"_id":"%d"}' % key))
            count -= len(operations)
            last = operations[-1].sequence
            bar = last if not kind.is_profile else ""
            clear = last if kind is Kind.CLEAR else ""
            run = Run(segment, len(operations), ms, bar, clear, pack("n", operations), ["crm"])
            fresh = f"{ms}-{self.count}|0"
            assert router.append(Move("router", position, fresh, f"{ms}-{self.count}", runs=[run]))
            position = fresh
        return last

    def take_route(self) -> str:
        """Makes "router" the router; returns the position."""
        assert self.lanes("router").take_lease(ROUTE, "router", "t") is not None
        return self.lanes("router").read(1).position

    def claim(self, owner: str = "one") -> Claimed:
        claimed = self.lanes(owner).claim("db", f"token-{owner}", 4)
        assert isinstance(claimed, Claimed)
        self.claims[owner] = claimed.claim
        return claimed

    def release(self, how: str, *, owner: str = "one", **more: Any) -> bool:
        claim = self.claims[owner]
        more.setdefault("attempts", int(how == "failed"))
        return self.lanes(owner).release(Release("crm", "7", claim, how, **more)) is True

    def settle(
        self, claimed: Claimed, to: str, operations: int, *, owner: str = "one", held: int = 0, **more: object
    ) -> More | Rest | Stop | Lost | Systemic:
        fields = {"next_ms": None, "held_chunks": int(held > 0), "go_on": True, "records": [b"r"]} | more
        before = str(fields.pop("before", claimed.done))
        return self.lanes(owner).settle(
            Settlement("crm", claimed.segment, claimed.claim, before, to, operations, held_operations=held, **fields)  # type: ignore[arg-type]
        )

    def lane(self, segment: str = "7") -> dict[str, str]:
        fields: Any = self.redis.hgetall(self.keys.lane("crm", segment))
        return {k.decode(): v.decode() for k, v in fields.items()}

    def score(self, segment: str = "7") -> tuple[float | None, float | None]:
        return (
            self.redis.zscore(self.keys.full("crm"), segment),
            self.redis.zscore(self.keys.timed("crm"), segment),
        )


@pytest.fixture
def bench(redis_client: redis.Redis, namespace: str) -> Bench:
    return Bench(redis_client, namespace)


def redis_ms(bench: Bench) -> int:
    seconds, micros = bench.redis.time()
    return int(seconds) * 1000 + int(micros) // 1000


def test_an_empty_lane_leaves_nothing_behind(bench: Bench) -> None:
    last = bench.append(3)
    claimed = bench.claim()

    assert isinstance(bench.settle(claimed, last, 3), Rest)
    assert bench.lane() == {}
    assert bench.score() == (None, None)
    assert bench.redis.exists(bench.keys.chunks("crm", "7")) == 0
    assert bench.redis.hget(bench.keys.integration("crm"), "backlog") == b"0"
    assert bench.redis.xlen(bench.keys.outcomes) == 1


def test_a_partial_batch_waits_for_its_timeout_and_a_full_one_does_not(bench: Bench) -> None:
    now = redis_ms(bench)
    bench.append(9, "partial", ms=now)
    bench.append(10, "full", ms=now)
    bench.append(1, "barrier", Kind.CLEAR, ms=now)

    assert bench.score("partial") == (None, now + 1000)
    for segment in ("full", "barrier"):
        full, timed = bench.score(segment)
        assert timed is None
        assert full is not None
        assert full <= redis_ms(bench)


def test_an_event_of_the_future_is_due_by_redis_clock(bench: Bench) -> None:
    bench.append(1, ms=redis_ms(bench) + 10**9)
    _, timed = bench.score()
    assert timed is not None
    assert timed <= redis_ms(bench) + 1000


def test_a_retry_gets_the_same_operations_though_more_have_come(bench: Bench) -> None:
    """The end of what was handed out is written before the first try (rule 10)."""
    bench.append(6)
    first = bench.claim()
    bench.release("failed", delay_ms=0)
    bench.append(8)
    second = bench.claim()

    assert second.chunks == first.chunks
    assert second.to == first.to
    assert (second.attempts, second.tried_to) == (1, first.to)


def test_a_dead_deliverers_lane_comes_due_when_its_lease_ends(bench: Bench) -> None:
    bench.append(10)
    earliest = redis_ms(bench) + 30_000
    bench.claim()
    latest = redis_ms(bench) + 30_000
    full, _ = bench.score()
    assert full is not None
    assert earliest <= full <= latest
    assert isinstance(bench.lanes("two").claim("db", "t2", 4), Idle)


def test_an_append_does_not_wake_a_lane_that_is_being_served(bench: Bench) -> None:
    bench.append(10)
    bench.claim()
    before = bench.score()
    bench.append(10)
    assert bench.score() == before


def test_an_append_does_not_wake_a_lane_that_is_backing_off(bench: Bench) -> None:
    bench.append(10)
    bench.claim()
    earliest = redis_ms(bench) + 5000
    bench.release("failed", delay_ms=5000)
    latest = redis_ms(bench) + 5000
    before = bench.score()
    bench.append(10)
    assert bench.score() == before
    assert before[0] is not None
    assert earliest <= before[0] <= latest


def test_an_append_leaves_a_due_lane_its_place(bench: Bench) -> None:
    """Else each append would push a hot lane behind all others (rule 8)."""
    bench.append(10)
    before = bench.score()
    time.sleep(0.01)
    bench.append(10)
    assert bench.score() == before


def test_a_lane_that_was_served_and_still_owes_goes_behind_the_others(bench: Bench) -> None:
    """Else one whose first event is oldest would be served until it is empty (rule 9)."""
    bench.append(20, "long ago", ms=NOW)
    bench.append(20, "later", ms=NOW + 60_000)
    claimed = bench.claim()
    assert claimed.segment == "long ago"
    bench.settle(claimed, f"{NOW:013d}{10:07d}{0:07d}", 10, go_on=False)
    assert bench.claim().segment == "later"


def test_an_untried_batch_stays_what_an_earlier_deliverer_may_have_tried(bench: Bench) -> None:
    """The first died over it, unheard; the second found no connection (rules 10, 13)."""
    bench.append(6)
    first = bench.claim("one")
    bench.redis.zadd(bench.keys.timed("crm"), {"7": 0})
    bench.claim("two")
    bench.release("untried", owner="two")
    bench.append(8)
    third = bench.claim("three")
    assert (third.to, third.chunks, third.tried_to) == (first.to, first.chunks, first.to)
    assert bench.lane()["starts"] == "2"


def test_what_was_tried_stays_known_though_the_rest_of_it_found_no_connection(bench: Bench) -> None:
    """The first died over ten, unheard; the second settled half of them, and then the target was away (rule 10)."""
    bench.append(10)
    first = bench.claim("one")
    bench.redis.zadd(bench.keys.full("crm"), {"7": 0})
    second = bench.claim("two")
    assert second.tried_to == first.to
    half = f"{NOW:013d}{5:07d}{0:07d}"
    bench.settle(second, half, 5, owner="two", held=5, tried_to=second.tried_to)
    bench.release("untried", owner="two")
    bench.append(10)
    assert bench.claim("three").tried_to == first.to


def test_what_is_due_soon_rings_the_bell(bench: Bench) -> None:
    """The pulse sleeps until it is rung, or for five seconds (rule 26b)."""

    def rung() -> Any:
        return bench.redis.xrevrange(bench.keys.bell, count=1)

    bench.append(10)
    appended = rung()
    assert appended
    bench.claim()
    bench.release("failed", delay_ms=60_000)
    assert rung() == appended
    bench.redis.zadd(bench.keys.full("crm"), {"7": 0})
    bench.claim()
    bench.release("failed", delay_ms=1_000)
    assert rung() != appended


def test_a_clear_gives_a_held_lane_one_try_at_once(bench: Bench) -> None:
    bench.append(10)
    bench.claim()
    bench.release("failed", delay_ms=60_000, level="lane", code="c", reason="r")
    assert bench.lane()["hold"] == "c: r"
    clear = bench.append(1, kind=Kind.CLEAR)
    claimed = bench.claim()
    assert claimed.clear == clear


def test_settling_trims_to_the_sequence_within_a_chunk(bench: Bench) -> None:
    bench.append(12, chunk=5)
    claimed = bench.claim()
    settled = f"{NOW:013d}{7:07d}{0:07d}"
    answer = bench.settle(claimed, settled, 7, held=5, held_chunks=2, next_ms=NOW)

    lane = bench.lane()
    assert isinstance(answer, More)
    assert (lane["count"], lane["off"], lane["done"]) == ("5", "2", settled)
    assert bench.redis.llen(bench.keys.chunks("crm", "7")) == 2


def test_a_trim_ends_at_the_sequence_whatever_was_counted(bench: Bench) -> None:
    """A count that is wrong, by a bug or a failover, must not take what nobody has delivered (rule 11)."""
    bench.append(15, chunk=5)
    claimed = bench.claim()
    bench.settle(claimed, f"{NOW:013d}{3:07d}{0:07d}", 10, held=5, held_chunks=1, next_ms=NOW)
    assert bench.redis.llen(bench.keys.chunks("crm", "7")) == 3


def test_settling_hands_out_what_comes_after_what_is_held(bench: Bench) -> None:
    bench.append(5, chunk=5)
    claimed = bench.claim()
    bench.append(200, chunk=5)
    settled = f"{NOW:013d}{2:07d}{0:07d}"
    answer = bench.settle(claimed, settled, 2, held=3, held_chunks=1, next_ms=NOW)

    assert isinstance(answer, More)
    assert answer.chunks[0][:27] == f"{NOW:013d}{6:07d}{0:07d}".encode()
    assert answer.to == answer.chunks[-1][27:54].decode()


def test_who_holds_a_batch_is_handed_out_no_more(bench: Bench) -> None:
    """Settling would else read what the deliverer has already (rule 10)."""
    bench.append(300, chunk=50)
    claimed = bench.claim()
    assert len(claimed.chunks) == 2
    answer = bench.settle(claimed, f"{NOW:013d}{10:07d}{0:07d}", 10, held=90, held_chunks=2, next_ms=NOW)
    assert isinstance(answer, More)
    assert (answer.to, answer.chunks) == (claimed.to, [])


def compaction(bench: Bench, first: int, end: int) -> Compaction:
    """That of the chunks from one index up to another into the first of them, as they are read now."""
    chunks: Any = bench.redis.lrange(bench.keys.chunks("crm", "7"), first, end - 1)
    less = sum(int(chunk[54:60]) for chunk in chunks[1:])
    return Compaction("crm", "7", first, [chunk[:60] for chunk in chunks], chunks[:1], less)


def test_what_was_handed_out_is_not_compacted(bench: Bench) -> None:
    """The claim comes between reading and replacing: what is in a deliverer's hand stays in the lane (rule 31)."""
    bench.append(300, chunk=50)
    read_before = compaction(bench, 1, 3)
    behind = compaction(bench, 2, 4)
    assert len(bench.claim().chunks) == 2
    assert not bench.lanes().compact(read_before)
    assert bench.lane()["count"] == "300"
    assert bench.lanes().compact(behind)
    assert bench.lane()["count"] == "250"


def test_chunks_that_have_moved_are_not_compacted(bench: Bench) -> None:
    """The head was settled meanwhile, so that other chunks stand where these stood (rule 31)."""
    bench.append(300, chunk=50)
    read_before = compaction(bench, 3, 5)
    claimed = bench.claim()
    bench.settle(claimed, f"{NOW:013d}{50:07d}{0:07d}", 50, held=50, held_chunks=1, next_ms=NOW)
    before = bench.redis.lrange(bench.keys.chunks("crm", "7"), 0, -1)
    assert not bench.lanes().compact(read_before)
    assert bench.redis.lrange(bench.keys.chunks("crm", "7"), 0, -1) == before


def test_the_first_chunk_is_not_compacted(bench: Bench) -> None:
    """It may be settled in part, which its header does not tell."""
    bench.append(300, chunk=50)
    assert not bench.lanes().compact(compaction(bench, 0, 2))
    assert bench.lane()["count"] == "300"


def test_a_deliverer_that_was_replaced_changes_nothing(bench: Bench) -> None:
    last = bench.append(10)
    claimed = bench.claim("one")
    bench.redis.hset(bench.keys.lane("crm", "7"), "until", 0)
    bench.redis.zadd(bench.keys.full("crm"), {"7": 0})
    bench.claim("two")
    before = bench.lane()

    assert isinstance(bench.settle(claimed, last, 10, owner="one"), Lost)
    assert not bench.release("failed")
    assert not bench.lanes("one").renew("crm", "7", bench.claims["one"], "deliver.db", "t")
    assert bench.lane() == before | {"starts": "1"}, "and it has said that it lives: its start was no death"
    assert bench.redis.xlen(bench.keys.outcomes) == 0


def test_a_deliverer_that_is_late_but_not_replaced_still_settles(bench: Bench) -> None:
    last = bench.append(10)
    claimed = bench.claim()
    bench.redis.hset(bench.keys.lane("crm", "7"), "until", 0)
    assert isinstance(bench.settle(claimed, last, 10), Rest)


def test_a_settlement_sent_twice_counts_once_and_is_answered_as_it_was(bench: Bench) -> None:
    """The client library sends again by itself where an answer is lost: the lane is still ours, with all it got."""
    bench.append(10, chunk=10)
    claimed = bench.claim()
    bench.append(200, chunk=10)
    settled = f"{NOW:013d}{5:07d}{0:07d}"
    first = bench.settle(claimed, settled, 5, held=5, next_ms=NOW)
    again = bench.settle(claimed, settled, 5, held=5, next_ms=NOW)
    assert isinstance(first, More)
    assert first.chunks
    assert again == first
    assert bench.lane()["count"] == "205"
    assert bench.redis.xlen(bench.keys.outcomes) == 1


@pytest.mark.parametrize("go_on", [True, False])
def test_the_last_settlement_of_a_turn_sent_twice_is_answered_as_it_was(bench: Bench, go_on: bool) -> None:
    """Empty, or left to rest: the claim is gone from the lane, and yet it is not another's."""
    last = bench.append(10 if go_on else 20)
    claimed = bench.claim()
    settled = last if go_on else f"{NOW:013d}{10:07d}{0:07d}"
    answers = [bench.settle(claimed, settled, 10, go_on=go_on) for _ in range(2)]
    assert [type(answer) for answer in answers] == [Rest, Rest]
    assert bench.redis.hget(bench.keys.integration("crm"), "backlog") == (b"0" if go_on else b"10")


def test_a_claim_sent_twice_gets_the_same_lane(bench: Bench) -> None:
    """And is no second start; else each lost answer would leave a lane to its lease (rule 12)."""
    for n in range(3):
        bench.append(10, f"{n}")
    lanes = bench.lanes()
    claim = lanes.new_claim()
    first = lanes.claim("db", "t", 4, claim)
    assert lanes.claim("db", "t", 4, claim) == first
    assert isinstance(first, Claimed)
    assert bench.lane(first.segment)["starts"] == "1"
    other = lanes.claim("db", "t2", 4)
    assert isinstance(other, Claimed)
    assert other.segment != first.segment


def test_a_late_release_frees_nobody_elses_lane(bench: Bench) -> None:
    """The same process has claimed the lane again meanwhile: it is the claim that owns it, and not the process."""
    bench.append(20)
    claimed = bench.claim()
    bench.settle(claimed, f"{NOW:013d}{10:07d}{0:07d}", 10, go_on=False)
    again = bench.claim()
    assert again.segment == claimed.segment
    assert bench.lanes().release(Release("crm", "7", claimed.claim, "failed", attempts=1)) is False
    assert bench.lane()["owner"] == again.claim


def test_a_claim_whose_answer_never_came_is_given_back_by_its_name(bench: Bench) -> None:
    bench.append(10)
    claimed = bench.claim()
    assert bench.lanes().release(Release("", "", claimed.claim)) is True
    assert "owner" not in bench.lane()
    assert bench.claim().segment == "7"


@pytest.mark.parametrize("state", [{"paused": 1}, {"active": 0}, {"hold_until": 9 * 10**15}])
def test_a_paused_or_held_integration_is_not_looked_at(bench: Bench, state: Any) -> None:
    bench.append(10)
    bench.redis.hset(bench.keys.integration("crm"), mapping=state)
    assert isinstance(bench.lanes().claim("db", "t", 4), Idle)
    assert bench.lanes().tick("x:", "task").wakes == []


def test_a_held_integration_sends_one_probe_at_a_time(bench: Bench) -> None:
    bench.append(10, "1")
    bench.append(10, "2")
    bench.redis.hset(bench.keys.integration("crm"), mapping={"hold": "why", "hold_until": 1, "hold_id": "h"})
    claimed = bench.claim()
    assert claimed.probing == "h"
    assert isinstance(bench.lanes("two").claim("db", "t2", 4), Idle)

    # The probe that works lets all others go on.
    bench.settle(claimed, claimed.to, 10, lifts="h")
    assert isinstance(bench.claim("two"), Claimed)


@pytest.mark.parametrize("lifts", ["", "an older one"])
def test_only_the_probe_of_a_hold_lifts_it(bench: Bench, lifts: str) -> None:
    """A batch that was in flight, or had nothing to run, or the probe of what was held before, says nothing of it."""
    bench.append(10)
    claimed = bench.claim()
    hold: dict[Any, Any] = {"hold": "why", "hold_until": 9 * 10**15, "hold_id": "h"}
    bench.redis.hset(bench.keys.integration("crm"), mapping=hold)
    bench.redis.hset(bench.keys.connector("db"), mapping=hold)
    bench.settle(claimed, claimed.to, 10, lifts=lifts)
    assert bench.redis.hexists(bench.keys.integration("crm"), "hold_until")
    assert bench.redis.hexists(bench.keys.connector("db"), "hold_until")


@pytest.mark.parametrize("stale", ["revision", "connector"])
@pytest.mark.parametrize("level", ["integration", "connector", "lane"])
def test_a_try_by_what_is_no_longer_applied_holds_nothing(bench: Bench, stale: str, level: str) -> None:
    """The integration has been moved to another connector, or its query mended, while the old one was tried."""
    bench.append(10)
    bench.claim()
    if stale == "revision":
        bench.redis.hset(bench.keys.config, "revision", 2)
    else:
        bench.redis.hset(bench.keys.integration("crm"), "connector", "other")
    bench.release("failed", delay_ms=60_000, level=level, connector="db", code="c", reason="r")
    for key in (bench.keys.integration("crm"), bench.keys.connector("db"), bench.keys.connector("other")):
        assert not bench.redis.hexists(key, "hold_until")
    assert "hold" not in bench.lane()
    assert "retry" not in bench.lane(), "and what is applied now is tried at once"


def test_a_lane_whose_hold_another_lifts_learns_that_others_pass(bench: Bench) -> None:
    bench.append(10, "7")
    bench.append(10, "8")
    bench.claim()
    bench.release("failed", delay_ms=1, level="integration", connector="db", code="c", reason="r")
    bench.redis.hset(bench.keys.integration("crm"), "hold_until", 1)
    probe = bench.claim()
    assert (probe.segment, probe.passed) == ("8", frozenset())
    bench.settle(probe, probe.to, 10, lifts=probe.probing)
    freed = bench.claim()
    assert freed.passed == {"add", "remove"}
    assert freed.attempts == 0, "tries before that say nothing of its profiles"


def test_a_held_connector_is_not_looked_at_and_sends_one_probe_at_a_time(bench: Bench) -> None:
    """A password that is tried too often locks the account (rule 25)."""
    bench.append(10, "1")
    bench.append(10, "2")
    bench.redis.hset(bench.keys.connector("db"), mapping={"hold": "why", "hold_until": 9 * 10**15})
    assert isinstance(bench.lanes().claim("db", "t", 4), Idle)
    assert bench.lanes().tick("x:", "task").wakes == []

    bench.redis.hset(bench.keys.connector("db"), mapping={"hold_until": 1, "hold_id": "h"})
    probe = bench.lanes().claim("db", "t", 4)
    assert probe == Probe("h")
    assert isinstance(bench.lanes("two").claim("db", "t2", 4), Idle)
    assert bench.lanes().connected("db", "another") is None
    assert isinstance(bench.lanes("two").claim("db", "t2", 4), Idle)
    assert bench.lanes().connected("db", "h") is not None
    assert isinstance(bench.claim("two"), Claimed)


@pytest.mark.parametrize("later", ["hold_until", "open_until"])
def test_a_connector_that_is_held_and_whose_circuit_is_open_wakes_nobody_before_both_are_over(
    bench: Bench, later: str
) -> None:
    """A claim waits for both: else wake-ups that find nothing would follow one another without a rest."""
    bench.append(10)
    key = bench.keys.connector("db")
    bench.redis.hset(key, mapping={"hold": "why", "hold_until": 1, "open_until": 1})
    bench.redis.hset(key, later, redis_ms(bench) + 60_000)
    assert isinstance(bench.lanes().claim("db", "t", 4), Idle)
    assert bench.lanes().tick("x:", "task").wakes == []


def test_what_an_emptied_lane_left_behind_is_removed_on_the_way(bench: Bench) -> None:
    bench.append(10)
    bench.redis.zadd(bench.keys.full("crm"), {"ghost": 0})
    assert bench.claim().segment == "7"
    assert bench.score("ghost") == (None, None)


@pytest.mark.parametrize(
    ("compacted", "settings", "noted"),
    [(0, {}, True), (5_100, {}, False), (5_000, {}, True), (0, {"size": 1}, False), (0, {"size": 5_000}, False)],
)
def test_a_lane_that_is_long_and_old_is_noted_until_it_is_compacted_and_when_it_has_doubled(
    bench: Bench, compacted: int, settings: dict[str, Any], noted: bool
) -> None:
    """But not where profiles go one at a time, nor where a few batches are all that it is (rule 31)."""
    bench.append(9_999)
    long = f"{bench.keys.namespace}:long"
    assert not bench.redis.exists(long)
    if compacted:
        bench.redis.hset(bench.keys.lane("crm", "7"), "compacted", compacted)
    bench.redis.hset(bench.keys.integration("crm"), mapping={"size": 10} | settings)
    bench.append(2)
    assert bool(bench.redis.sismember(long, "crm:7")) == noted


def test_an_open_circuit_is_probed_by_one_at_a_time(bench: Bench) -> None:
    """Whose right to do so ends, should nothing come of it (rule 25)."""
    bench.append(10)
    bench.redis.hset(bench.keys.connector("db"), "open_until", 1)
    assert isinstance(bench.lanes("one").claim("db", "t1", 4), Probe)
    assert isinstance(bench.lanes("two").claim("db", "t2", 4), Idle)
    bench.redis.hset(bench.keys.connector("db"), "open_until", 1)
    assert isinstance(bench.lanes("two").claim("db", "t2", 4), Probe)


def test_full_and_timed_lanes_take_turns(bench: Bench) -> None:
    for n in range(3):
        bench.append(10, f"full{n}")
        bench.append(1, f"timed{n}")
    served = [bench.claim(f"owner{n}").segment[:4] for n in range(4)]
    assert sorted(served) == ["full", "full", "time", "time"]
    assert served[0] != served[1]


def test_integrations_of_a_connector_take_turns(bench: Bench) -> None:
    for n in range(3):
        bench.append(10, f"{n}")
    key = bench.keys.integration("erp")
    bench.redis.hset(key, mapping={"connector": "db", "size": 10, "timeout": 0, "active": 1})
    bench.redis.zadd(bench.keys.next("db"), {"erp": 0})
    for n in range(3):
        bench.redis.copy(bench.keys.lane("crm", f"{n}"), bench.keys.lane("erp", f"{n}"))
        bench.redis.copy(bench.keys.chunks("crm", f"{n}"), bench.keys.chunks("erp", f"{n}"))
    bench.redis.copy(bench.keys.full("crm"), bench.keys.full("erp"))
    served = [bench.claim(f"owner{n}").integration for n in range(4)]
    assert sorted(served[:2]) == ["crm", "erp"]
    assert sorted(served[2:]) == ["crm", "erp"]


def test_a_lane_that_may_not_go_on_stays_its_claims_while_the_next_batch_is_under_way(bench: Bench) -> None:
    """Until that is undone; and what was handed out is written down as tried."""
    first = bench.append(1)
    bench.append(20)
    claimed = bench.claim()
    bench.redis.hset(bench.keys.integration("crm"), "paused", 1)
    assert bench.settle(claimed, first, 1, held=20, under_way=True) == Stop()
    lane = bench.lane()
    assert (lane["owner"], lane["done"], lane["to"], lane["starts"]) == (claimed.claim, first, claimed.to, "1")
    assert bench.release("failed", attempts=0)
    lane = bench.lane()
    assert "owner" not in lane
    assert lane["to"] == claimed.to


def test_no_more_wakeups_than_the_connector_serves_at_once(bench: Bench) -> None:
    for n in range(10):
        bench.append(10, f"{n}")
    tick = bench.lanes().tick("a:", "task")
    assert [wake.queue for wake in tick.wakes] == ["deliver.db"] * 4
    assert bench.lanes().tick("b:", "task").wakes == []


def test_a_tick_that_is_sent_again_tells_of_the_wakeups_that_nobody_heard_of(bench: Bench) -> None:
    """Until their permits ran out, ten seconds later, nobody was woken for what was due."""
    for n in range(3):
        bench.append(10, f"{n}")
    first = bench.lanes().tick("a:", "task").wakes
    bench.append(10, "more")
    again = bench.lanes().tick("a:", "task").wakes
    assert len(first) == 3
    assert again[:3] == first
    assert len({wake.token for wake in again}) == 4
    assert bench.lanes().tick("b:", "task").wakes == []


def test_a_late_wakeup_finds_no_room(bench: Bench) -> None:
    """Its permit has expired and others took its place: it may not serve a fifth lane."""
    for n in range(10):
        bench.append(10, f"{n}")
    bench.lanes().tick("a:", "task")
    assert isinstance(bench.lanes().claim("db", "expired", 4), Idle)
    assert isinstance(bench.lanes().claim("db", "a:1", 4), Claimed)


def test_the_claim_that_finds_nothing_gives_the_permit_back(bench: Bench) -> None:
    bench.append(10)
    (wake,) = bench.lanes().tick("a:", "task").wakes
    claimed = bench.lanes().claim("db", wake.token, 4)
    assert isinstance(claimed, Claimed)
    bench.settle(claimed, claimed.to, 10)
    assert bench.redis.zcard(bench.keys.permits("deliver.db")) == 1
    assert isinstance(bench.lanes().claim("db", wake.token, 4), Idle)
    assert bench.redis.zcard(bench.keys.permits("deliver.db")) == 0


def test_another_revision_can_neither_route_nor_claim(bench: Bench) -> None:
    bench.append(10)
    old = bench.lanes(revision=0)
    with pytest.raises(Stale):
        old.take_lease(ROUTE, "old", "t")
    with pytest.raises(Stale):
        old.append(Move("router", "", "1-1|0", "1-1"))
    with pytest.raises(Stale):
        old.claim("db", "t", 4)
    with pytest.raises(Stale):
        old.compact(Compaction("crm", "7"))


def test_a_deliverer_of_another_revision_gets_no_more(bench: Bench) -> None:
    """What it has committed counts, and the lane goes to whoever works by the applied revision (rule 2)."""
    bench.append(20, chunk=10)
    claimed = bench.claim()
    bench.redis.hset(bench.keys.config, "revision", 2)
    settled = f"{NOW:013d}{10:07d}{0:07d}"
    assert isinstance(bench.settle(claimed, settled, 10, held=10, next_ms=NOW), Rest)
    assert "owner" not in bench.lane()
    assert bench.lane()["done"] == settled


def test_a_step_that_is_not_well_formed_leaves_no_half_behind(bench: Bench) -> None:
    """A script that fails is not undone: all of it is read before the first write (rule 5)."""
    bench.append(1, "before")
    router = bench.lanes("router")
    position = bench.take_route()
    operation = Operation(NOW, 2, 0, Kind.ADD, None, b"{}")
    run = ["7", 1, NOW, "", "", pack("n", [operation]), 0, "", 1, "crm"]
    whole = ["router", 30_000, position, f"{NOW}-2|0", f"{NOW}-2", 1, *run, 0, 0, 0, 0, 1, 1, 0, 0]
    for end in range(6, len(whole)):
        with pytest.raises(ResponseError, match="append: "):
            router._call("append", *whole[:end])
    assert bench.lane() == {}
    assert bench.redis.hget(bench.keys.intake, "position") == position.encode()
    assert router._call("append", *whole) == [b"ok"]


def test_a_router_that_was_replaced_moves_nothing(bench: Bench) -> None:
    bench.append(1)
    position = bench.take_route()
    bench.redis.hset(bench.keys.lease(ROUTE), "owner", "another")
    assert not bench.lanes("router").append(Move("router", position, "1-1|0", "1-1", events=1))
    assert bench.redis.hget(bench.keys.intake, "position") == position.encode()


def test_a_step_read_from_an_old_position_moves_nothing(bench: Bench) -> None:
    bench.append(1)
    assert not bench.lanes("router").append(Move("router", "0-0|0", "1-1|0", "1-2", events=1))


def test_everything_works_on_a_full_redis(bench: Bench) -> None:
    """A full Redis must drain: no script is refused for want of memory (rule 5)."""
    bench.append(20, chunk=5)
    used = int(bench.redis.info("memory")["used_memory"])
    bench.redis.config_set("maxmemory", used - 1)
    try:
        claimed = bench.claim()
        assert isinstance(bench.settle(claimed, claimed.to, 20), Rest)
        bench.append(10)
        claimed = bench.claim()
        bench.lanes().renew("crm", "7", bench.claims["one"], "deliver.db", "t")
        bench.release("failed", delay_ms=1)
        bench.lanes().tick("a:", "beat")
    finally:
        bench.redis.config_set("maxmemory", 0)


def test_an_integration_at_its_limit_stops_producers_until_it_has_room(bench: Bench) -> None:
    bench.redis.hset(bench.keys.integration("crm"), mapping={"max_backlog": 20, "when_full": "block"})
    bench.append(19)
    assert not bench.redis.exists(bench.keys.full_marks)
    bench.append(1)
    reason: Any = bench.redis.hget(bench.keys.full_marks, "reason")
    assert b"crm" in reason
    bench.append(5)

    claimed = bench.claim()
    settled, nearly = (f"{NOW:013d}{n:07d}{0:07d}" for n in (3, 6))
    bench.settle(claimed, settled, 3, held=22, next_ms=NOW)
    assert bench.redis.exists(bench.keys.full_marks)
    bench.settle(claimed, nearly, 3, held=19, next_ms=NOW, before=settled)
    assert bench.redis.exists(bench.keys.full_marks), "less than a tenth of it is free"
    bench.settle(claimed, f"{NOW:013d}{7:07d}{0:07d}", 1, held=18, next_ms=NOW, before=nearly)
    assert not bench.redis.exists(bench.keys.full_marks)


def test_an_integration_that_drops_loses_its_newest_counted(bench: Bench) -> None:
    bench.redis.hset(bench.keys.integration("crm"), mapping={"max_backlog": 10, "when_full": "drop"})
    bench.append(10)
    bench.append(7)
    assert bench.redis.smembers(bench.keys.resync("crm")) == {b"7"}
    bench.append(1, kind=Kind.CLEAR)
    fields: Any = bench.redis.hgetall(bench.keys.integration("crm"))
    assert (fields[b"backlog"], fields[b"dropped"]) == (b"11", b"7")
    assert bench.redis.smembers(bench.keys.resync("crm")) == set(), "what was lost is moot"
    assert not bench.redis.exists(bench.keys.full_marks)


def test_what_one_step_brings_beyond_the_limit_is_dropped_too(bench: Bench) -> None:
    bench.redis.hset(bench.keys.integration("crm"), mapping={"max_backlog": 10, "when_full": "drop"})
    one = pack("n", [Operation(NOW, 1, 0, Kind.ADD, None, b"{}")] * 6)
    runs = [Run(segment, 6, NOW, "", "", one, ["crm"]) for segment in ("7", "8", "9")]
    position = bench.take_route()
    assert bench.lanes("router").append(Move("router", position, f"{NOW}-1|0", f"{NOW}-1", runs=runs))
    fields: Any = bench.redis.hgetall(bench.keys.integration("crm"))
    assert (fields[b"backlog"], fields[b"dropped"]) == (b"12", b"6")
    assert not bench.lane("9")


def test_a_lane_that_an_append_fills_is_due_at_once(bench: Bench) -> None:
    now = redis_ms(bench)
    bench.redis.hset(bench.keys.integration("crm"), "timeout", 60_000)
    bench.append(6, ms=now)
    bench.append(3, ms=now)
    assert bench.score() == (None, now + 60_000)
    bench.append(1, ms=now)
    full, timed = bench.score()
    assert timed is None
    assert full is not None
    assert full < now + 60_000


def test_a_clear_whose_query_was_taken_away_makes_nothing_moot(bench: Bench) -> None:
    """A revision without the clear query came after the clear: the adds before it are owed again."""
    bench.append(20, chunk=5)
    bench.append(1, kind=Kind.CLEAR)
    bench.redis.hset(bench.keys.integration("crm"), "clear", 0)
    claimed = bench.claim()
    assert claimed.clear == ""
    answer = bench.settle(claimed, f"{NOW:013d}{5:07d}{0:07d}", 5, held=16, held_chunks=4, next_ms=NOW)
    assert isinstance(answer, More)
    assert answer.clear == ""


def test_a_lease_is_taken_and_left_to_rest_on_a_full_redis(bench: Bench) -> None:
    """Just then the ledger may be away, and upkeep must not be asked for again at once."""
    lanes = bench.lanes()
    bench.redis.xadd(bench.keys.outcomes, {"r": b""})
    bench.redis.config_set("maxmemory", 1)
    try:
        assert lanes.take_lease(UPKEEP, "one", "t") == 0
        assert lanes.keep_lease(UPKEEP, "one")
        lanes.leave_lease(UPKEEP, "one", 10_000, "the ledger is away")
    finally:
        bench.redis.config_set("maxmemory", 0)
    assert lanes.tick("p", "task").wakes == []
    assert bench.redis.hget(bench.keys.lease(UPKEEP), "why") == b"the ledger is away"


def test_a_clear_comes_with_all_that_stands_before_it(bench: Bench) -> None:
    """Also where an earlier try had been handed out less: the clear makes moot what that try failed at (rule 14)."""
    bench.append(300, chunk=5)
    first = bench.claim()
    assert (len(first.chunks), first.clear) == (20, "")
    bench.release("failed", delay_ms=60_000)
    clear = bench.append(1, kind=Kind.CLEAR)

    claimed = bench.claim("two")

    assert (claimed.to, claimed.clear, claimed.tried_to) == (clear, clear, first.to)
    assert len(claimed.chunks) == 61


def test_a_clear_that_is_too_far_away_is_not_waited_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.lanes.store.BUDGET_BYTES", 20_000)
    bench.append(3_000, chunk=100)
    bench.append(1, kind=Kind.CLEAR)

    claimed = bench.claim()

    assert len(claimed.chunks) == 1


def test_a_settlement_hands_out_the_clear_that_has_come_meanwhile(bench: Bench) -> None:
    bench.append(250, chunk=50)
    claimed = bench.claim()
    clear = bench.append(1, kind=Kind.CLEAR)

    settled = f"{NOW:013d}{10:07d}{0:07d}"
    answer = bench.settle(claimed, settled, 10, held=90, held_chunks=2, next_ms=NOW)

    assert isinstance(answer, More)
    assert (answer.to, answer.clear, len(answer.chunks)) == (clear, clear, 4)


def test_what_was_tried_is_known_as_tried_until_all_of_it_is_settled(bench: Bench) -> None:
    bench.append(100, chunk=50)
    first = bench.claim()
    bench.redis.zadd(bench.keys.full("crm"), {"7": 0})
    second = bench.claim("two")
    assert second.tried_to == first.to

    settled = f"{NOW:013d}{30:07d}{0:07d}"
    bench.settle(second, settled, 30, owner="two", held=70, held_chunks=2, go_on=False, tried_to=second.tried_to)

    assert bench.claim("three").tried_to == first.to
