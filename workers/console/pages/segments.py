"""Segments: what is known of each, who follows it, and what it is owed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers.console.routes import PageRoute
from workers.console.segments import find_segments, read_segment
from workers.ledger.errors import LedgerError
from workers.ledger.runs import runs

if TYPE_CHECKING:
    from starlette.responses import Response

    from workers.console.routes import Act
    from workers.console.visit import Visit

DELIVERIES: Final = 20
"""Of a segment, the newest, on its page."""


def show(visit: Visit) -> Response:
    """A page of segments; `q` of the query is part of an id or a name, `after` where the page begins."""
    q, after = visit.query.get("q", "").strip(), visit.query.get("after", "0")
    cursor = int(after) if after.isdecimal() and after.isascii() and len(after) < 20 else 0  # noqa: PLR2004 - digits of a cursor
    return visit.page("segments.html", found=find_segments(visit.site.runtime(), q, cursor), q=q)


def one(visit: Visit) -> Response:
    """One segment, `id` of the query: no path, since a browser takes ".." in one for a way up."""
    segment_id = visit.query.get("id", "")
    found = read_segment(visit.site.runtime(), segment_id)
    try:
        last, trouble = runs(visit.site.ledger(), segment=segment_id, limit=DELIVERIES), ""
    except LedgerError as error:
        last, trouble = [], str(error)
    return visit.page("segment.html", found=found, segment=found.segment, runs=last, trouble=trouble)


PAGES: Final = (PageRoute("/segments", show), PageRoute("/segment", one, live=True))
ACTS: Final[tuple[Act, ...]] = ()
