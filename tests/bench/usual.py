"""The fast ways of the usual event beside the general ones, in processor time: same process, same events, in turns."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from unittest.mock import patch

import segsync
from tests.bench.delivering import installed
from tests.bench.measuring import Ratio, compare
from tests.bench.report.loads import hot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bench.delivering import BenchInstallation
    from tests.bench.servers import Servers

EVENTS = 20_000
ROUNDS = 5


def ratios(servers: Servers) -> Iterator[Ratio]:
    """What a producer, the router and Redis take for one-profile events of one segment."""
    events = hot(EVENTS).events
    yield compare(
        f"{EVENTS:,} events: written, beside the general way",
        lambda: _processor(lambda: [segsync.payloads_of(event) for event in events]),
        lambda: _processor(lambda: [segsync._written(event) for event in events]),
        ROUNDS,
    )
    with installed(servers, "sqlite") as installation:

        def routed() -> float:
            installation.producer.push(events)
            return _processor(lambda: _route(installation))

        def routed_in_general() -> float:
            with (
                patch("workers.routing.router.usual", lambda _: None),
                patch("workers.routing.router.put_usual", lambda _load, _entries, _events, at, *_: at),
            ):
                return routed()

        yield compare(f"{EVENTS:,} events: routed, beside the general way", routed, routed_in_general, ROUNDS)

        def read() -> float:
            return _of_redis(installation, lambda: installation.kept_runtime.lanes.read(10_000))

        def read_by_script() -> float:
            with patch("workers.lanes.store.FIRST", 20_000):
                return read()

        installation.producer.push(events)
        yield compare("10,000 events: read, in Redis, beside a script", read, read_by_script, ROUNDS)


def _route(installation: BenchInstallation) -> None:
    while installation.redis.xlen(installation.keys.events):
        installation.kept_runtime.route("bench", 60)


def _processor(run: Callable[[], object]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


def _of_redis(installation: BenchInstallation, run: Callable[[], object]) -> float:
    """Seconds of a processor that Redis takes meanwhile."""
    before = _taken(installation)
    run()
    return _taken(installation) - before


def _taken(installation: BenchInstallation) -> float:
    info = installation.redis.info("cpu")
    return float(info["used_cpu_user"] + info["used_cpu_sys"])
