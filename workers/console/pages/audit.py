"""The audit log: who has had what done, by a command, here, or through the API."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from workers.console.pages.period import USUAL, PickedPeriod
from workers.console.routes import Act, PageRoute
from workers.console.viewers import Role
from workers.errors import SegsyncError
from workers.ledger.acts import list_acts

if TYPE_CHECKING:
    from starlette.responses import Response

    from workers.console.visit import Visit

LISTED: Final = 200
"""Acts on the page, the newest."""
PATIENCE_SECONDS: Final = 2.0
"""How long a browser waits for acts that are on their way to the ledger."""


def show(visit: Visit) -> Response:
    """`of` of the query leaves out what was done to something else; `since` and `tz` say of which time."""
    period = PickedPeriod.of(visit.query, "30d")
    with suppress(SegsyncError):  # nothing is applied, or the ledger is away: the look itself says so
        visit.site.runtime().drain_outcomes(PATIENCE_SECONDS)
    of = visit.query.get("of") or None
    found = list_acts(visit.site.ledger(), period.since, period.until, target=of, limit=LISTED)
    return visit.page("audit.html", acts=found, period=period, usual=USUAL, of=of or "", most=LISTED)


PAGES: Final = (PageRoute("/audit", show, role=Role.OPERATOR),)
ACTS: Final[tuple[Act, ...]] = ()
