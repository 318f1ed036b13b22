"""Statistics of an integration as a page shows them: sums by event type, and charts over time."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workers.console.charts import ChartBar, bars
from workers.settings.spelling import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from markupsafe import Markup

    from workers.console.pages.period import PickedPeriod
    from workers.ledger.statistics import StatsRow


@dataclass(slots=True)
class Sum:
    """What one event type came to; `slowest` is the highest of the hours' 95th percentiles, in milliseconds."""

    queries: int = 0
    statements: int = 0
    rows: int = 0
    profiles: int = 0
    retries: int = 0
    failures: int = 0
    quarantined: int = 0
    slowest: int | None = None


def by_event_type(rows: Iterable[StatsRow]) -> dict[str, Sum]:
    """The sums; what failed before any query ran is under ""."""
    found: dict[str, Sum] = defaultdict(Sum)
    for row in rows:
        each = found[row.event_type or ""]
        for name in ("queries", "statements", "rows", "profiles", "retries", "failures", "quarantined"):
            setattr(each, name, getattr(each, name) + getattr(row, name))
        if row.latency_p95_ms is not None:
            each.slowest = max(each.slowest or 0, row.latency_p95_ms)
    return {kind: each for kind, each in sorted(found.items()) if each != Sum()}


def charts(rows: Sequence[StatsRow], period: PickedPeriod) -> list[Markup]:
    """Queries, rows, failures and latency over the period."""
    return [
        _chart("Successful queries", rows, period, _queries),
        _chart("Rows", rows, period, lambda row: [("rows", row.rows)]),
        _chart("Retries, failures and quarantined", rows, period, _failures),
        _latency(rows, period),
    ]


def _queries(row: StatsRow) -> list[tuple[str, int]]:
    return [("removed" if row.event_type == "remove" else "told", row.queries)]


def _failures(row: StatsRow) -> list[tuple[str, int]]:
    return [("retries", row.retries), ("failures", row.failures), ("quarantined", row.quarantined)]


def _chart(
    name: str, rows: Sequence[StatsRow], period: PickedPeriod, parts: Callable[[StatsRow], Iterable[tuple[str, int]]]
) -> Markup:
    sums: dict[object, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for row in rows:
        for kind, many in parts(row):
            sums[period.bucket(row.hour)][kind] += many
    found = []
    for begin in period.buckets():
        here = sums.get(begin, {})
        words = ", ".join(f"{int(many):,} {kind}" for kind, many in here.items() if many) or "nothing"
        found.append(ChartBar(f"{period.spell(begin)}: {words}", [*here.items()]))
    return bars(name, found)


def _latency(rows: Sequence[StatsRow], period: PickedPeriod) -> Markup:
    slowest: dict[object, int] = defaultdict(int)
    for row in rows:
        if row.latency_p95_ms is not None:
            begin = period.bucket(row.hour)
            slowest[begin] = max(slowest[begin], row.latency_p95_ms)
    found = [
        ChartBar(f"{period.spell(begin)}: {slowest[begin] / 1000:.2f} s", [("latency", slowest[begin] / 1000)])
        for begin in period.buckets()
    ]
    return bars("Latency, 95th percentile", found, " s")


def words(rows: Iterable[StatsRow]) -> str:
    """All of it in one sentence."""
    every = list(rows)
    queries, affected = sum(row.queries for row in every), sum(row.rows for row in every)
    failures, retries = sum(row.failures for row in every), sum(row.retries for row in every)
    return (
        f"{counted(queries, 'successful query', 'successful queries')}, {counted(affected, 'row')}; "
        f"{counted(retries, 'retry', 'retries')}, {failures:,} failed"
    )
