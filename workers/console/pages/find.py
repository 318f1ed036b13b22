"""Find a profile: where it is, and why it is not in the table yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers.console.routes import Act, PageRoute
from workers.console.viewers import Role
from workers.control.pause import known_integration
from workers.lanes.answers import members_of
from workers.monitoring import whereabouts

if TYPE_CHECKING:
    from starlette.responses import Response

    from workers.console.visit import Visit


def show(visit: Visit) -> Response:
    """The form, filled in with `integration` and `segment` of the query."""
    query = visit.query
    return _page(visit, query.get("integration", ""), query.get("segment", ""), "")


def why(visit: Visit) -> Response:
    """As `segsync why`; posted, so that a person's id stands in no address, history or log of a proxy."""
    runtime = visit.site.runtime()
    integration, segment = visit.required("integration"), visit.required("segment")
    profile = visit.field("profile")
    known_integration(runtime.redis, runtime.keys, integration)
    found = whereabouts.find(runtime, integration, segment, profile or None)
    return _page(visit, integration, segment, profile, found)


def _page(
    visit: Visit, integration: str, segment: str, profile: str, found: whereabouts.Whereabouts | None = None
) -> Response:
    runtime = visit.site.runtime()
    return visit.page(
        "find.html",
        integrations=sorted(members_of(runtime.redis, runtime.keys.integrations)),
        integration=integration,
        segment=segment,
        profile=profile,
        place=found,
    )


PAGES: Final = (PageRoute("/find", show),)
ACTS: Final = (Act("/find", "why", why, role=Role.VIEWER, on="integration", kept=False),)
