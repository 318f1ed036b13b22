"""One integration: what it does and what stops it, its statistics and errors, and the toggle."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from workers.console import open_runs
from workers.console.pages.measures import by_event_type, charts, words
from workers.console.pages.period import USUAL, PickedPeriod
from workers.console.routes import Act, PageRoute
from workers.console.viewers import Role
from workers.console.visit import place
from workers.control import apply as applying
from workers.control import pause as pausing
from workers.control import removing
from workers.control import retry as retrying
from workers.control.leaving_integrations import is_draining
from workers.control.pause import NotSettled, known_integration
from workers.ledger import statistics
from workers.ledger.errors import LedgerError
from workers.monitoring.lane_list import read_near
from workers.settings.spelling import counted

if TYPE_CHECKING:
    from markupsafe import Markup
    from starlette.responses import Response

    from workers.console.pages.measures import Sum
    from workers.console.visit import Visit
    from workers.ledger.statistics import ErrorRow

PAUSE_SECONDS: Final = 5.0
"""How long a browser waits for the batch in flight; the pause stands anyhow."""
CAUSES_SHOWN: Final = 30
"""Causes of errors on the page, the newest."""


@dataclass(slots=True)
class Measured:
    """What the ledger has of an integration in a period; `trouble` says why it has nothing."""

    sums: dict[str, Sum] = field(default_factory=dict)
    charts: list[Markup] = field(default_factory=list)
    words: str = ""
    causes: list[ErrorRow] = field(default_factory=list)
    trouble: str = ""


def show(visit: Visit) -> Response:
    """The page; `since`, `until` and `tz` of the query are those of the statistics."""
    key, runtime = visit.path["key"], visit.site.runtime()
    known_integration(runtime.redis, runtime.keys, key)
    period, table = PickedPeriod.of(visit.query), declared(visit, key)
    return visit.page(
        "integration.html",
        near=read_near(runtime, key, None),
        resyncs=open_runs.of_integration(runtime.redis, runtime.keys, key),
        measured=measure(visit, key, period),
        period=period,
        usual=USUAL,
        declared=table,
        leaves=is_draining(table),
        waited=key in visit.site.drains,
        at=place("integrations", key),
    )


def measure(visit: Visit, key: str, period: PickedPeriod) -> Measured:
    """What the ledger has; why not, where it is away."""
    try:
        ledger = visit.site.ledger()
        rows = statistics.stats(ledger, period.since, period.until, key)
        causes = statistics.errors(ledger, period.since, key, until=period.until)
    except LedgerError as error:
        return Measured(trouble=str(error))
    return Measured(by_event_type(rows), charts(rows, period), words(rows), causes[:CAUSES_SHOWN])


def declared(visit: Visit, key: str) -> dict[str, Any]:
    """The integration's table as it was applied; {} where it is not any more."""
    published = json.loads(visit.site.runtime().applied.settings.published())
    found: dict[str, Any] = published.get("integrations", {}).get(key, {})
    return found


def pause(visit: Visit) -> Response:
    """As `segsync pause`."""
    key, runtime = visit.path["key"], visit.site.runtime()
    try:
        new = pausing.pause(
            runtime.redis,
            runtime.keys,
            key,
            reason=visit.field("reason"),
            by=visit.viewer.name,
            patience=PAUSE_SECONDS,
        )
        said = f"{key} is paused; its events are kept" if new else f"{key} was paused already; the reason is added"
    except NotSettled:
        said = f"{key} is paused: nothing new is begun, and the batch in flight is still being delivered"
    return visit.go(place("integrations", key), said)


def resume(visit: Visit) -> Response:
    """As `segsync resume`."""
    key, runtime = visit.path["key"], visit.site.runtime()
    was_paused = pausing.resume(runtime.redis, runtime.keys, key)
    return visit.go(place("integrations", key), f"{key} goes on" if was_paused else f"{key} was not paused")


def retry(visit: Visit) -> Response:
    """As `segsync retry`."""
    key, runtime = visit.path["key"], visit.site.runtime()
    sooner = retrying.retry(runtime.redis, runtime.keys, key)
    lanes = counted(sooner.lanes, "lane")
    said = f"{key} is tried at once: {sooner.holds:,} held or out of reach, {lanes} that failed"
    return visit.go(place("integrations", key), said)


def stay(visit: Visit) -> Response:
    """As `segsync apply` of a file that has it again: one that is being drained gets its scope back."""
    site, key = visit.site, visit.path["key"]
    plan = removing.plan_staying(site.redis, site.keys, key, site.runtime().local)
    basis = plan.before.revision if plan.before else 0
    report = applying.carry_out(site.redis, site.keys, plan, by=visit.viewer.name, basis=basis)
    return visit.go(place("integrations", key), f"{key} stays: revision {report.revision} is applied")


PAGES: Final = (PageRoute("/integrations/{key}", show, live=True),)
ACTS: Final = (
    Act("/integrations/{key}/pause", "pause", pause),
    Act("/integrations/{key}/resume", "resume", resume),
    Act("/integrations/{key}/retry", "retry", retry),
    Act("/integrations/{key}/stay", "apply", stay, role=Role.EDITOR, edits=True),
)
