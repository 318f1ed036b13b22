"""Data transmitted: which fields of a profile leave for which target, hashed how; as `segsync fields` tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers.console.routes import PageRoute
from workers.preflight.transmission import in_words, transmissions

if TYPE_CHECKING:
    from starlette.responses import Response

    from workers.console.routes import Act
    from workers.console.visit import Visit
    from workers.preflight.transmission import Transmission

LISTED: Final = 100
"""Integrations on one page."""


def show(visit: Visit) -> Response:
    """`q` of the query is a part of a field's or integration's name."""
    settings, q = visit.site.runtime().applied.settings, visit.query.get("q", "").strip().lower()
    fitting = [each for each in transmissions(settings) if not q or _fits(each, q)]
    listed = [(each, [*map(in_words, each.transmitted)]) for each in fitting[:LISTED]]
    return visit.page(
        "transmitted.html",
        listed=listed,
        many=len(fitting),
        most=LISTED,
        q=visit.query.get("q", ""),
    )


def _fits(each: Transmission, q: str) -> bool:
    return q in each.key.lower() or any(q in sent.name.lower() for sent in each.transmitted)


PAGES: Final = (PageRoute("/transmitted", show),)
ACTS: Final[tuple[Act, ...]] = ()
