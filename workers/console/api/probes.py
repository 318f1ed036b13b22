"""/health and /metrics: for whoever watches the watcher."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from redis import RedisError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

from workers.console.api.frame import as_json, failure
from workers.errors import SegsyncError
from workers.monitoring.metrics import Metrics
from workers.runtime import Runtime
from workers.settings.console import May

if TYPE_CHECKING:
    from starlette.requests import Request

    from workers.console.api.frame import Frame

HEALTH_THREADS: Final = 2
"""For all who ask for /health: one that waits for a Redis which is silent leaves another."""


def probes(frame: Frame) -> list[Route]:
    """The routes; health tells nothing but whether, so it asks for no token, and metrics ask for one that may read."""
    registry = CollectorRegistry(auto_describe=False)
    # A runtime of its own: its scrapes follow revisions in their own time.
    registry.register(Metrics(Runtime(frame.site.runtime().local), frame.site.ask))

    # Not among the threads that pages share: whoever watches is told of Redis, and not of how busy those are.
    threads = CapacityLimiter(HEALTH_THREADS)

    async def health(request: Request) -> Response:  # noqa: ARG001 - it is the same for all
        try:
            await run_sync(frame.site.redis.ping, limiter=threads)
        except RedisError:
            return as_json({"ok": False, "error": "Redis is out of reach"}, 503)
        return as_json({"ok": True})

    async def metrics(request: Request) -> Response:
        try:
            if not frame.settings.is_open:
                frame.token(request, May.READ)
        except SegsyncError as error:
            return failure(error)
        return Response(await run_in_threadpool(generate_latest, registry), media_type=CONTENT_TYPE_LATEST)

    return [Route("/health", health, methods=["GET"]), Route("/metrics", metrics, methods=["GET"])]
