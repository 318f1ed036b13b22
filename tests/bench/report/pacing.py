"""(f): how long an event takes to be seen at 2,000 a second, and how late a batch is that waits for its timeout."""

from __future__ import annotations

import statistics
import threading
import time
from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from tests.bench.report import loads
from tests.bench.report.ours import Ours
from tests.bench.report.places import place
from tests.bench.rivals.services import PlainLoop
from tests.model import Model, profiles
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.report.contest import Place, Service
    from tests.bench.report.figures import Figures
    from tests.bench.report.sizes import Sizes
    from tests.bench.servers import Servers
    from tests.targets import TargetDatabase

    Push = Callable[[list[dict[str, Any]]], object]

RATE = 2_000
"""Events a second."""
AT_ONCE = 20
"""Events of one push."""
TIMEOUT_S = 1.0
PROBE_EVERY = 25
"""Pushes from one lone event, of a segment of its own, to the next."""
FIRST_PROBE = 1_000_000


class Watcher(threading.Thread):
    """Looks at the table all the time, over a link of its own, and notes when what was first seen."""

    def __init__(self, target: TargetDatabase) -> None:
        super().__init__(daemon=True)
        self._connection = target.connect()
        self.stopped = False
        self.looks: list[tuple[str, float]] = []
        self.probes: dict[int, float] = {}

    def run(self) -> None:
        """Until `stopped`."""
        cursor = self._connection.cursor()
        last = ""
        while not self.stopped:
            cursor.execute(f"SELECT max(client_id) FROM member WHERE segment_id = {loads.HOT}")
            found = cursor.fetchone()[0] or ""
            if found != last:
                last = found
                self.looks.append((found, time.perf_counter()))
            cursor.execute(f"SELECT segment_id FROM member WHERE segment_id > {FIRST_PROBE}")
            now = time.perf_counter()
            for (segment,) in cursor.fetchall():
                self.probes.setdefault(segment, now)
            time.sleep(0.002)
        self._connection.close()

    def seen(self, key: str) -> float:
        """When this key of the hot segment was there: its keys come in their order."""
        return self.looks[bisect_left(self.looks, (key, 0.0))][1]


def measure(servers: Servers, sizes: Sizes, figures: Figures) -> None:
    """Notes the halves and the hundredths of both, in milliseconds; and, beside them, how long the plain loop takes."""
    with place(servers) as where:
        batch = f'{{ size = 100, timeout = "{TIMEOUT_S:g}s" }}'
        ours = Ours(where.target.connector(parallelism=8) + where.target.integration(batch=batch))
        try:
            ours.start(where)
            before, began = ours.spent(servers), time.perf_counter()
            watcher, pushed, probed = _paced(ours, ours.installation.producer.push, where, sizes.pace_s, "f", figures)
            figures.busy("f", before, ours.spent(servers), time.perf_counter() - began)
        finally:
            ours.stop()
    _note(figures, "f.latency", [watcher.seen(key) - at for key, at in pushed.items()])
    _note(figures, "f.lateness", [watcher.probes[segment] - at - TIMEOUT_S for segment, at in probed.items()])
    with place(servers) as where:
        loop = PlainLoop()
        try:
            loop.start(where)
            watcher, pushed, _ = _paced(loop, loop.push, where, sizes.pace_s, "f.loop", figures)
        finally:
            loop.stop()
    _note(figures, "f.loop.latency", [watcher.seen(key) - at for key, at in pushed.items()])


def _paced(
    service: Service, push: Push, where: Place, seconds: int, name: str, figures: Figures
) -> tuple[Watcher, dict[str, float], dict[int, float]]:
    """Warms it up, and pushes at the pace: who has looked, and when each key, and each probe, was pushed."""
    push(loads.warm_up().events)
    until(lambda: service.rests() and where.target.members(), "what warms it up")
    where.target.run("DELETE FROM member")
    watcher = Watcher(where.target)
    watcher.start()
    pushed, probed, model = _push(push, seconds)
    until(service.idle, "what is left")
    until(lambda: len(watcher.probes) == len(probed) and watcher.looks[-1][0] == max(pushed), "the last of all")
    watcher.stopped = True
    watcher.join()
    figures.check(name, len(model.members ^ where.target.members()))
    return watcher, pushed, probed


def _push(push: Push, seconds: int) -> tuple[dict[str, float], dict[int, float], Model]:
    """Pushes at the pace; when each key, and each probe, was about to be pushed."""
    model = Model()
    pushed: dict[str, float] = {}
    probed: dict[int, float] = {}
    started = time.perf_counter()
    for turn in range(seconds * RATE // AT_ONCE):
        time.sleep(max(0.0, started + turn * AT_ONCE / RATE - time.perf_counter()))
        keys = [f"{turn * AT_ONCE + number:09d}" for number in range(AT_ONCE)]
        events = [{"type": "add", "segment": {"id": loads.HOT}, "profiles": profiles(key)} for key in keys]
        if turn % PROBE_EVERY == 0:
            segment = FIRST_PROBE + turn + 1
            events.append({"type": "add", "segment": {"id": segment}, "profiles": profiles("probe")})
        at = time.perf_counter()
        push(events)
        pushed |= dict.fromkeys(keys, at)
        if turn % PROBE_EVERY == 0:
            probed[segment] = at
        model.apply(events)
    return pushed, probed, model


def _note(figures: Figures, name: str, seconds: list[float]) -> None:
    hundredths = statistics.quantiles(seconds, n=100, method="inclusive")
    figures.note(f"{name}.p50_ms", hundredths[49] * 1_000)
    figures.note(f"{name}.p99_ms", hundredths[98] * 1_000)
