"""Publishing a revision from a page, as `segsync apply` does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers.control import apply as applying
from workers.control.apply import ApplyRefused
from workers.lanes.answers import number_of

if TYPE_CHECKING:
    from starlette.responses import Response

    from workers.console.visit import Visit
    from workers.control.apply import ApplyPlan

BASIS: Final = "basis"
"""The field of a form that names the revision which its reader saw."""


def publish(visit: Visit, plan: ApplyPlan, then: str) -> Response:
    """Carries a plan out and goes to a page; ApplyRefused where another revision came since the form was read."""
    site = visit.site
    basis = visit.field(BASIS)
    applied = number_of(site.redis.hget(site.keys.config, "revision"))
    if basis != str(applied or 0):
        raise ApplyRefused(
            f"revision {applied} was applied since this page was opened; nothing was published. Look at the difference "
            "again"
        )
    report = applying.carry_out(site.redis, site.keys, plan, by=visit.viewer.name)
    said = f"revision {report.revision} is applied" if report.changed else "no change: nothing was published"
    left = "".join(f"\n{key} got more meanwhile and is orphaned: it owes {owed:,}" for key, owed in report.left.items())
    return visit.go(then, said + left)
