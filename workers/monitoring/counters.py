"""Counters and histograms for Prometheus, fed from what the ledger gets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from workers.ledger.tail import Tail

if TYPE_CHECKING:
    from workers.ledger.tail import Added

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Buckets of a delivery's own time: from a small batch to the statement's usual timeout."""
LATENCY_SECONDS: Final = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 90, 120, 300, 900, 3600)
"""Buckets from an event to its row: batches may wait for a minute, outages last longer."""


class Counted:
    """Counters and histograms of what the ledger got since this process began."""

    def __init__(self) -> None:
        self.tail = Tail()
        self.registry = CollectorRegistry()
        key, mine = ["integration"], self.registry
        self._tries = Counter("segsync_deliveries", "Tries of batches", [*key, "outcome"], registry=mine)
        self._operations = Counter("segsync_operations", "Operations of settled batches", [*key, "fate"], registry=mine)
        self._failures = Counter("segsync_failures", "Tries that failed, by cause", [*key, "code"], registry=mine)
        self._queries = Counter("segsync_queries", "Committed queries", [*key, "event_type"], registry=mine)
        rows = "Rows affected, as the driver counts them"
        self._rows = Counter("segsync_rows", rows, [*key, "event_type"], registry=mine)
        took = "A try of a batch"
        self._took = Histogram("segsync_delivery_duration_seconds", took, key, buckets=SECONDS, registry=mine)
        self._waited = Histogram(
            "segsync_delivery_latency_seconds",
            "From a batch's first event to its commit",
            key,
            buckets=LATENCY_SECONDS,
            registry=mine,
        )

    def add(self, added: Added) -> None:
        """Counts what is new."""
        for row in added.deliveries:
            key, delivered = row["integration"], row["outcome"] == "delivered"
            self._tries.labels(key, row["outcome"]).inc(row["tries"])
            if row["code"] and not delivered:
                self._failures.labels(key, row["code"]).inc(row["tries"])
            if delivered:
                self._count_fates(key, row)
            if row["tries"] == 1:  # several that were summed up have no duration of their own
                self._took.labels(key).observe(row["duration_us"] / 1e6)
                if delivered:
                    self._waited.labels(key).observe(row["waited_ms"] / 1e3)
        for row in added.queries:
            self._queries.labels(row["integration"], row["event_type"]).inc(row["runs"])
            self._rows.labels(row["integration"], row["event_type"]).inc(max(0, row["rows"]))

    def _count_fates(self, key: str, row: Any) -> None:  # noqa: ANN401 - SQLAlchemy's mapping
        aside = {name: row[name] for name in ("merged", "moot", "quarantined")}
        fates = aside | {"told": max(0, row["operations"] - sum(aside.values()))}
        for fate, many in fates.items():
            self._operations.labels(key, fate).inc(many)
