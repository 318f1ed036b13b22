"""What segsync wants to reach, as ratios in one run on two cores with everything on them; and why it has not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.bench.report.figures import Figures


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal.

    figure   whose median it is about
    text     what it is, for people
    bound    the number to reach; at least so much, or with `most` at most
    reason   why it is not reached, found by measuring; names of figures in braces are replaced by their medians
    """

    figure: str
    text: str
    bound: float
    most: bool = False
    reason: str = ""
    shown: str = "{:.2f}"

    def reached(self, value: float) -> bool:
        """Whether it is."""
        return value <= self.bound if self.most else value >= self.bound

    @property
    def wanted(self) -> str:
        """The bound, in words."""
        return f"at {'most' if self.most else 'least'} {self.shown.format(self.bound)}"


CORES = (
    "of two cores, the router's worker took {a.cores.route:.2f}, the deliverers' {a.cores.deliver:.2f},"
    " PostgreSQL {a.cores.postgresql:.2f}, Redis {a.cores.redis:.2f}; the bare driver has the machine alone"
)
FEW_CORES = "{i.1.rate:.1f} batches a second by one, {i.2.rate:.1f} by two, {i.4.rate:.1f} by four, on two cores"
GOALS = (
    Goal(
        "lane.postgresql.of_bare", "delivering a filled lane, PostgreSQL, of the bare driver", 0.90,
        reason="one process reads, decodes, cuts and renders, and waits while the target works",
    ),
    Goal(
        "lane.mysql.of_bare", "the same, MariaDB", 0.90,
        reason="as above; MariaDB takes less time for a row, so that what Python takes weighs more",
    ),
    Goal("a.segsync.of_bare", "(a) one hot segment, of the bare driver", 0.7, reason=CORES),
    Goal(
        "a.over.celery", "(a) times Celery with a task for each event", 75, shown="{:.0f}",
        reason="it carries {a.celery.rate:,.0f} rows/s; what is missing is missing in segsync's own rate, as above",
    ),
    Goal(
        "a.over.batches", "(a) times celery-batches", 60, shown="{:.0f}",
        reason="it carries {a.batches.rate:,.0f} rows/s, since its worker's main process handles each message; what is"
        " missing is missing in segsync's own rate, as above",
    ),
    Goal(
        "a.over.loop", "(a) times the plain loop", 1, shown="{:.1f}",
        reason="the loop has no lanes, no scopes, no record of what was delivered: it reads, decodes once and writes",
    ),
    Goal("a.over.dlt", "(a) times dlt", 1, shown="{:.1f}"),
    Goal("a.over.singer", "(a) times the Singer target", 1, shown="{:.1f}"),
    Goal("a.over.rsyslog", "(a) times rsyslog", 1, shown="{:.1f}"),
    Goal(
        "b.segsync.of_bare", "(b) 1,000 segments, adds and removes mixed, of the bare driver", 0.4,
        reason="an event in each lane in turn is a chunk of its own: Redis took {b.cores.redis:.2f} of a core,"
        " the router's worker {b.cores.route:.2f}, the deliverers' {b.cores.deliver:.2f}",
    ),
    Goal(
        "c.segsync.of_bare", "(c) events of 1,000 profiles, of the bare driver", 0.85,
        reason="one lane has one deliverer, which took {c.cores.deliver:.2f} of a core while PostgreSQL took"
        " {c.cores.postgresql:.2f}: they take turns",
    ),
    Goal(
        "d.seconds_of_100000", "(d) seconds for 100,000 segments with one event each, all due at once", 30, most=True,
        shown="{:.0f}",
        reason="50 of them share a transaction, but each has its claim, its lock, its statement and its settlement: the"
        " deliverers' worker took {d.cores.deliver:.2f} of a core, Redis {d.cores.redis:.2f}, PostgreSQL"
        " {d.cores.postgresql:.2f}; the bare driver alone makes {d.bare.rate:.0f} transactions of one a second",
    ),
    Goal(
        "e.of_a", "(e) one event wanted by 10 integrations, for each row, of (a)", 0.8,
        reason="each row is cut, rendered, committed and settled like one of (a); only reading the event is shared",
    ),
    Goal(
        "f.latency.p50_ms", "(f) push to visible at 2,000 events/s, median, ms", 100, most=True, shown="{:.0f}",
        reason="a batch of 100 fills in 50 ms at this rate; to it come routing, a claim, the COMMIT and the look",
    ),
    Goal(
        "f.latency.p99_ms", "(f) the same, 99th percentile, ms", 400, most=True, shown="{:.0f}",
        reason="meanwhile the workers took {f.cores.route:.2f} and {f.cores.deliver:.2f} of a core, PostgreSQL"
        " {f.cores.postgresql:.2f}, and the one who pushes and looks the rest",
    ),
    Goal(
        "f.lateness.p99_ms", "(f) lateness of the timeout, 99th percentile, ms", 500, most=True, shown="{:.0f}",
        reason="half of them were late by {f.lateness.p50_ms:.0f} ms or less",
    ),
    Goal(
        "g.kept", "(g) what a fast target keeps of its rate beside a slow one", 0.90,
        reason="the slow one's worker took {g.beside.cores.slow:.2f} of a core, and all share two",
    ),
    Goal(
        "h.grown", "(h) memory: the most after the first minute, of the most within it; the worst process", 1.05,
        most=True,
        reason="MB of the workers, first and later: route {h.route.first_mb:.0f} and {h.route.later_mb:.0f}, deliver"
        " {h.deliver.first_mb:.0f} and {h.deliver.later_mb:.0f}, upkeep {h.upkeep.first_mb:.0f} and"
        " {h.upkeep.later_mb:.0f}; Redis {h.redis.first_mb:.1f} and {h.redis.later_mb:.1f}",
    ),
    Goal("i.2.linear", "(i) two workers, of linear", 0.8, reason=FEW_CORES),
    Goal("i.4.linear", "(i) four workers, of linear", 0.8, reason=FEW_CORES),
    Goal(
        "j.many.percent.most", "(j) the busiest idle process with many idle lanes, % of a core", 1, most=True,
        shown="{:.1f}",
        reason="Celery's own timers, heartbeats and task events are in it; beat takes {j.many.percent.beat:.1f},"
        " the router's worker {j.many.percent.route:.1f}, Redis {j.many.percent.redis:.1f}",
    ),
    Goal(
        "push.segsync.rate", "events/s pushed by one Python producer", 100_000, shown="{:,.0f}",
        reason="every event is checked and written as JSON while Redis takes those before it; bytes that are ready, by"
        " XADD in pipelines and unchecked, came to {push.raw.rate:,.0f}",
    ),
    Goal(
        "bytes.lane_of_json", "a filled lane's bytes, of the profiles' JSON", 1.2, most=True,
        reason="{bytes.lane_of_one:.0f} bytes for {bytes.json:.0f} of JSON where events have one profile,"
        " {bytes.lane_of_1000:.0f} where they have 1,000: beside its JSON each operation has its sequence and its kind",
    ),
)  # fmt: skip


def told(goal: Goal, figures: Figures) -> str:
    """Its reason, with the medians in it; a figure that was not measured is a question mark."""

    def filled(found: re.Match[str]) -> str:
        value = figures.median(found[1])
        return "?" if value is None else f"{value:{found[2] or ''}}"

    return re.sub(r"\{([\w.]+)(?::([^}]*))?\}", filled, goal.reason)
