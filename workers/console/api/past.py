"""What was done and what failed, as the ledger has it, and runs of resyncs, also those that are open."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from workers.console.api.looking import INTEGRATION, LIMIT, SEGMENT, SINCE, get, integration_of, segment_of, time_of
from workers.console.api.routes import ApiCall, Parameter
from workers.console.run_filter import STATES, RunFilter
from workers.lanes.runs import ResyncRuns
from workers.ledger import runs as deliveries
from workers.ledger import statistics
from workers.ledger.periods import way
from workers.ledger.runs import DeliveryRun
from workers.ledger.statistics import ErrorRow, StatsRow
from workers.monitoring.periods import zone_of
from workers.resync.told_runs import EndedRun, ToldRun

if TYPE_CHECKING:
    from datetime import tzinfo


@dataclass(frozen=True, slots=True)
class ResyncPage:
    """Runs that are not over, those that have begun first, and those that ended last; of each as many as asked for."""

    open: list[ToldRun]
    ended: list[EndedRun]


def _zone(call: ApiCall) -> tzinfo:
    return zone_of(call.text("tz") or "UTC", "tz")


def _span(call: ApiCall) -> tuple[datetime, datetime]:
    now, zone = datetime.now(UTC), _zone(call)
    return time_of(call, "since", "24h", now, zone), time_of(call, "until", "now", now, zone)


def _stats(call: ApiCall) -> list[StatsRow]:
    since, until = _span(call)
    by = way(call.text("by") or "hour", "by")
    return statistics.stats(call.site.ledger(), since, until, integration_of(call), by=by, zone=_zone(call))


def _errors(call: ApiCall) -> list[ErrorRow]:
    since, until = _span(call)
    return statistics.errors(
        call.site.ledger(),
        since,
        integration_of(call),
        until=until,
        by=way(call.text("by") or "total", "by"),
        zone=_zone(call),
        event_type=call.text("event_type"),
    )


def _runs(call: ApiCall) -> list[DeliveryRun]:
    return deliveries.runs(
        call.site.ledger(),
        integration=integration_of(call),
        segment=segment_of(call),
        since=time_of(call, "since", "24h"),
        failed=call.flag("failed"),
        limit=call.number("limit", 50),
    )


def _resyncs(call: ApiCall) -> ResyncPage:
    runtime, most = call.site.runtime(), call.number("limit", 50)
    wanted = RunFilter.of(call.text("integration"), call.text("segment"), call.text("state"))
    found = wanted.find_open(ResyncRuns(runtime.lanes), runtime.redis, runtime.keys, most)
    return ResyncPage(
        [ToldRun.of(run, sees=call.sees) for run in found],
        [EndedRun.of(run) for run in wanted.find_ended(call.site.ledger(), most)],
    )


_UNTIL = Parameter("until", "until when, likewise; now unless said")
_TZ = Parameter("tz", "the zone of times without one, and of days; UTC unless said")
_STATS_BY = Parameter("by", "hour, day or total; hour unless said")
_ERRORS_BY = Parameter("by", "hour, day or total; total unless said")
_EVENT_TYPE = Parameter("event_type", f"only of this one: {', '.join(statistics.EVENT_TYPES)}")
_FAILED = Parameter("failed", "only tries that failed", "flag")
_STATE = Parameter("state", f"only of runs that are {', '.join(STATES)}")
_OF_STATS = SINCE, _UNTIL, _TZ, _STATS_BY, INTEGRATION
_OF_ERRORS = SINCE, _UNTIL, _TZ, _ERRORS_BY, INTEGRATION, _EVENT_TYPE
_OF_RUNS = SINCE, INTEGRATION, SEGMENT, _FAILED, LIMIT
_OF_RESYNCS = INTEGRATION, SEGMENT, _STATE, LIMIT

PAST: Final = (
    get("/api/stats", "stats", "What was done, by hour or day", _stats, StatsRow, many=True, query=_OF_STATS),
    get("/api/errors", "errors", "What failed, by cause", _errors, ErrorRow, many=True, query=_OF_ERRORS),
    get("/api/runs", "runs", "Single deliveries", _runs, DeliveryRun, many=True, query=_OF_RUNS),
    get("/api/resyncs", "resync --list", "Runs of resyncs", _resyncs, ResyncPage, query=_OF_RESYNCS),
)
