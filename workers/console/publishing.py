"""Publishing a revision from a page, as `segsync apply` does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from workers.control import apply as applying
from workers.errors import WrongUsage
from workers.settings import revision

if TYPE_CHECKING:
    from starlette.responses import Response

    from workers.console.visit import Visit
    from workers.control.apply import ApplyPlan

BASIS: Final = "basis"
"""The field of a form that names the revision which its reader saw."""
_NUMBER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)


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
