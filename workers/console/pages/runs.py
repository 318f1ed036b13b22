"""Runs: single deliveries, the newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers.console.pages.period import USUAL, PickedPeriod
from workers.console.routes import PageRoute
from workers.ledger import runs as deliveries
from workers.settings.segment_ids import segment_id_if_any

if TYPE_CHECKING:
    from starlette.responses import Response

    from workers.console.routes import Act
    from workers.console.visit import Visit

LISTED: Final = 100
"""Deliveries on the page."""


def show(visit: Visit) -> Response:
    """`integration`, `segment` and `failed` of the query leave out runs, `since`, `until` and `tz` other times."""
    query, period = visit.query, PickedPeriod.of(visit.query)
    found = deliveries.runs(
        visit.site.ledger(),
        integration=query.get("integration") or None,
        segment=segment_id_if_any(query.get("segment") or None),
        since=period.since,
        until=period.until,
        failed=bool(query.get("failed")),
        limit=LISTED,
    )
    return visit.page("runs.html", runs=found, period=period, usual=USUAL, query=query, most=LISTED)


PAGES: Final = (PageRoute("/runs", show, live=True),)
ACTS: Final[tuple[Act, ...]] = ()
