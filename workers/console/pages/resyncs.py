"""Resyncs: what makes a segment's rows equal to the platform again, how far each run is, and saying yes or no."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers.console.open_runs import view
from workers.console.routes import Act, PageRoute
from workers.console.visit import place
from workers.control import resync as control
from workers.control.pause import known_integration
from workers.errors import WrongUsage
from workers.lanes.runs import ResyncRuns
from workers.ledger.errors import LedgerError
from workers.ledger.resyncs import last_resyncs
from workers.resync.run import ResyncRun
from workers.settings.spelling import counted

if TYPE_CHECKING:
    from starlette.responses import Response

    from workers.console.visit import Visit
    from workers.outcomes import Resynced

SHOWN: Final = 50
"""Runs that are open, and runs that have ended, on the page."""
MOST_ASKED: Final = 1_000
"""Segments that one form may ask runs for."""


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
    segments = control.segments_of(
        runtime, key, named if which == "named" else (), every=which == "all", needed=which == "needed"
    )
    if len(segments) > MOST_ASKED:
        raise WrongUsage(f"these are {len(segments):,} segments; expected at most {MOST_ASKED:,} at once")
    for segment in segments:
        control.check_followed(runtime, key, segment)
    asked = control.ask(runtime, key, segments, visit.viewer.name, kind)
    return visit.go("/resyncs", f"{counted(len(asked), 'run')} asked for" if asked else "no such segment")


def show(visit: Visit) -> Response:
    """All that are open, and those that ended last."""
    runtime = visit.site.runtime()
    runs = ResyncRuns(runtime.lanes)
    names = runs.open()
    asking = [name.decode() for name in runtime.redis.hvals(runtime.keys.runs_asking)]  # type: ignore[union-attr]
    found = [run for name in [*asking, *names[:SHOWN]] if (run := ResyncRun.read(runs.read(name))) is not None]
    ended: list[Resynced] = []
    trouble = ""
    try:
        ended = last_resyncs(visit.site.ledger(), SHOWN)
    except LedgerError as error:
        trouble = str(error)
    views = [view(run) for run in found]
    return visit.page("resyncs.html", runs=views, more=len(names) - SHOWN, ended=ended, trouble=trouble)


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
