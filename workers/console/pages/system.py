"""The system: workers, queues, Redis, the ledger and the targets, and what would bite in production."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers import doctor, presence
from workers.console.connectors import read_connectors
from workers.console.failures import NotAllowed, NotMeant
from workers.console.routes import PageRoute, is_of_this_site
from workers.console.turns import hurried
from workers.console.viewers import Role
from workers.control.acting import Actor, recorded
from workers.lanes.clock import redis_ms
from workers.ledger import health
from workers.monitoring import status
from workers.monitoring.server import read_server
from workers.settings import load

if TYPE_CHECKING:
    from starlette.responses import Response

    from workers.connectors.inspection import Step
    from workers.console.routes import Act
    from workers.console.visit import Visit

SAMPLE: Final = 1
"""Lanes that are looked at: they are shown elsewhere."""


def show(visit: Visit) -> Response:
    """The page; with `ask` in the query workers are asked as well, and with `examine` every step of `doctor`."""
    site, examined = visit.site, "examine" in visit.query
    if examined and visit.viewer.role < Role.OPERATOR:
        raise NotAllowed(Role.OPERATOR)  # it logs in to every target
    asked = examined or "ask" in visit.query
    if asked and not is_of_this_site(visit.request):
        raise NotMeant  # it takes time, and is asked for by a page of another site
    runtime = site.runtime()
    consumers = site.ask if asked else None
    steps = _examined(visit) if examined else []
    found = status.read(runtime, consumers, patience=0.0, sample=SAMPLE)
    return visit.page(
        "system.html",
        found=found,
        server=read_server(site.redis, site.keys),
        trouble=health.trouble(site.redis, site.keys),
        connectors=[] if found.revision is None else read_connectors(runtime),
        steps=steps,
        examined=examined,
        asked=asked,
        there=presence.present(site.redis, site.keys, redis_ms(site.redis)),
    )


def _examined(visit: Visit) -> list[Step]:
    """Every step of `doctor`, which is written down as the logins that it is."""
    site, client = visit.site, visit.request.client
    who = Actor(visit.viewer.name, "console", client.host if client else "")
    with site.turns.one(), recorded(site.redis, site.keys, who, "doctor"):
        return list(doctor.steps(hurried(load(site.runtime().local.path)), site.ask))


PAGES: Final = (PageRoute("/system", show),)
ACTS: Final[tuple[Act, ...]] = ()
