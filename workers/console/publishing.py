"""Publishing a revision from a page, as `segsync apply` does."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from redis import RedisError

from workers.console.failures import NotAllowed, sentence
from workers.console.viewers import Role
from workers.console.visit import place
from workers.control import apply as applying
from workers.control.acting import Actor, record
from workers.control.entrusting import refuse_own_databases
from workers.control.leaving import leaving_by, staying
from workers.errors import WrongUsage
from workers.lanes.answers import number_of
from workers.settings import load, revision
from workers.settings.spelling import counted

if TYPE_CHECKING:
    from starlette.responses import Response

    from workers.console.site import Site
    from workers.console.visit import Visit
    from workers.control.apply import ApplyPlan, Report
    from workers.settings import Settings

BASIS: Final = "basis"
"""The field of a form that names the revision which its reader saw."""
DRAIN_SECONDS: Final = 3.0
"""How long a browser waits for what is drained; it is drained anyhow."""
_NUMBER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Base:
    """The configuration that a form changes: what is applied, or this process's file where nothing is."""

    text: str
    revision: int
    settings: Settings


def base_of(visit: Visit) -> Base:
    """What a form changes; NotAllowed where the console may not edit. SettingsError, redis.RedisError."""
    site = visit.site
    if not site.edit:
        raise NotAllowed(Role.EDITOR, edits=True)
    number = number_of(site.redis.hget(site.keys.config, "revision"))
    settings = site.runtime().applied.settings if number else load(site.runtime().local.path)
    return Base(settings.published(), number or 0, settings)


def publish(visit: Visit, plan: ApplyPlan, then: str) -> Response:
    """Carries a plan out and goes to a page; Superseded where another revision came since the form was read."""
    site, basis = visit.site, _basis(visit, plan)
    refuse_own_databases(plan)
    report = applying.carry_out(site.redis, site.keys, plan, by=visit.viewer.name, basis=basis)
    return visit.go(then, said_of(report, plan))


def _basis(visit: Visit, plan: ApplyPlan) -> int:
    """The revision that the form was read with; WrongUsage, Superseded."""
    basis = visit.field(BASIS)
    if not _NUMBER.fullmatch(basis):
        raise WrongUsage(f"{BASIS} {basis[:40]!r}: expected the revision that the form was read with")
    revision.check_basis(plan.before, int(basis))
    return int(basis)


def drain(visit: Visit, plan: ApplyPlan, key: str) -> Response:
    """The same for an integration that leaves when it owes nothing; where that takes longer, it is waited for."""
    client = visit.request.client
    who = Actor(visit.viewer.name, "console", client.host if client else "")
    report = begin_to_drain(visit.site, plan, key, who, _basis(visit, plan))
    if report is None:
        return visit.go(place("integrations", key), f"{key} gets nothing new, and leaves when it owes nothing")
    return visit.go("/", said_of(report, plan))


def begin_to_drain(site: Site, plan: ApplyPlan, key: str, who: Actor, basis: int | None) -> Report | None:
    """Carries a plan out that drains one integration; None where that takes longer, and then it is waited for.

    basis  the revision that the plan was made from; None: over any

    What came to nothing later is written down. StillDraining, and what `apply.carry_out` raises.
    """

    def failed(error: Exception) -> None:
        with suppress(RedisError):
            record(site.redis, site.keys, who, "apply", key, reason=plan.note, failed=sentence(error))

    return site.drains.begin(
        key,
        lambda: applying.carry_out(site.redis, site.keys, plan, by=who.name, basis=basis),
        failed,
        DRAIN_SECONDS,
    )


def said_of(report: Report, plan: ApplyPlan) -> str:
    """What came of it, in a sentence; another where people stay in an ad account's audiences."""
    said = f"revision {report.revision} is applied" if report.changed else "no change: nothing was published"
    dropped = "".join(f"\n{counted(d.operations, 'operation')} of {d.key} thrown away" for d in report.dropped)
    left = "".join(f"\n{key} got more meanwhile and is orphaned: it owes {owed:,}" for key, owed in report.left.items())
    return said + dropped + left + "".join(f"\n{line}" for line in staying(leaving_by(plan)))


def meant(visit: Visit, key: str) -> None:
    """Whether somebody typed the key of what is to be removed; WrongUsage."""
    typed = visit.field("confirm")
    if typed != key:
        raise WrongUsage(f"{typed[:80]!r} was typed; expected {key!r}, which is to be removed: nothing was done")
