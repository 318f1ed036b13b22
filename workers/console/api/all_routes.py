"""All routes of the API, and the document that describes them."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from starlette.routing import Route

from workers.console.api.acts import ACTING
from workers.console.api.description import described
from workers.console.api.erasure import ERASING
from workers.console.api.events import EventsDoor
from workers.console.api.frame import Frame, as_json
from workers.console.api.looking import LOOKING
from workers.console.api.past import PAST
from workers.console.api.places import PLACES
from workers.console.api.probes import probes
from workers.console.api.removal import REMOVING

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from workers.console.site import Site
    from workers.settings.console import ConsoleSettings

ALL: Final = (*LOOKING, *PAST, *PLACES, *ACTING, *REMOVING, *ERASING)


def api_routes(site: Site, settings: ConsoleSettings) -> list[Route]:
    """Starlette's routes. redis.RedisError."""
    frame = Frame(site, settings)
    document = described(ALL, version("segsync"))

    def openapi(request: Request) -> Response:  # noqa: ARG001 - it is the same for all
        return as_json(document)

    return [
        Route("/api/openapi.json", openapi, methods=["GET"]),
        *frame.routes(ALL),
        *EventsDoor(frame).routes(),
        *probes(frame),
    ]
