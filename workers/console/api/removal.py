"""Taking an integration out of what is applied by its key, asking how far that is, and taking it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workers.console.api.bodies import Reason, WayOut
from workers.console.api.routes import ApiCall, ApiRoute
from workers.console.failures import sentence
from workers.console.publishing import begin_to_drain
from workers.control import apply as applying
from workers.control import removing
from workers.control.acting import Actor
from workers.control.leaving import account_of
from workers.settings import revision
from workers.settings.console import May

if TYPE_CHECKING:
    from workers.control.apply import Report


@dataclass(frozen=True, slots=True)
class RemovalState:
    """How far an integration is on its way out.

    state       "applied": nobody removes it; "draining": it gets nothing new, and leaves when it owes nothing;
                "removed"
    owes        operations
    dropped     operations that this call has thrown away
    waited_for  whether this console takes it out when it owes nothing; where not, ask for it once more
    failed      why the last wait of this console for it came to nothing; "" where it did not
    revision    that is applied
    stays_in    the ad account in whose audiences its people stay when it is out, as nothing takes them out then; ""
                for an integration of a database
    """

    key: str
    state: str
    owes: int
    dropped: int
    waited_for: bool
    failed: str
    revision: int
    stays_in: str = ""


def _state(call: ApiCall) -> RemovalState:
    return _told(call)


def _told(call: ApiCall, report: Report | None = None) -> RemovalState:
    site, key = call.site, call.path["key"]
    waited_for, failure = key in site.drains, site.drains.failure(key)
    found = removing.removal(site.redis, site.keys, key)
    dropped = sum(each.operations for each in report.dropped) if report else 0
    failed = sentence(failure) if failure else ""
    stays_in = account_of(site.redis, site.keys, key)
    return RemovalState(key, found.state, found.owes, dropped, waited_for, failed, found.revision, stays_in)


def _remove(call: ApiCall) -> RemovalState:
    site, key, body = call.site, call.path["key"], call.body
    redis, keys = site.redis, site.keys
    found = revision.published(redis, keys)
    base, basis = (found.text, found.revision) if found else ("{}", 0)
    note = f"without {key}, by the API"
    plan = removing.plan_without(redis, keys, base, key, body.how, site.runtime().local, note=note)
    wanted = basis if body.basis is None else body.basis
    revision.check_basis(plan.before, wanted)
    if plan.drain:
        return _told(call, begin_to_drain(site, plan, key, Actor(call.by, "api", call.address), wanted))
    return _told(call, applying.carry_out(redis, keys, plan, by=call.by, basis=wanted))


def _stay(call: ApiCall) -> RemovalState:
    site, key = call.site, call.path["key"]
    plan = removing.plan_staying(site.redis, site.keys, key, site.runtime().local)
    basis = plan.before.revision if plan.before else 0
    applying.carry_out(site.redis, site.keys, plan, by=call.by, basis=basis)
    return _told(call)


REMOVING: Final = (
    ApiRoute(
        "POST",
        "/api/integrations/{key}/remove",
        "apply",
        "Take it out of what is applied; what it owes is delivered first, or thrown away",
        _remove,
        May.EDIT,
        RemovalState,
        body=WayOut,
        on="key",
        kept=True,
    ),
    ApiRoute(
        "GET",
        "/api/integrations/{key}/remove",
        "status",
        "How far its removal is",
        _state,
        May.READ,
        RemovalState,
    ),
    ApiRoute(
        "POST",
        "/api/integrations/{key}/stay",
        "apply",
        "Give one that is being drained its scope back",
        _stay,
        May.EDIT,
        RemovalState,
        body=Reason,
        on="key",
        kept=True,
    ),
)
