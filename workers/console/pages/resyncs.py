"""Resyncs: what makes a segment's rows equal to the platform again, how far each run is, and saying yes or no."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers.console.open_runs import view
from workers.console.routes import Act, PageRoute
from workers.console.run_filter import OPEN, STATES, RunFilter
from workers.console.visit import place
from workers.control import resync as control
from workers.control.pause import known_integration
from workers.control.resync import CONFIRMABLE
from workers.errors import WrongUsage
from workers.lanes.runs import ResyncRuns
from workers.ledger.errors import LedgerError
from workers.resync.run import ResyncRun
from workers.settings.spelling import counted

if TYPE_CHECKING:
    from starlette.responses import Response

    from workers.console.visit import Visit
    from workers.outcomes import Resynced
    from workers.runtime import Runtime

SHOWN: Final = 50
"""Runs that are open, and runs that have ended, on the page."""


def form(visit: Visit) -> Response:
    """The form for one integration."""
    key, runtime = visit.path["key"], visit.site.runtime()
    known_integration(runtime.redis, runtime.keys, key)
    integration = runtime.applied.settings.integrations.get(key)
    return visit.page(
        "resync.html",
        key=key,
        at=place("integrations", key),
        integration=integration,
        needed=runtime.redis.scard(runtime.keys.resync(key)),
        sources=sorted(runtime.applied.settings.sources),
        segment=visit.query.get("segment", ""),
        which=visit.query.get("which", ""),
    )


def ask(visit: Visit) -> Response:
    """As `segsync resync`."""
    return _asked(visit, "resync")


def verify(visit: Visit) -> Response:
    """As `segsync verify`: compares, and changes nothing."""
    return _asked(visit, "verify")


def _asked(visit: Visit, kind: str) -> Response:
    key, runtime, which = visit.path["key"], visit.site.runtime(), visit.field("which", "named")
    named = visit.field("segments").replace(",", " ").split()
    if which == "named" and not named:
        raise WrongUsage("no segment is named; expected at least one id")
    segments = control.few_segments_of(
        runtime, key, named if which == "named" else (), every=which == "all", needed=which == "needed"
    )
    asked = control.ask(runtime, key, segments, visit.viewer.name, kind)
    return visit.go("/resyncs", f"{counted(len(asked), 'run')} asked for" if asked else "no such segment")


def show(visit: Visit) -> Response:
    """Those that are open, and those that ended last, as `integration`, `segment` and `state` of the query say."""
    runtime, query = visit.site.runtime(), visit.query
    wanted = RunFilter.of(*(query.get(name) or None for name in ("integration", "segment", "state")))
    runs = ResyncRuns(runtime.lanes)
    found = [*_asking(runtime, runs, wanted), *wanted.find_open(runs, runtime.redis, runtime.keys, SHOWN + 1)]
    ended: list[Resynced] = []
    trouble = ""
    try:
        ended = wanted.find_ended(visit.site.ledger(), SHOWN)
    except LedgerError as error:
        trouble = str(error)
    return visit.page(
        "resyncs.html",
        runs=[view(run) for run in found[:SHOWN]],
        more=len(found) > SHOWN,
        most=SHOWN,
        open=runtime.redis.zcard(runtime.keys.runs) + runtime.redis.zcard(runtime.keys.runs_waiting),
        ended=ended,
        trouble=trouble,
        query=query,
        states=STATES,
    )


def _asking(runtime: Runtime, runs: ResyncRuns, wanted: RunFilter) -> list[ResyncRun]:
    """Those that wait for a person's word, which is an end to the ledger."""
    names = (name.decode() for name in runtime.redis.hvals(runtime.keys.runs_asking))  # type: ignore[union-attr]
    found = [run for name in names if (run := ResyncRun.read(runs.read(name))) is not None]
    state = OPEN if wanted.state == OPEN else CONFIRMABLE
    return [run for run in found if wanted.fits(run.integration, run.segment, state)]


def confirm(visit: Visit) -> Response:
    """As `segsync resync --confirm`: the numbers are those that were read."""
    accept = f"removals={visit.required('removals')},adds={visit.required('adds')}"
    run, before = control.confirm(visit.site.runtime(), visit.path["run"], accept, visit.viewer.name)
    return visit.go("/resyncs", f"run {run} begins in place of run {before.id}")


def cancel(visit: Visit) -> Response:
    """As `segsync resync --cancel`."""
    runtime, name = visit.site.runtime(), visit.path["run"]
    is_open = control.cancel(runtime, name, visit.viewer.name)
    said = f"run {name} ends; what it has changed stays" if is_open else f"run {name} was over"
    return visit.go("/resyncs", said)


PAGES: Final = (PageRoute("/integrations/{key}/resync", form), PageRoute("/resyncs", show, live=True))
ACTS: Final = (
    Act("/integrations/{key}/resync", "resync", ask),
    Act("/integrations/{key}/verify", "verify", verify),
    Act("/resyncs/{run}/confirm", "resync --confirm", confirm, on="run"),
    Act("/resyncs/{run}/cancel", "resync --cancel", cancel, on="run"),
)
