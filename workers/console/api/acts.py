"""What changes anything: each as the command of its name, and written down like it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from workers.console.api.bodies import Acceptance, Age, Named, Publication, Reason, WayBack, WhichEntries, WhichSegments
from workers.console.api.routes import ApiCall, ApiRoute, Nothing
from workers.console.purging import Purged, purge, told_purge
from workers.control import apply as applying
from workers.control import going_back
from workers.control import pause as pausing
from workers.control import quarantine as entries_control
from workers.control import resync as runs_control
from workers.control import retry as retrying
from workers.control.entrusting import refuse_own_databases
from workers.control.leaving import leaving_by
from workers.control.pause import NotSettled
from workers.control.retry import Sooner
from workers.errors import WrongUsage
from workers.quarantine import entries as quarantine
from workers.quarantine.entries import EntryDetail, Selection
from workers.quarantine.requeue import Requeued
from workers.settings import from_given, load, revision
from workers.settings.console import May
from workers.settings.entrusted import refuse_not_entrusted
from workers.settings.segment_ids import segment_id

if TYPE_CHECKING:
    import msgspec

    from workers.control.apply import ApplyPlan
    from workers.settings.differences import Difference

PAUSE_SECONDS: Final = 20.0
"""How long a call waits for the batch in flight; the pause stands anyhow."""
PATIENCE_SECONDS: Final = 10.0
"""How long a call waits for outcomes that are on their way to the ledger."""


@dataclass(frozen=True, slots=True)
class Changed:
    """changed: whether it was not so before; settled: whether no batch is in flight any more."""

    changed: bool
    settled: bool = True


@dataclass(frozen=True, slots=True)
class AskedRun:
    """A run that was asked for; fresh: whether it is a new one."""

    segment: str
    run: str
    fresh: bool


@dataclass(frozen=True, slots=True)
class Publishing:
    """What publishing came to, or would.

    revision  None for a dry run
    stays_in  by integration that leaves its ad account: that one, in whose audiences its people stay
    """

    revision: int | None
    changed: bool
    differences: list[Difference]
    stays_in: dict[str, str]


def _pause(call: ApiCall) -> Changed:
    runtime, key = call.site.runtime(), call.path["key"]
    try:
        new = pausing.pause(
            runtime.redis, runtime.keys, key, reason=call.body.reason, by=call.by, patience=PAUSE_SECONDS
        )
    except NotSettled:
        return Changed(changed=True, settled=False)
    return Changed(new)


def _resume(call: ApiCall) -> Changed:
    runtime = call.site.runtime()
    return Changed(pausing.resume(runtime.redis, runtime.keys, call.path["key"]))


def _retry(call: ApiCall) -> Sooner:
    runtime = call.site.runtime()
    return retrying.retry(runtime.redis, runtime.keys, call.body.name)


def _selection(which: WhichEntries, *, drop: bool) -> Selection:
    segment = None if which.segment is None else segment_id(str(which.segment))
    named = bool(which.integration or segment or which.code)
    if bool(which.ids) + named + which.all != 1 or (which.all and drop):
        expected = f"either ids, or integration, segment or code{'' if drop else ', or all'}"
        raise WrongUsage(f"which entries? expected {expected}")
    return Selection(tuple(which.ids), which.integration, which.code, segment=segment)


def _retry_entries(call: ApiCall) -> Requeued:
    which = _selection(call.body, drop=False)
    return entries_control.retry(call.site.runtime(), which, call.by, PATIENCE_SECONDS)


def _drop_entries(call: ApiCall) -> Requeued:
    which = _selection(call.body, drop=True)
    return entries_control.drop(call.site.runtime(), which, call.by, PATIENCE_SECONDS)


def _purge(call: ApiCall) -> Purged:
    return purge(call.site.ledger(), call.body.older_than)


def _told_entries(call: ApiCall) -> str:
    which, segment = call.body, None if call.body.segment is None else str(call.body.segment)
    return entries_control.words_of(Selection(tuple(which.ids), which.integration, which.code, segment=segment))


def _reveal(call: ApiCall) -> EntryDetail:
    """With its data; bytes come in base64."""
    return quarantine.show(call.site.ledger(), call.number_in_path("id"))


def _resync(call: ApiCall) -> list[AskedRun]:
    return _ask(call, "resync")


def _verify(call: ApiCall) -> list[AskedRun]:
    return _ask(call, "verify")


def _ask(call: ApiCall, kind: str) -> list[AskedRun]:
    runtime, which = call.site.runtime(), call.body
    named = [str(each) for each in which.segments]
    segments = runs_control.few_segments_of(runtime, which.integration, named, every=which.all, needed=which.needed)
    return [AskedRun(*each) for each in runs_control.ask(runtime, which.integration, segments, call.by, kind)]


def _confirm(call: ApiCall) -> AskedRun:
    given = {"removals": call.body.removals, "adds": call.body.adds}
    accept = ",".join(f"{name}={number}" for name, number in given.items() if number is not None)
    run, before = runs_control.confirm(call.site.runtime(), call.path["run"], accept, call.by)
    return AskedRun(before.segment, run, fresh=True)


def _cancel(call: ApiCall) -> Changed:
    runtime, run = call.site.runtime(), call.path["run"]
    return Changed(runs_control.cancel(runtime, run, call.by))


def _apply(call: ApiCall) -> Publishing:
    local, body = call.site.runtime().local, call.body
    redis, keys, basis = call.site.redis, call.site.keys, body.basis
    if body.configuration is None:
        settings = load(local.path)
    else:
        # A token that may edit is not one that may read secrets.
        compared = refuse_not_entrusted(redis, keys, body.configuration, "the configuration that was given")
        settings = from_given(body.configuration, local)
        basis = compared if basis is None else basis
    plan = applying.plan(redis, keys, settings, (), body.drop)
    if body.configuration is not None:
        refuse_own_databases(plan)
    return _publish(call, plan, basis, dry_run=body.dry_run)


def _rollback(call: ApiCall) -> Publishing:
    site, body = call.site, call.body
    number = call.number_in_path("number")
    plan = going_back.plan_back(site.redis, site.keys, site.runtime().local, number, drop=body.drop)
    seen = plan.before.revision if plan.before else 0
    return _publish(call, plan, seen if body.basis is None else body.basis, dry_run=body.dry_run)


def _publish(call: ApiCall, plan: ApplyPlan, basis: int | None, *, dry_run: bool) -> Publishing:
    redis, keys = call.site.redis, call.site.keys
    revision.check_basis(plan.before, basis)
    if dry_run:
        return Publishing(None, bool(plan.differences) or plan.before is None, plan.differences, leaving_by(plan))
    report = applying.carry_out(redis, keys, plan, by=call.by, basis=basis)
    return Publishing(report.revision, report.changed, plan.differences, leaving_by(plan))


def _post(path: str, name: str, words: str, do: Any, body: type[msgspec.Struct], **more: Any) -> ApiRoute:  # noqa: ANN401 - as ApiRoute has them
    may = more.pop("may", May.OPERATE)
    return ApiRoute("POST", path, name, words, do, may, body=body, kept=True, **more)


_EDIT: Final[dict[str, Any]] = {"may": May.EDIT, "answer": Publishing}
_RUNS: Final[dict[str, Any]] = {"answer": AskedRun, "many": True, "on": "integration"}

ACTING: Final = (
    _post(
        "/api/integrations/{key}/pause",
        "pause",
        "Stop its deliveries, and keep its events",
        _pause,
        Reason,
        on="key",
        answer=Changed,
    ),
    _post("/api/integrations/{key}/resume", "resume", "Let it go on", _resume, Reason, on="key", answer=Changed),
    _post("/api/retry", "retry", "Try at once what waits for its next try", _retry, Named, on="name", answer=Sooner),
    _post(
        "/api/quarantine/retry",
        "quarantine retry",
        "Send entries back through the intake",
        _retry_entries,
        WhichEntries,
        told=_told_entries,
        answer=Requeued,
    ),
    _post(
        "/api/quarantine/drop",
        "quarantine drop",
        "Give entries up",
        _drop_entries,
        WhichEntries,
        told=_told_entries,
        answer=Requeued,
    ),
    _post(
        "/api/quarantine/purge",
        "quarantine purge",
        "Delete for good what was resolved before then",
        _purge,
        Age,
        told=lambda call: told_purge(call.body.older_than),
        answer=Purged,
    ),
    _post(
        "/api/quarantine/{id}/reveal",
        "quarantine show",
        "One entry with its data, which is written down",
        _reveal,
        Reason,
        on="id",
        answer=EntryDetail,
    ),
    _post("/api/resync", "resync", "Make segments equal to the platform again", _resync, WhichSegments, **_RUNS),
    _post("/api/verify", "verify", "Ask what differs, and change nothing", _verify, WhichSegments, **_RUNS),
    _post(
        "/api/resyncs/{run}/confirm",
        "resync --confirm",
        "Say yes to a run that waits for it",
        _confirm,
        Acceptance,
        on="run",
        answer=AskedRun,
    ),
    _post("/api/resyncs/{run}/cancel", "resync --cancel", "End a run", _cancel, Nothing, on="run", answer=Changed),
    _post("/api/apply", "apply", "Publish a configuration", _apply, Publication, **_EDIT),
    _post(
        "/api/revisions/{number}/rollback",
        "rollback",
        "Apply an earlier revision once more",
        _rollback,
        WayBack,
        on="number",
        **_EDIT,
    ),
)
