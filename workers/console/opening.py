"""The console as [console] of the file wants it: who is let in, by which names, and through which proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.console.acts import KeptActs
from workers.console.api.all_routes import api_routes
from workers.console.app import build
from workers.console.entry import Entrance
from workers.console.proxied import Proxied
from workers.console.seals import Seals
from workers.console.sessions import seal_key
from workers.console.shield import LOCAL_HOSTS
from workers.console.site import Site
from workers.console.streams import Streams
from workers.console.viewers import LocalGate, Role
from workers.runtime import Runtime
from workers.settings import load_local

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.types import ASGIApp

    from workers.monitoring.consumers import Consumers
    from workers.settings.console import ConsoleSettings


def opened(
    settings: ConsoleSettings,
    user: str,
    ask: Callable[[], Consumers],
    *,
    path: Path | None = None,
    streams: Streams | None = None,
) -> ASGIApp:
    """The application.

    user  who started it: everybody, where nobody is named and only this host reaches it
    ask   asks Celery's workers
    path  the configuration, as in `load`
    streams  where its open streams are; to be ended with it

    SettingsError, redis.RedisError.
    """
    runtime = Runtime(load_local(path))
    seals = Seals(seal_key(runtime.redis, runtime.keys))
    site = Site(ask, settings.edit, seals, streams=Streams() if streams is None else streams, _runtime=runtime)
    acts = KeptActs(runtime.redis, runtime.keys)
    if settings.is_open:
        role = Role.EDITOR if settings.edit else Role.VIEWER
        more = api_routes(site, settings)
        return build(site, LocalGate(user, role), acts, hosts={*LOCAL_HOSTS, *settings.hosts}, more=more)
    entrance = Entrance(site, settings)
    more = [*entrance.routes(), *api_routes(site, settings)]
    app = build(site, entrance, acts, hosts=set(settings.hosts) or None, more=more)
    return Proxied(app, settings.proxy)
