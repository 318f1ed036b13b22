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
    Goal("a.over.celery", "(a) times Celery with a task for each event", 75, shown="{:.0f}"),
    Goal("a.over.batches", "(a) times celery-batches", 60, shown="{:.0f}"),
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
        reason="a claim, a transaction with a COMMIT and a settlement for each: the deliverers' worker took"
        " {d.cores.deliver:.2f} of a core, Redis {d.cores.redis:.2f}, PostgreSQL {d.cores.postgresql:.2f}; the bare"
        " driver alone makes {d.bare.rate:.0f} such transactions a second",
    ),
    Goal("e.of_a", "(e) one event wanted by 10 integrations, for each row, of (a)", 0.8),
    Goal("f.latency.p50_ms", "(f) push to visible at 2,000 events/s, median, ms", 100, most=True, shown="{:.0f}"),
    Goal("f.latency.p99_ms", "(f) the same, 99th percentile, ms", 400, most=True, shown="{:.0f}"),
    Goal("f.lateness.p99_ms", "(f) lateness of the timeout, 99th percentile, ms", 500, most=True, shown="{:.0f}"),
    Goal("g.kept", "(g) what a fast target keeps of its rate beside a slow one", 0.90),
    Goal("h.grown", "(h) memory after the first minute, of its most, worst process", 1.05, most=True),
    Goal("i.2.linear", "(i) two workers, of linear", 0.8),
    Goal("i.4.linear", "(i) four workers, of linear", 0.8),
    Goal(
        "j.many.percent.most", "(j) an idle process with a million idle lanes, % of a core, the busiest", 1, most=True,
        shown="{:.1f}",
        reason="Celery's own timers, heartbeats and task events are in it; beat takes {j.many.percent.beat:.1f},"
        " the router's worker {j.many.percent.route:.1f}, Redis {j.many.percent.redis:.1f}",
    ),
    Goal(
        "push.segsync.rate", "events/s pushed by one Python producer", 100_000, shown="{:,.0f}",
        reason="every event is checked and written as JSON before it is sent; bytes that are ready, by XADD in"
        " pipelines and unchecked, came to {push.raw.rate:,.0f}",
    ),
    Goal("bytes.lane_of_json", "a filled lane's bytes, of the profiles' JSON", 1.2, most=True),
)  # fmt: skip


def told(goal: Goal, figures: Figures) -> str:
    """Its reason, with the medians in it; a figure that was not measured is a question mark."""

    def filled(found: re.Match[str]) -> str:
        value = figures.median(found[1])
        return "?" if value is None else f"{value:{found[2] or ''}}"

    return re.sub(r"\{([\w.]+)(?::([^}]*))?\}", filled, goal.reason)
