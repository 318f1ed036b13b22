"""Many segments that need a resync at once, beside segments that do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.crowd import commands
from tests.integration.jobs import add
from tests.integration.resync.platform import Platform
from tests.proof import draws
from tests.waiting import PATIENCE, until
from workers.lanes.runs import OPEN_AT_MOST, ResyncRuns

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis import Redis

    from tests.integration.jobs import Job
    from tests.targets import TargetDatabase

MANY = draws(30, 10_000)
REQUESTS = draws(5_000, 100_000)
LIVE = 7
EVERY = 5
"""Rounds of work between two live events."""
ROUNDS = 300
"""In which not nearly all requests can be met."""
COMMANDS = 300
"""Of Redis in a round, those of scripts included, however many requests wait."""
ANSWERED = 10_000
"""Bytes that it answers with in a round: less than what the names of 5,000 runs are."""
SOON = 3
"""Rounds of work in which a live event is routed and delivered, whatever else is asked for."""


def answered(redis: Redis) -> int:
    """Bytes that Redis has answered with."""
    found: Any = redis.info("stats")
    return int(found["total_net_output_bytes"])


@pytest.fixture
def platform(make_job: Callable[[TargetDatabase], Job], target: TargetDatabase) -> Platform:
    return Platform(make_job(target))


class Work:
    """What workers do, round by round: each wake-up once."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.runs = ResyncRuns(platform.job.runtime.lanes)
        self.rounds = 0
        self.pushed: dict[str, int] = {}
        self.waits: list[int] = []
        self.open = 0

    def round(self) -> bool:
        """One round; whether all runs are over."""
        runtime = self.platform.job.runtime
        if self.rounds % EVERY == 0 and not self.pushed:
            key = f"live{self.rounds}"
            self.platform.job.push(add(LIVE, key))
            self.pushed[key] = self.rounds
        for wake in runtime.tick("task").wakes:
            kind = wake.queue.partition(".")[0]
            if kind == "route":
                runtime.route(wake.token, 1)
            elif kind == "deliver":
                runtime.deliver("crm", wake.token, 1)
                runtime.lanes.give_back(wake.queue, wake.token)
            elif kind == "resync":
                runtime.resync(wake.token, 0)
        self.rounds += 1
        self._look()
        keys = self.runs._lanes.keys
        return not self.platform.job.installation.redis.exists(keys.runs, keys.runs_waiting)

    def _look(self) -> None:
        self.open = max(self.open, int(self.platform.job.installation.redis.zcard(self.runs._lanes.keys.runs)))
        if self.pushed and self._is_there(*self.pushed):
            self.waits.append(self.rounds - self.pushed.popitem()[1])

    def _is_there(self, key: str) -> bool:
        """Asked for by its key: of very many runs the table has a row for each live event that there was."""
        query = f"SELECT 1 FROM member WHERE segment_id = {LIVE} AND client_id = '{key}'"
        return bool(self.platform.target.run(query))


@pytest.mark.proof
@pytest.mark.timeout(300 + MANY)
@pytest.mark.parametrize("target", ["sqlite"], indirect=True)
def test_many_segments_at_once_hold_up_nobody_else(platform: Platform) -> None:
    """Some runs are open at a time; a live event of another segment is delivered as soon as with none."""
    platform.configure(batch='{ size = 1, timeout = "100ms" }')
    segments = range(1_000, 1_000 + MANY)
    for segment in segments[::10]:
        platform.has(segment, "a", "b")
    work = Work(platform)
    names = [platform.ask(segment, accept_removals=10, accept_adds=10) for segment in segments]
    until(work.round, lambda: f"{len(work.runs.open())} runs are open", PATIENCE + MANY, every=0)
    assert {work.runs.read(name)["outcome"] for name in names[:1000]} == {"done"}
    assert work.open <= OPEN_AT_MOST
    assert len(work.waits) > work.rounds / EVERY / 2
    assert max(work.waits) <= SOON, work.waits
    assert all(platform.rows(segment) == {"a", "b"} for segment in segments[::10][:100])


@pytest.mark.proof
@pytest.mark.long
@pytest.mark.timeout(300 + REQUESTS // 50)
@pytest.mark.parametrize("target", ["sqlite"], indirect=True)
def test_requests_without_number_that_are_all_due_hold_up_no_live_event(platform: Platform) -> None:
    """Some hundred rounds of it: runs end, one after the other, and whoever waits is looked at by nobody.

    Rounds tell of what goes before what, and nothing of a round that takes long: so what Redis does in it is counted.
    """
    platform.configure(batch='{ size = 1, timeout = "100ms" }')
    work, redis = Work(platform), platform.job.installation.redis
    for segment in range(1_000, 1_000 + REQUESTS):
        platform.ask(segment)
    keys = work.runs._lanes.keys
    assert redis.zcount(keys.runs_waiting, "-inf", redis.time()[0] * 1000 + 1_000) == REQUESTS
    before, sent = sum(commands(redis).values()), answered(redis)
    for _ in range(ROUNDS):
        work.round()
    assert (sum(commands(redis).values()) - before) / ROUNDS < COMMANDS
    assert (answered(redis) - sent) / ROUNDS < ANSWERED
    assert work.open <= OPEN_AT_MOST
    assert len(work.waits) > ROUNDS / EVERY / 2
    assert max(work.waits) <= SOON, work.waits
    left = redis.zcard(keys.runs_waiting) + redis.zcard(keys.runs)
    assert REQUESTS - ROUNDS < left < REQUESTS - ROUNDS / 10, "so many have come to their ends, and no more"
