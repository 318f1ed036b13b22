"""Each stage of the way by itself, in one warm process, beside the bare driver: pushing, routing, delivering.

What a stage takes says where time goes; how well they run side by side, only `workers` says.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from tests.bench import bare
from tests.bench.delivering import SIZE, BenchInstallation, installed
from tests.bench.measuring import Ratio, timed
from tests.model import profiles
from workers.delivery.turn import NothingDue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.servers import Servers

DIALECT = "postgresql"
ROUNDS = 5
Event = dict[str, Any]


def loads() -> dict[str, tuple[list[Event], int]]:
    """Events, and integrations that want each."""
    chance = random.Random(7)
    return {
        "40,000 events of one profile": ([_event("add", 1, n) for n in range(40_000)], 1),
        "40,000 events, 1,000 segments in turn": (
            [
                _event("add" if chance.random() < 0.7 else "remove", n % 1_000, chance.randrange(10_000))
                for n in range(40_000)
            ],
            1,
        ),
        "40 events of 1,000 profiles": (
            [_event("add", 1, *range(n * 1_000, n * 1_000 + 1_000)) for n in range(40)],
            1,
        ),
        "1,000 segments of one event": ([_event("add", n, n) for n in range(1_000)], 1),
        "4,000 events, 10 integrations": ([_event("add", 1, n) for n in range(4_000)], 10),
    }


def _event(kind: str, segment: int, *keys: int) -> Event:
    return {"type": kind, "segment": {"id": segment}, "profiles": profiles(*keys)}


def ratios(servers: Servers) -> Iterator[Ratio]:
    """Each stage's seconds beside the driver's for the same rows, for every load."""
    for what, (events, copies) in loads().items():
        push, route, deliver, alone = _seconds(servers, events, copies)
        both = tuple(one + other for one, other in zip(route, deliver, strict=True))
        for stage, seconds in (("push", push), ("route", route), ("deliver", deliver), ("route, deliver", both)):
            yield Ratio(f"{what}: {stage}", seconds, alone)


def _seconds(servers: Servers, events: list[Event], copies: int) -> Iterator[tuple[float, ...]]:
    wanted = bare.transactions(events, DIALECT, SIZE) * copies
    with installed(servers, DIALECT, copies=copies) as installation:
        found = [_round(installation, servers, events, wanted) for _ in range(ROUNDS + 1)]
    # Those of the first round, which pays for what is done once, are left out.
    yield from zip(*found[1:], strict=True)


def _round(
    installation: BenchInstallation, servers: Servers, events: list[Event], wanted: list[bare.Transaction]
) -> tuple[float, float, float, float]:
    installation.target.run("DELETE FROM member")
    push = timed(lambda: installation.producer.push(events))
    route = timed(lambda: _route(installation))
    deliver = timed(lambda: _deliver(installation))
    installation.kept_runtime.drain_outcomes(60)
    with servers.target(DIALECT) as target:
        return push, route, deliver, bare.seconds(target, wanted)


def _route(installation: BenchInstallation) -> None:
    while installation.redis.xlen(installation.keys.events):
        installation.kept_runtime.route("bench", 60)


def _deliver(installation: BenchInstallation) -> None:
    while installation.backlog():
        result = installation.kept_runtime.deliver("crm", "bench", 60)
        assert isinstance(result, NothingDue), result
