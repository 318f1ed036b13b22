"""The system: workers, queues, Redis, the ledger and the targets, and what would bite in production."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workers import doctor
from workers.console.failures import NotAllowed
from workers.console.routes import PageRoute
from workers.console.viewers import Role
from workers.lanes.answers import members_of, text_fields
from workers.lanes.clock import redis_ms
from workers.ledger import health
from workers.monitoring import status
from workers.monitoring.ages import moment_of
from workers.monitoring.server import read_server
from workers.settings import load

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.responses import Response

    from workers.connectors.inspection import Step
    from workers.console.routes import Act
    from workers.console.visit import Visit
    from workers.runtime import Runtime

SAMPLE: Final = 1
"""Lanes that are looked at: they are shown elsewhere."""


@dataclass(frozen=True, slots=True)
class ConnectorState:
    """One connector.

    state       "active", "held" (someone is needed) or "retrying" (its target is out of reach)
    next_try_s  seconds until it is tried again; None where nothing stops it
    """

    key: str
    dialect: str
    parallelism: int
    state: str
    reason: str = ""
    since: datetime | None = None
    tries: int | None = None
    next_try_s: float | None = None


def show(visit: Visit) -> Response:
    """The page; with `ask` in the query workers are asked as well, and with `examine` every step of `doctor`."""
    site, examined = visit.site, "examine" in visit.query
    if examined and visit.viewer.role < Role.OPERATOR:
        raise NotAllowed(Role.OPERATOR)  # it logs in to every target
    runtime = site.runtime()
    consumers = site.ask if examined or "ask" in visit.query else None
    steps: list[Step] = list(doctor.steps(load(runtime.local.path), site.ask)) if examined else []
    return visit.page(
        "system.html",
        found=status.read(runtime, consumers, patience=0.0, sample=SAMPLE),
        server=read_server(site.redis, site.keys),
        trouble=health.trouble(site.redis, site.keys),
        connectors=_connectors(runtime),
        steps=steps,
        examined=examined,
        asked=consumers is not None,
    )


def _connectors(runtime: Runtime) -> list[ConnectorState]:
    redis, keys = runtime.redis, runtime.keys
    names, now = sorted(members_of(redis, keys.connectors)), redis_ms(redis)
    pipe = redis.pipeline(transaction=False)
    for name in names:
        pipe.hgetall(keys.connector(name))
    hashes = [text_fields(fields) for fields in pipe.execute()]
    declared = runtime.applied.settings.connectors if names else {}
    return [
        _state(name, declared[name].dialect if name in declared else "", fields, now)
        for name, fields in zip(names, hashes, strict=True)
    ]


def _state(name: str, dialect: str, fields: dict[str, str], now: int) -> ConnectorState:
    parallelism = int(fields.get("parallelism", 0))
    if "hold" in fields:
        reason = f"{fields.get('hold_code', '')}: {fields['hold']}"
        since, tries = moment_of(fields.get("hold_since")), int(fields.get("hold_tries", 0)) or None
        again = max(0.0, float(fields.get("hold_until", 0)) - now) / 1000
        return ConnectorState(name, dialect, parallelism, "held", reason, since, tries, again)
    if "open_until" in fields:
        reason = f"{fields.get('open_code', '')}: {fields.get('open_reason', '')}"
        since, tries = moment_of(fields.get("open_since")), int(fields.get("failures", 0)) or None
        again = max(0.0, float(fields["open_until"]) - now) / 1000
        return ConnectorState(name, dialect, parallelism, "retrying", reason, since, tries, again)
    return ConnectorState(name, dialect, parallelism, "active")


PAGES: Final = (PageRoute("/system", show),)
ACTS: Final[tuple[Act, ...]] = ()
