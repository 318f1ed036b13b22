"""The console as an ASGI application."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from workers.console.failures import TooSlow
from workers.console.live import LiveDoor
from workers.console.pages import ACTS, PAGES
from workers.console.routes import Ways
from workers.console.shield import Shield

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp

    from workers.console.routes import ActLog
    from workers.console.site import Site
    from workers.console.viewers import Gate

STATIC = Path(__file__).with_name("static")


def build(
    site: Site, gate: Gate, acts: ActLog, *, hosts: Collection[str] | None, more: Sequence[BaseRoute] = ()
) -> ASGIApp:
    """The application.

    gate   lets people in
    acts   keeps who did what
    hosts  names that may be asked for; None for any
    more   routes beside pages and acts, which come first
    """
    ways = Ways(site, gate, acts)
    routes = [
        *more,
        *map(ways.to_page, PAGES),
        *map(ways.to_act, ACTS),
        Route("/live", LiveDoor(PAGES, ways.look, site.streams), methods=["GET"]),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    application = Starlette(routes=routes, exception_handlers={Exception: _failed, TooSlow: _slow})
    # Starlette would lead from "/runs/" to "/runs" by a whole address, made of whatever host was asked for.
    application.router.redirect_slashes = False
    # Around all of it: what Starlette answers by itself carries the same headers.
    return Shield(application, hosts)


def _slow(request: Request, error: Exception) -> Response:  # noqa: ARG001 - nothing of it is known
    return PlainTextResponse(f"{error}\n", 408)


def _failed(request: Request, error: Exception) -> Response:  # noqa: ARG001 - what it was is for the server's log
    """A mistake of ours: the server logs its place, and nothing of it is shown."""
    return PlainTextResponse("a mistake of segsync's; the console's log has its place\n", 500)
