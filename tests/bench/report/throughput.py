"""(a), (b), (c): from a filled intake to rows, everybody in turn, round by round."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from tests.bench.report import loads
from tests.bench.report.contest import serve
from tests.bench.report.drivers import Bare, Copy
from tests.bench.report.ours import Ours
from tests.bench.report.places import place
from tests.bench.rivals.loaders import Dlt, Singer
from tests.bench.rivals.rsyslog import Rsyslog
from tests.bench.rivals.services import CeleryBatches, CeleryEach, PlainLoop
from tests.bench.rivals.venvs import NotInstallableError
from tests.waiting import TimedOut

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.report.figures import Figures
    from tests.bench.report.loads import Load
    from tests.bench.report.sizes import Sizes
    from tests.bench.servers import Servers

OURS, BARE = "segsync", "bare"
CONTESTANTS: dict[str, Callable[[], Any]] = {
    "copy": Copy,
    BARE: Bare,
    OURS: Ours,
    "loop": PlainLoop,
    "batches": CeleryBatches,
    "celery": CeleryEach,
    "dlt": Dlt,
    "singer": Singer,
    "rsyslog": Rsyslog,
}
MAKERS: dict[str, Callable[[int], Load]] = {"a": loads.hot, "b": loads.spread, "c": loads.large}
ADDS_ONLY = {"copy", "dlt", "singer", "rsyslog"}
"""As they are configured here, they know no removes, so they do not run in (b)."""


def measure(workload: str, servers: Servers, sizes: Sizes, rounds: int, figures: Figures) -> None:
    """Notes each one's rate and what share of the bare driver's it is, and how many times faster segsync is."""
    load = MAKERS[workload](sizes.events)
    known = [key for key in CONTESTANTS if not (workload == "b" and key in ADDS_ONLY)]
    for turn in range(rounds):
        first = turn % len(known)
        for key in known[first:] + known[:first]:  # nobody always comes after the same one
            if f"{workload}.{key}" in figures.missing:
                continue
            mine = load.first(sizes.rivals[key]) if key in sizes.rivals else load
            try:
                _run(workload, key, servers, mine, figures)
            except (NotInstallableError, TimedOut, RuntimeError) as error:
                figures.missing[f"{workload}.{key}"] = str(error).splitlines()[0]
                sys.stderr.write(f"({workload}) {key}: {error}\n")
    for key in known:
        figures.relate(f"{workload}.{key}.of_bare", f"{workload}.{key}.rate", f"{workload}.{BARE}.rate")
        figures.relate(f"{workload}.over.{key}", f"{workload}.{OURS}.rate", f"{workload}.{key}.rate")


def _run(workload: str, key: str, servers: Servers, load: Load, figures: Figures) -> None:
    if key == OURS:
        watched(workload, servers, load, figures)
        return
    contestant = CONTESTANTS[key]()
    with place(servers) as where:
        if hasattr(contestant, "run"):
            seconds = contestant.run(where, load)
        else:
            try:
                seconds = serve(contestant, where, load)
            finally:
                contestant.stop()
        figures.note(f"{workload}.{key}.rate", load.operations / seconds)
        figures.check(f"{workload}.{key}", load.wrong(where.target))


def watched(workload: str, servers: Servers, load: Load, figures: Figures) -> float:
    """Seconds that segsync took; notes its rate, and how many cores each worker, Redis and the target kept busy."""
    ours = Ours()
    looks: list[dict[str, float]] = []
    with place(servers) as where:
        try:
            seconds = serve(ours, where, load, lambda: looks.append(ours.spent(servers)))
        finally:
            ours.stop()
        figures.check(f"{workload}.{OURS}", load.wrong(where.target))
    figures.busy(workload, looks[0], looks[1], seconds)
    figures.note(f"{workload}.{OURS}.rate", load.operations / seconds)
    return seconds
