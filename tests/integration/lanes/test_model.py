"""The lanes' scripts against a model, in any order of steps: on a real Redis, leases lost and a failover included.

The model is a list: what was appended and not yet settled. Whatever deliverers do, and whoever dies, the lane is a
suffix of what was appended, settled operations never come back, and who has lost the lane changes nothing. A failover
takes everything back to an earlier moment, as a replica promoted without its tail does.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.integration.lanes.test_scripts import NOW, Bench
from workers.delivery.batching import Buffer
from workers.delivery.compaction import Compactor
from workers.events.event import Kind
from workers.integrations import Integration, Ordering, Scope
from workers.lanes import Claimed, Idle, Lost, More
from workers.lanes.chunks import unpack
from workers.lanes.messages import Release, Settlement

if TYPE_CHECKING:
    from tests.servers.redis import RedisServer

OWNERS = ("one", "two", "three")
SIZE = 5


class Held:
    """What a deliverer believes to hold."""

    def __init__(self, claimed: Claimed) -> None:
        self.claim = claimed.claim
        self.hand = Buffer(claimed.done, claimed.to, claimed.clear, claimed.chunks)


class LaneMachine(RuleBasedStateMachine):
    """One lane, three deliverers."""

    server: RedisServer

    def __init__(self) -> None:
        super().__init__()
        self.client: Any = self.server.client()
        self.bench = Bench(self.client, f"test_{secrets.token_hex(5)}", size=SIZE)
        self.bench.keys_apart = 6
        self.owed: list[str] = []
        self.kinds: dict[str, tuple[Kind, int]] = {}
        self.settled_up_to = ""
        self.owner: str | None = None
        self.held: dict[str, Held] = {}
        self.last: tuple[str, list[str], Settlement] | None = None
        self.answered: dict[str, tuple[str, str]] = {}
        self.snapshot: Any = None

    def teardown(self) -> None:
        for key in self.client.scan_iter(match=f"{self.bench.keys.namespace}*"):
            self.client.unlink(key)
        self.client.close()

    @rule(count=st.integers(1, 12), chunk=st.integers(1, 5), kind=st.sampled_from([Kind.ADD, Kind.ADD, Kind.CLEAR]))
    def append(self, count: int, chunk: int, kind: Kind) -> None:
        count = 1 if kind is Kind.CLEAR else count
        first = self.bench.count + 1
        self.bench.append(count, kind=kind, chunk=chunk)
        sequences = {f"{NOW:013d}{n:07d}{0:07d}": (kind, n * 7 % 6) for n in range(first, first + count)}
        self.kinds |= sequences
        self.owed += sequences

    @rule(owner=st.sampled_from(OWNERS))
    def claim(self, owner: str) -> None:
        answer = self.bench.lanes(owner).claim("db", f"token-{owner}", 9)
        if isinstance(answer, Idle):
            assert not self._due()
            return
        assert isinstance(answer, Claimed)
        assert self.owed, "an empty lane was handed out"
        self.owner, self.held[owner] = answer.claim, Held(answer)
        self.answered.pop(owner, None)
        hand = self.held[owner].hand
        assert [o.sequence for o, _ in hand._hand] == self.owed[: len(hand)]
        assert answer.done == self.settled_up_to

    @rule(owner=st.sampled_from(OWNERS), take=st.integers(1, 8), go_on=st.booleans())
    def settle(self, owner: str, take: int, go_on: bool) -> None:
        held = self.held.get(owner)
        if held is None or not len(held.hand):
            return
        hand = held.hand
        taken = [o.sequence for o, _ in list(hand._hand)[:take]]
        before = hand.settled
        for _ in taken:
            hand._hand.drop(1)
        hand.settled = taken[-1]
        self.last = (owner, taken, self._settlement(held, before, taken, go_on=go_on))
        answer = self._send(*self.last)
        if isinstance(answer, Lost):
            del self.held[owner]
        elif isinstance(answer, More):
            hand.receive(answer.to, answer.clear, answer.chunks)
            assert [o.sequence for o, _ in hand._hand] == self.owed[: len(hand)]
            assert len(hand) >= min(SIZE, len(self.owed))
        else:
            del self.held[owner]

    @precondition(lambda self: self.last is not None)
    @rule()
    def settle_again(self) -> None:
        """The answer was lost, so the client sends the same again: once more is nothing, and answered as it was."""
        assert self.last is not None
        before = self.owner
        answer = self._send(*self.last)
        if isinstance(answer, More) and before == self.owner:
            assert answer.to == self.bench.lane()["to"]
        if not isinstance(answer, Lost):
            self.held.pop(self.last[0], None)  # who has sent it twice does not go on here

    @staticmethod
    def _settlement(held: Held, before: str, taken: list[str], *, go_on: bool) -> Settlement:
        hand = held.hand
        while hand._chunk_ends and hand._chunk_ends[0] <= hand.settled:
            hand._chunk_ends.popleft()
        next_ms = next(iter(hand._hand))[0].ms if len(hand) else None
        left = (next_ms, len(hand), len(hand._chunk_ends))
        return Settlement("crm", "7", held.claim, before, taken[-1], len(taken), *left, go_on=go_on, records=[b"r"])

    def _send(self, owner: str, taken: list[str], settlement: Settlement) -> Any:
        answer = self.bench.lanes(owner).settle(settlement)
        claim = settlement.claim
        owns = self.owner == claim
        mine = owns and settlement.settled_before == self.settled_up_to and self.owed[: len(taken)] == taken
        done = (owns and self.settled_up_to == taken[-1]) or self.answered.get(owner) == (claim, taken[-1])
        assert isinstance(answer, Lost) != (mine or done), "somebody else's lane was trimmed, or the owner's was not"
        if mine:
            del self.owed[: len(taken)]
            self.settled_up_to = taken[-1] if self.owed else ""
            self.owner = claim if isinstance(answer, More) else None
            if self.owner is None:
                self.answered[owner] = (claim, taken[-1])
        return answer

    @rule(
        owner=st.sampled_from(OWNERS), how=st.sampled_from(["untried", "failed"]), limit=st.sampled_from([None, 1, 2])
    )
    def release(self, owner: str, how: str, limit: int | None) -> None:
        if owner not in self.held:
            return
        claim = self.held[owner].claim
        given_back = self.bench.lanes(owner).release(Release("crm", "7", claim, how, limit=limit))
        assert given_back == (self.owner == claim)
        if given_back:
            self.owner = None
            self.answered.pop(owner, None)
            self.held.pop(owner, None)

    @rule()
    def compact(self) -> None:
        """What goes is merged by a later operation of its key; nothing that a deliverer holds goes."""
        integration = Integration(
            key="crm", connector="db", scope=Scope("main"), key_fields=("_id",), queries={}, batched=True
        )
        self.client.sadd(f"{self.bench.keys.namespace}:long", "crm:7")
        gone = Compactor(self.bench.lanes("compactor"), {"crm": integration}, lambda _: Ordering.EXACT).run(5)
        chunks = self.client.lrange(self.bench.keys.chunks("crm", "7"), 0, -1)
        left = [o.sequence for chunk in chunks for o in unpack(chunk)[1] if o.sequence > self.settled_up_to]
        missing = set(self.owed) - set(left)
        assert left == [each for each in self.owed if each not in missing]
        assert len(missing) == gone
        holders = [held.hand.to for held in self.held.values() if held.claim == self.owner]
        assert all(sequence > to for sequence in missing for to in holders)
        assert all(self._comes_again(sequence) for sequence in missing)
        self.owed = left

    def _comes_again(self, sequence: str) -> bool:
        """Whether its key does, before the next segment event."""
        kind, key = self.kinds[sequence]
        for later in self.owed[self.owed.index(sequence) + 1 :]:
            if self.kinds[later][0] is Kind.CLEAR:
                return False
            if self.kinds[later][1] == key:
                return kind is Kind.ADD
        return False

    @precondition(lambda self: self.owner is not None)
    @rule()
    def lease_runs_out(self) -> None:
        """The deliverer still believes to hold the lane, until somebody else claims it."""
        self.client.hset(self.bench.keys.lane("crm", "7"), "until", 0)
        for due in (self.bench.keys.full("crm"), self.bench.keys.timed("crm")):
            self.client.zadd(due, {"7": 0}, xx=True)

    @rule()
    def replicate(self) -> None:
        """The replica has come so far."""
        keys = list(self.client.scan_iter(match=f"{self.bench.keys.namespace}*"))
        dumped = {key: self.client.dump(key) for key in keys}
        self.snapshot = (dumped, list(self.owed), self.settled_up_to, self.owner, dict(self.answered))

    @precondition(lambda self: self.snapshot is not None)
    @rule()
    def fail_over(self) -> None:
        """The replica is promoted without its tail: deliverers go on with what they believed before."""
        assert self.snapshot is not None
        dumped, owed, settled, owner, answered = self.snapshot
        for key in self.client.scan_iter(match=f"{self.bench.keys.namespace}*"):
            self.client.delete(key)
        for key, data in dumped.items():
            self.client.restore(key, 0, data)
        self.owed, self.settled_up_to, self.owner, self.answered = list(owed), settled, owner, dict(answered)

    @invariant()
    def what_is_owed_is_there(self) -> None:
        lane = self.bench.lane()
        if not self.owed:
            assert lane == {}
            assert self.bench.score() == (None, None)
            assert not self.client.exists(self.bench.keys.chunks("crm", "7"))
            return
        assert int(lane["count"]) == len(self.owed)
        assert int(self.client.hget(self.bench.keys.integration("crm"), "backlog")) == len(self.owed)
        assert lane.get("done", "") == self.settled_up_to
        assert lane.get("owner") == self.owner
        chunks = self.client.lrange(self.bench.keys.chunks("crm", "7"), 0, -1)
        hand = Buffer(self.settled_up_to, self.owed[-1], "", chunks)
        assert [o.sequence for o, _ in hand._hand] == self.owed

    @invariant()
    def a_lane_that_owes_is_due_some_time(self) -> None:
        """In exactly one of the two sets, or it would be served twice, or never."""
        if self.owed:
            assert sum(score is not None for score in self.bench.score()) == 1

    def _due(self) -> bool:
        now, micros = self.client.time()
        milliseconds = now * 1000 + micros // 1000
        return any(score is not None and score <= milliseconds for score in self.bench.score())


@pytest.mark.hypothesis
def test_the_lanes_scripts_keep_to_the_model(redis_server: RedisServer) -> None:
    LaneMachine.server = redis_server
    run_state_machine_as_test(LaneMachine, settings=settings(suppress_health_check=list(HealthCheck)))
