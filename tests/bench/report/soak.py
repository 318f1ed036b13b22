"""(h): minutes at half the top speed; what each process, and Redis, keeps in memory meanwhile."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tests.bench.report.ours import Ours
from tests.bench.report.places import place
from tests.bench.report.processes import family, resident_bytes
from tests.model import Model, profiles
from tests.waiting import until

if TYPE_CHECKING:
    from tests.bench.report.figures import Figures
    from tests.bench.report.sizes import Sizes
    from tests.bench.servers import Servers

SEGMENTS = 10
KEYS = 100_000
"""Rows of the table, so that it stops growing; later adds change what is there."""
TICK_S = 0.1
EVERY_S = 5.0
"""Between two looks at the memory, which take a moment themselves."""
FIRST_MINUTE_S = 60.0
LEFT_S = 300.0
"""Delivering what is left afterwards; more is a system that cannot keep up at half of its own speed."""
Looks = list[tuple[float, dict[str, int]]]


def measure(servers: Servers, sizes: Sizes, figures: Figures) -> None:
    """Notes, in MB, the most of the first minute and the most after it, and how much that has grown."""
    top = figures.median("a.segsync.rate") or 10_000.0
    ours, model = Ours(), Model()
    with place(servers) as where:
        try:
            ours.start(where)
            looks, rate = _push(ours, model, int(top / 2 * TICK_S), sizes.soak_s)
            waiting = ours.installation.redis.xlen(ours.installation.keys.events)
            figures.note("h.behind", ours.installation.backlog() + waiting)
            figures.note("h.rate", rate)
            _note(looks, min(FIRST_MINUTE_S, sizes.soak_s / 2), figures)
            until(ours.idle, "what is left", LEFT_S)
            figures.check("h", len(model.members ^ where.target.members()))
        finally:
            ours.stop()


def _note(looks: Looks, first_s: float, figures: Figures) -> None:
    grown = []
    for name in looks[0][1]:
        early = max(memory[name] for at, memory in looks if at <= first_s) / 1e6
        late = max(memory[name] for at, memory in looks if at > first_s) / 1e6
        figures.note(f"h.{name}.first_mb", early)
        figures.note(f"h.{name}.later_mb", late)
        grown.append(late / early)
    figures.note("h.grown", max(grown))


def _push(ours: Ours, model: Model, at_once: int, seconds: int) -> tuple[Looks, float]:
    """Pushes at the pace; the memory meanwhile, and how many events a second it came to."""
    producer = ours.installation.producer
    looks: Looks = []
    started = time.perf_counter()
    number, looked = 0, 0.0
    for tick in range(int(seconds / TICK_S)):
        time.sleep(max(0.0, started + tick * TICK_S - time.perf_counter()))
        events = [_event(number + each) for each in range(at_once)]
        producer.push(events)
        if number < KEYS:
            model.apply(events)
        number += at_once
        if (at := time.perf_counter() - started) - looked >= EVERY_S or not looks:
            looked = at
            looks.append((at, memory(ours)))
    took = time.perf_counter() - started
    looks.append((took, memory(ours)))
    return looks, number / took


def _event(number: int) -> dict[str, Any]:
    key = number % KEYS
    return {"type": "add", "segment": {"id": key % SEGMENTS}, "profiles": profiles(f"C-{key}")}


def memory(ours: Ours) -> dict[str, int]:
    """Bytes of each worker with its children, of beat and of Redis's data."""
    found = {name: sum(map(resident_bytes, family(each.pid))) for name, each in ours.workers.items()}
    return found | {"redis": int(ours.installation.redis.info("memory")["used_memory"])}
