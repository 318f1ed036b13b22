"""Publishing a revision from a page, as `segsync apply` does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workers.console.failures import NotAllowed
from workers.console.viewers import Role
from workers.control import apply as applying
from workers.errors import WrongUsage
from workers.lanes.answers import number_of
from workers.settings import load, revision

if TYPE_CHECKING:
    from starlette.responses import Response

    from workers.console.visit import Visit
    from workers.control.apply import ApplyPlan
    from workers.settings import Settings

BASIS: Final = "basis"
"""The field of a form that names the revision which its reader saw."""
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
    site = visit.site
    basis = visit.field(BASIS)
    if not _NUMBER.fullmatch(basis):
        raise WrongUsage(f"{BASIS} {basis[:40]!r}: expected the revision that the form was read with")
    revision.check_basis(plan.before, int(basis))
    report = applying.carry_out(site.redis, site.keys, plan, by=visit.viewer.name, basis=int(basis))
    said = f"revision {report.revision} is applied" if report.changed else "no change: nothing was published"
    left = "".join(f"\n{key} got more meanwhile and is orphaned: it owes {owed:,}" for key, owed in report.left.items())
    return visit.go(then, said + left)


def meant(visit: Visit, key: str) -> None:
    """Whether somebody typed the key of what is to be removed; WrongUsage."""
    typed = visit.field("confirm")
    if typed != key:
        raise WrongUsage(f"{typed[:80]!r} was typed; expected {key!r}, which is to be removed: nothing was done")
