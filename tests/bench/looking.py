"""What a look costs Redis where there are many integrations and lanes: its own time, beside few of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.bench.measuring import Ratio
from tests.crowd import Crowd, script_seconds
from workers.lanes.messages import Release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bench.servers import Servers

FEW = (10, 10)
MANY = (1_000, 100)
"""Integrations, and lanes of each."""
FAR_MS = 2**45
RUNS = 100_000
"""Resyncs that were asked for and have not begun."""
ROUNDS = 10
LOOKS = 50


def ratios(servers: Servers) -> Iterator[Ratio]:
    """One tick and one claim with 1,000 integrations and 100,000 lanes, beside 10 and 100."""
    client = servers.redis.client()
    few, many = (Crowd(client, f"bench-{numbers[0]}", *numbers) for numbers in (FEW, MANY))
    for crowd in (few, many):
        crowd.warm_up()
    yield _compare("one tick with 1,000 integrations and 100,000 lanes, beside 10 and 100", many, few, _tick)
    yield _compare("one claim of the same", many, few, _claim)
    waiting = {str(number): FAR_MS + number for number in range(RUNS)}
    client.zadd(many.lanes.keys.runs_waiting, waiting)
    yield _compare("one tick with 100,000 resyncs that wait, too", many, few, _tick)
    client.flushall()
    client.close()


def _compare(what: str, many: Crowd, few: Crowd, look: Callable[[Crowd], float]) -> Ratio:
    pairs = [(look(many), look(few)) for _ in range(ROUNDS)]
    ours, other = zip(*pairs, strict=True)
    return Ratio(what, ours, other)


def _tick(crowd: Crowd) -> float:
    """Redis's seconds for one, of many in a row."""
    crowd.redis.config_resetstat()
    for _ in range(LOOKS):
        crowd.tick()
    return script_seconds(crowd.redis) / LOOKS


def _claim(crowd: Crowd) -> float:
    """The same; the lane is given back untried each time, which is not counted."""
    spent = 0.0
    for _ in range(LOOKS):
        crowd.redis.config_resetstat()
        claim: Any = crowd.claim()
        spent += script_seconds(crowd.redis)
        crowd.lanes.release(Release("i0000", "due", claim))
    return spent / LOOKS
