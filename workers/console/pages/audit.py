"""The audit log: who has had what done, by a command, here or through the API."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from workers.console.pages.period import USUAL, PickedPeriod
from workers.console.routes import PageRoute
from workers.console.viewers import Role
from workers.errors import SegsyncError
from workers.ledger.past_acts import list_acts

if TYPE_CHECKING:
    from starlette.responses import Response

    from workers.console.routes import Act
    from workers.console.visit import Visit

LISTED: Final = 200
"""Acts on the page, the newest."""
PATIENCE_SECONDS: Final = 2.0
"""How long a browser waits for acts that are on their way to the ledger."""


def show(visit: Visit) -> Response:
    """As `segsync audit`; `target` of the query leaves out what was done to others."""
    period, target = PickedPeriod.of(visit.query, since="7d"), visit.query.get("target", "").strip()
    with suppress(SegsyncError):  # nothing is applied, or the ledger is away: the look itself says so
        visit.site.runtime().drain_outcomes(PATIENCE_SECONDS)
    found = list_acts(visit.site.ledger(), period.since, period.until, target=target or None, limit=LISTED)
    return visit.page("audit.html", acts=found, period=period, usual=USUAL, target=target, most=LISTED)


PAGES: Final = (PageRoute("/audit", show, role=Role.OPERATOR),)
ACTS: Final[tuple[Act, ...]] = ()
