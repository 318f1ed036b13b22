"""Data transmitted: which data leaves for which target, from which fields of a profile, hashed how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers.console.routes import PageRoute
from workers.preflight.transmission import IN_WORDS, NAMES, transmissions

if TYPE_CHECKING:
    from starlette.responses import Response

    from workers.console.routes import Act
    from workers.console.visit import Visit
    from workers.preflight.transmission import Transmission

LISTED: Final = 100
"""Integrations on one page."""


def show(visit: Visit) -> Response:
    """As `segsync fields`; `q` of the query is a part of a field's or integration's name."""
    q = visit.query.get("q", "").strip().lower()
    found = [each for each in transmissions(visit.site.runtime().applied.settings) if not q or _fits(each, q)]
    return visit.page(
        "transmitted.html",
        listed=found[:LISTED],
        many=len(found),
        most=LISTED,
        manners=IN_WORDS,
        names=NAMES,
        q=visit.query.get("q", ""),
    )


def _fits(found: Transmission, q: str) -> bool:
    return q in found.key.lower() or any(q in sent.name.lower() for sent in found.transmitted)


PAGES: Final = (PageRoute("/transmitted", show),)
ACTS: Final[tuple[Act, ...]] = ()
