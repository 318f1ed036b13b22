"""What Prometheus reads: gauges from a look at the installation, counters from what the ledger got since the last one.

Names follow Prometheus' conventions (https://prometheus.io/docs/practices/naming/): base units, `_total` for what only
grows. No label holds anything of a profile or a segment. Counters begin at 0 when the process starts, as counters may;
Prometheus' `rate` and `increase` know that.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from redis import RedisError

from workers.errors import SegsyncError
from workers.lanes.answers import fields_of
from workers.monitoring import status
from workers.monitoring.counters import Counted
from workers.monitoring.server import read_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client import Metric

    from workers.monitoring.consumers import Consumers
    from workers.monitoring.whole import Status
    from workers.runtime import Runtime

STATES: Final = ("active", "draining", "paused", "held", "retrying", "waiting", "orphaned")
"""What an integration may be: each is a series, 1 for the one that holds."""
GAUGES: Final = {
    "segsync_up": "1 where Redis answers; 0 where it does not, and then nothing else is told",
    "segsync_ledger_up": "1 where the ledger answers",
    "segsync_needs": "Sentences of `segsync status` that need someone",
    "segsync_workers": "Celery workers that are there",
    "segsync_pulse_age_seconds": "Since any worker's pulse looked for work",
    "segsync_beat_age_seconds": "Since beat looked",
    "segsync_intake_events": "Events that wait to be routed",
    "segsync_intake_oldest_age_seconds": "Of the oldest of them",
    "segsync_outcomes_pending": "Outcomes that wait for the ledger",
    "segsync_outcomes_oldest_age_seconds": "Of the oldest of them",
    "segsync_revision": "Of the applied configuration",
    "segsync_redis_memory_used_bytes": "What Redis uses",
    "segsync_redis_memory_limit_bytes": "Its maxmemory; 0 for none",
    "segsync_intake_quarantine_entries": "Open entries that never reached an integration",
}
"""Of the whole installation."""
OF_QUEUE: Final = {"segsync_queue_consumers": "Workers that serve this queue"}
OF_CONNECTOR: Final = {
    "segsync_connector_circuit_open": "1 while the target is out of reach",
    "segsync_connector_held": "1 while the connector waits for someone",
}
OF_INTEGRATION: Final = {
    "segsync_backlog_operations": "Operations that it still owes",
    "segsync_backlog_limit_operations": "Its max_backlog; absent without one",
    "segsync_backlog_lanes": "Segments that it owes something",
    "segsync_backlog_oldest_age_seconds": "Since its oldest operation came in",
    "segsync_late_seconds": "How long its oldest operation is over its time",
    "segsync_quarantine_entries": "Open entries in the quarantine",
    "segsync_resync_segments": "Segments that were never told of all their members",
    "segsync_differing_segments": "Segments that the last verification found to differ from the platform",
    "segsync_failing_segments": "Segments whose last verification or resync failed",
}
OF_ACCOUNT: Final = {
    "segsync_ads_audiences": "Audiences of the ad account",
    "segsync_ads_owed_identifiers": "Identifiers that are not sent yet",
    "segsync_ads_pending_identifiers": "Identifiers on their way, or accepted and not known to be applied",
    "segsync_ads_budget_wait_seconds": "Until the ad account may be told of additions; 0 for now",
    "segsync_ads_login_end_timestamp_seconds": "When a person must consent again; absent for never",
}
OF_ACCOUNT_TOTALS: Final = {
    "segsync_ads_accepted_identifiers": "Identifiers that the platform took, since the store's beginning",
    "segsync_ads_applied_identifiers": "Of these, known to be applied",
    "segsync_ads_rejected_identifiers": "Identifiers that the platform refused",
    "segsync_ads_left_out_values": "Values that could not be normalised",
}
TOTALS: Final = {
    "segsync_unwanted_operations": "Operations that no integration wanted, since the installation's beginning",
    "segsync_dropped_operations": "Thrown away by when_full = drop, since the installation's beginning",
}


class Metrics:
    """A collector. Two scrapes at once are one after the other.

    consumers  asks Celery's workers, as for `status`
    """

    def __init__(self, runtime: Runtime, consumers: Callable[[], Consumers] | None) -> None:
        self._runtime = runtime
        self._consumers = consumers
        self._lock = threading.Lock()
        self._counted = Counted()

    def collect(self) -> Iterator[Metric]:
        """All that is known now."""
        with self._lock:
            found = [*self._gauges(), *self._counts()]
        yield from found

    def _gauges(self) -> Iterator[Metric]:
        try:
            runtime = self._runtime
            if runtime.is_behind():
                runtime.follow()
            now = status.read(runtime, self._consumers, patience=0)
            server = read_server(runtime.redis, runtime.keys)
            connectors = _connectors(runtime)
        except (RedisError, SegsyncError):
            yield GaugeMetricFamily("segsync_up", GAUGES["segsync_up"], value=0)
            return
        memory = {"segsync_redis_memory_used_bytes": server.used, "segsync_redis_memory_limit_bytes": server.limit}
        for name, value in (_of_all(now) | memory).items():
            if value is not None:
                yield GaugeMetricFamily(name, GAUGES[name], value=float(value))
        yield _family("segsync_queue_consumers", OF_QUEUE, "queue", ((q.name, q.consumers) for q in now.queues))
        for name in OF_CONNECTOR:
            yield _family(name, OF_CONNECTOR, "connector", ((key, facts[name]) for key, facts in connectors.items()))
        yield from _of_integrations(now)
        yield from _of_accounts(now)

    def _counts(self) -> Iterator[Metric]:
        with suppress(RedisError, SegsyncError):  # segsync_ledger_up says so; what was counted stays
            self._counted.add(self._counted.tail.read(self._runtime.ledger))
        yield from self._counted.registry.collect()


def _of_all(now: Status) -> dict[str, float | int | None]:
    of_intake = None if now.quarantine is None else now.quarantine - sum(i.quarantine or 0 for i in now.integrations)
    return {
        "segsync_up": 1,
        "segsync_ledger_up": int(not now.ledger_is_dead),
        "segsync_needs": len(now.needs),
        "segsync_workers": now.workers,
        "segsync_pulse_age_seconds": now.pulse_age_s,
        "segsync_beat_age_seconds": now.beat_age_s,
        "segsync_intake_events": now.intake.events,
        "segsync_intake_oldest_age_seconds": now.intake.oldest_age_s or 0,
        "segsync_outcomes_pending": now.outcomes.events,
        "segsync_outcomes_oldest_age_seconds": now.outcomes.oldest_age_s or 0,
        "segsync_revision": now.revision,
        "segsync_intake_quarantine_entries": of_intake,
    }


def _of_integrations(now: Status) -> Iterator[Metric]:
    values: dict[str, Callable[[Any], float | None]] = {
        "segsync_backlog_operations": lambda each: each.backlog,
        "segsync_backlog_limit_operations": lambda each: each.max_backlog,
        "segsync_backlog_lanes": lambda each: each.lanes,
        "segsync_backlog_oldest_age_seconds": lambda each: each.oldest_age_s or 0,
        "segsync_late_seconds": lambda each: each.late_s,
        "segsync_quarantine_entries": lambda each: each.quarantine,
        "segsync_resync_segments": lambda each: each.needs_resync,
        "segsync_differing_segments": lambda each: each.differing,
        "segsync_failing_segments": lambda each: each.failing,
    }
    for name, value in values.items():
        yield _family(name, OF_INTEGRATION, "integration", ((each.key, value(each)) for each in now.integrations))
    state = GaugeMetricFamily("segsync_integration_state", "1 for the state it is in", labels=["integration", "state"])
    for each in now.integrations:
        for name in STATES:
            state.add_metric([each.key, name], float(each.state == name))
    yield state
    yield CounterMetricFamily("segsync_unwanted_operations", TOTALS["segsync_unwanted_operations"], value=now.unwanted)
    name = "segsync_dropped_operations"
    dropped = CounterMetricFamily(name, TOTALS[name], labels=["integration"])
    for each in now.integrations:
        dropped.add_metric([each.key], each.dropped)
    yield dropped


def _of_accounts(now: Status) -> Iterator[Metric]:
    if not now.accounts:
        return
    gauges: dict[str, Callable[[Any], float | None]] = {
        "segsync_ads_audiences": lambda each: each.audiences,
        "segsync_ads_owed_identifiers": lambda each: each.owed,
        "segsync_ads_pending_identifiers": lambda each: each.pending,
        "segsync_ads_budget_wait_seconds": lambda each: each.budget_in_s,
        "segsync_ads_login_end_timestamp_seconds": lambda each: each.login_ends and each.login_ends.timestamp(),
    }
    for name, value in gauges.items():
        yield _family(name, OF_ACCOUNT, "connector", ((each.connector, value(each)) for each in now.accounts))
    waiting = GaugeMetricFamily("segsync_ads_waiting_audiences", "Audiences that wait", labels=["connector", "for"])
    for each in now.accounts:
        for what, many in each.waiting.items():
            waiting.add_metric([each.connector, what], many)
    yield waiting
    totals: dict[str, Callable[[Any], float]] = {
        "segsync_ads_accepted_identifiers": lambda each: each.accepted,
        "segsync_ads_applied_identifiers": lambda each: each.applied,
        "segsync_ads_rejected_identifiers": lambda each: each.rejected,
        "segsync_ads_left_out_values": lambda each: each.left_out,
    }
    for name, value_of in totals.items():
        total = CounterMetricFamily(name, OF_ACCOUNT_TOTALS[name], labels=["connector"])
        for each in now.accounts:
            total.add_metric([each.connector], value_of(each))
        yield total


def _family(
    name: str, names: dict[str, str], label: str, values: Iterable[tuple[str, float | None]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, names[name], labels=[label])
    for key, value in values:
        if value is not None:
            family.add_metric([key], float(value))
    return family


def _connectors(runtime: Runtime) -> dict[str, dict[str, float]]:
    found = {}
    for key in sorted(runtime.applied.settings.connectors):
        fields = fields_of(runtime.redis, runtime.keys.connector(key))
        is_open, is_held = float("open_until" in fields), float("hold" in fields)
        found[key] = {"segsync_connector_circuit_open": is_open, "segsync_connector_held": is_held}
    return found
