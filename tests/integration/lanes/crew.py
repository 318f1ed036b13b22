"""Workers at one connector, by a clock that the test sets: who is woken when, and what is handed out then."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workers.lanes import Claimed, Idle, More, unpack
from workers.lanes.messages import Settlement

if TYPE_CHECKING:
    from tests.integration.lanes.scripted_clock import ScriptedClock
    from tests.integration.lanes.test_scripts import Bench
    from workers.lanes import Lanes

SAVED_MS = 500.0
"""What a connector that was idle has saved at the most."""


@dataclass(slots=True)
class Work:
    """A lane while a worker serves it: its operations, and how many are settled."""

    lanes: Lanes
    claimed: Claimed
    owed: list[str]
    settled: str


@dataclass
class Crew:
    """Workers at one connector: each wake-up is taken by one of them after a while, and each statement takes one.

    sent      when statements were handed out, in milliseconds
    settled   sequences, by segment, in the order in which they were settled
    """

    bench: Bench
    clock: ScriptedClock
    statements: int = 1
    workers: int = 3
    sent: list[float] = field(default_factory=list)
    settled: dict[str, list[str]] = field(default_factory=dict)
    idle: int = 0
    looks: int = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(7)
        self.due: list[tuple[float, int, Any]] = []
        self.number = 0
        self.pulse_at, self.bell = 0.0, b"0-0"

    def later(self, ms: float, what: Any) -> None:
        self.number += 1
        heapq.heappush(self.due, (self.clock.now_ms + ms, self.number, what))

    def run(self, until_ms: float) -> None:
        """Until nothing is owed, or that time."""
        while self.clock.now_ms < until_ms and self.owes():
            if not self.due or self.pulse_at <= self.due[0][0]:
                self.clock.now_ms = max(self.clock.now_ms, self.pulse_at)
                self.pulse_at = self.clock.now_ms + max(20, self.wake("pulse"))
                continue
            at, _, what = heapq.heappop(self.due)
            self.clock.now_ms = max(self.clock.now_ms, at)
            what()
            if self.has_rung():
                self.pulse_at = min(self.pulse_at, self.clock.now_ms + 20)

    def has_rung(self) -> bool:
        newest: Any = self.bench.redis.xrevrange(self.bench.keys.bell, count=1)
        return bool(newest) and newest[0][0] != self.bell

    def owes(self) -> int:
        return int(self.bench.redis.hget(self.bench.keys.integration("crm"), "backlog") or 0)

    def wake(self, who: str) -> int:
        """What the pulse and each task's end do; milliseconds until the pulse looks again, unless a bell rings."""
        self.looks += 1
        tick = self.bench.lanes(who).tick(f"{self.looks}:", who)
        for wake in tick.wakes:
            self.later(self.chance.uniform(1, 20), lambda token=wake.token: self.claim(token))
        if who == "pulse":
            self.bell = tick.last_bell
        return tick.sleep_ms

    def claim(self, token: str) -> None:
        lanes = self.bench.lanes(f"w{self.chance.randrange(self.workers)}")
        claimed = lanes.claim("db", token, self.workers)
        if isinstance(claimed, Idle):
            self.idle += 1
            return
        assert isinstance(claimed, Claimed)
        owed = [o.sequence for chunk in claimed.chunks for o in unpack(chunk)[1] if o.sequence > claimed.done]
        self.serve(Work(lanes, claimed, owed, claimed.done), token)

    def serve(self, work: Work, token: str) -> None:
        self.sent += [self.clock.now_ms] * self.statements
        self.later(self.chance.uniform(1, 60), lambda: self.settle(work, token))

    def settle(self, work: Work, token: str) -> None:
        claimed, first = work.claimed, work.owed.pop(0)
        done = Settlement(
            *("crm", claimed.segment, claimed.claim, work.settled, first),
            operations=1,
            next_ms=None,
            held_operations=len(work.owed),
            held_chunks=int(bool(work.owed)),
            go_on=True,
            statements=self.statements,
        )
        answer = work.lanes.settle(done)
        self.settled.setdefault(claimed.segment, []).append(first)
        if isinstance(answer, More):
            work.settled = first
            work.owed += [o.sequence for chunk in answer.chunks for o in unpack(chunk)[1]]
            self.serve(work, token)
            return
        work.lanes.give_back("deliver.db", token)
        self.wake("task")

    def most_beyond(self, pace: float) -> float:
        """How many statements any stretch of time had beyond what its length allows."""
        sent = sorted(self.sent)
        return max(
            last - first + 1 - (sent[last] - sent[first] + SAVED_MS) / pace
            for first in range(len(sent))
            for last in range(first, len(sent))
        )
