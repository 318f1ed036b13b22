"""Many segments that need a resync at once: how soon others' events are visible meanwhile, and when they end.

SEGSYNC_BENCH_SEGMENTS says how many, 300 unless said; `python -m tests.bench.flagged MANY [PROCESSES]` does that once,
by workers for each queue, or by one worker for all of so many processes.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from tests.bench.measuring import Ratio, timed
from tests.bench.resyncing import LONG, at, latencies, platform, processor
from tests.bench.servers import Servers
from tests.waiting import SELDOM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.resyncing import Platform

SEGMENTS = int(os.environ.get("SEGSYNC_BENCH_SEGMENTS", "300"))
FIRST, LIVE, EACH, QUIET = 10_000, 400, 2, 20
FILL = "INSERT INTO membership SELECT s, n FROM generate_series({first}, {last}) s, generate_series(1, {each}) n"


def ratios(servers: Servers) -> Iterator[Ratio]:
    """Push to visible beside so many runs, beside none."""
    with platform(servers) as place:
        quiet, busy, seconds = _measure(place, SEGMENTS)
        for name, part in (("median", 0.5), ("95th percentile", 0.95), ("slowest", 1.0)):
            yield Ratio(
                f"push to visible, {name}: {len(busy)} beside {SEGMENTS:,} runs in {seconds:.0f} s, beside none",
                (at(busy, part),),
                (at(quiet, part),),
            )


def _measure(place: Platform, many: int) -> tuple[list[float], list[float], float]:
    """Latencies without, and with the runs; and how long these took."""
    place.target.run(FILL.format(first=FIRST, last=FIRST + many - 1, each=EACH), "VACUUM ANALYZE membership")
    quiet = latencies(place, LIVE, lambda done: done < QUIET)
    for segment in range(FIRST, FIRST + many):
        place.ask(segment)
    redis, keys = place.redis, place.keys
    busy: list[float] = []

    def run() -> None:
        busy.extend(latencies(place, LIVE + 1, lambda _: redis.exists(keys.runs, keys.runs_waiting)))
        place.wait(lambda: not place.backlog(), "all", LONG, seldom=SELDOM)

    seconds = timed(run)
    found = place.target.run(f"SELECT count(*) FROM member WHERE segment_id >= {FIRST}")[0][0]
    assert int(found) == EACH * many, found
    return quiet, busy, seconds


def main(many: int, processes: int = 0) -> None:
    """Tells what so many take."""
    with Servers() as servers, platform(servers, processes) as place:
        had = [processor(each) for each in place.processes]
        quiet, busy, seconds = _measure(place, many)
        took = [
            f"{each.log.stem} {processor(each) - before:.1f}" for each, before in zip(place.processes, had, strict=True)
        ]
        sys.stdout.write(f"{many:,} runs in {seconds:.1f} s; seconds of processor: {', '.join(took)}\n")
        sys.stdout.write(f"{len(busy)} events of another segment meanwhile, in ms:\n")
        for name, part in (("median", 0.5), ("95th percentile", 0.95), ("99th", 0.99), ("slowest", 1.0)):
            sys.stdout.write(f"{name:<18}{at(busy, part) * 1000:8.0f}, beside none {at(quiet, part) * 1000:8.0f}\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
