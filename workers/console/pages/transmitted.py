"""Data transmitted: which fields of a profile leave for which target, by which query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workers.console.routes import PageRoute

if TYPE_CHECKING:
    from starlette.responses import Response

    from workers.console.routes import Act
    from workers.console.visit import Visit
    from workers.integrations import Integration

LISTED: Final = 100
"""Integrations on one page."""


@dataclass(frozen=True, slots=True)
class SentByQuery:
    """What one query of an integration writes of a profile; "*" is the profile as a whole."""

    event_type: str
    fields: list[str]


def show(visit: Visit) -> Response:
    """`q` of the query is a part of a field's or integration's name."""
    settings, q = visit.site.runtime().applied.settings, visit.query.get("q", "").strip().lower()
    found = [(each, _of(each)) for _, each in sorted(settings.integrations.items())]
    fitting = [(each, sent) for each, sent in found if not q or _fits(each, sent, q)]
    return visit.page(
        "transmitted.html",
        listed=fitting[:LISTED],
        many=len(fitting),
        most=LISTED,
        connectors=settings.connectors,
        q=visit.query.get("q", ""),
    )


def _of(integration: Integration) -> list[SentByQuery]:
    return [SentByQuery(kind.value, sorted(query.fields)) for kind, query in integration.queries.items()]


def _fits(integration: Integration, sent: list[SentByQuery], q: str) -> bool:
    return q in integration.key.lower() or any(q in name.lower() for each in sent for name in each.fields)


PAGES: Final = (PageRoute("/transmitted", show),)
ACTS: Final[tuple[Act, ...]] = ()
