"""docs/scaling.md: what one router, one Redis and one deliverer carry, and what so many events a second need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.report.figures import Figures


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of load, by the workload that stands for it."""

    workload: str
    text: str


KINDS = (
    Kind("a", "(a) one busy segment, events of one profile: batches are full"),
    Kind("b", "(b) 1,000 segments in turn, events of one profile"),
    Kind("c", "(c) events of 1,000 profiles, which are what is counted"),
    Kind("d", "(d) each event in a segment of its own: a batch, a COMMIT for each"),
)
PARTS = {"route": "one router", "deliver": "one core of deliverers", "redis": "one Redis", "postgresql": "the target"}
RATES = (1_000, 10_000, 50_000)
"""Events a second of the sizing table."""
FULL = 0.8
"""A core that is busier than that queues."""


def capacity(figures: Figures) -> Iterator[str]:
    """Both tables, as Markdown."""
    yield f"From the run of {figures.about['date']} on {figures.about['machine']}."
    if warning := figures.about.get("warning"):
        yield f"**{warning}**"
    yield "\nEvents a second that a full core of each would carry: the measured rate, by the cores that it took.\n"
    yield f"| load | {' | '.join(PARTS.values())} |"
    yield f"|---|{'---|' * len(PARTS)}"
    known = [kind for kind in KINDS if figures.median(f"{kind.workload}.segsync.rate")]
    for kind in known:
        yield f"| {kind.text} | {' | '.join(_carried(figures, kind, part) for part in PARTS)} |"
    if figures.median("i.1.rate"):
        batches = ", ".join(f"{figures.median(f'i.{count}.rate'):.0f} of {count}" for count in (1, 2, 4))
        yield f"\nA connector whose every statement takes 50 ms more, batches a second by processes: {batches}."
    yield "\nCores for so many events a second that one integration wants; for more of them, all but the router's times"
    yield "so many. These are straight lines through what was measured: beyond one core of the router or of Redis they"
    yield "are no forecast, but say that one installation does not do.\n"
    yield "| events/s | load | router | deliverers | Redis | target | |"
    yield "|---|---|---|---|---|---|---|"
    for rate in RATES:
        for kind in known:
            cores = {part: _cores(figures, kind, part) * rate for part in PARTS}
            full = [name for part, name in (("route", "the router"), ("redis", "Redis")) if cores[part] > FULL]
            said = f"too much for {' and for '.join(full)}" if full else "one installation"
            yield f"| {rate:,} | {kind.text} | {' | '.join(f'{each:.2f}' for each in cores.values())} | {said} |"


def _cores(figures: Figures, kind: Kind, part: str) -> float:
    """That an event a second takes."""
    rate, cores = (figures.median(f"{kind.workload}.{name}") for name in ("segsync.rate", f"cores.{part}"))
    return (cores or 0.0) / rate if rate else 0.0


def _carried(figures: Figures, kind: Kind, part: str) -> str:
    cores = _cores(figures, kind, part)
    return f"{1 / cores:,.0f}" if cores else ""
