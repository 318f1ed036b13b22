"""Connectors as pages and the API show them: where they lead, what stops them, who uses them. No secret is among it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workers.connectors.audiences.platforms import PLATFORMS
from workers.connectors.sql.vendors import VENDORS
from workers.console.checks import last_checks
from workers.lanes.answers import text_fields
from workers.lanes.clock import redis_ms
from workers.monitoring.ages import moment_of
from workers.settings import ConnectorSettings, lacking

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from workers.console.checks import ConnectorCheck
    from workers.runtime import Runtime
    from workers.settings import Settings
    from workers.settings.connectors import AnyConnector


@dataclass(frozen=True, slots=True)
class ConnectorState:
    """One connector.

    vendor        the database's or the platform's name; is_account: whether it is an ad account
    url           as it is written, variables as variables, no password; "" of a platform at its own address
    rate_per_s    statements a second that it may be sent; None where it may be any number
    state         "active", "held" (someone is needed) or "retrying" (its target is out of reach)
    next_try_s    seconds until it is tried again; None where nothing stops it
    integrations  that use it
    lacks         what is missing in this process's environment to connect; "" where nothing is
    lacking       the same of workers, by their names
    check         the last one that somebody has asked for here; None for none
    """

    key: str
    vendor: str
    dialect: str
    is_account: bool
    url: str
    parallelism: int
    rate_per_s: float | None
    state: str
    reason: str = ""
    since: datetime | None = None
    tries: int | None = None
    next_try_s: float | None = None
    integrations: list[str] = field(default_factory=list)
    lacks: str = ""
    lacking: dict[str, str] = field(default_factory=dict)
    check: ConnectorCheck | None = None


def read_connectors(runtime: Runtime) -> list[ConnectorState]:
    """All that are applied, by key. NothingApplied, redis.RedisError."""
    redis, keys, settings = runtime.redis, runtime.keys, runtime.applied.settings
    names = sorted(settings.connectors)
    now, checks = redis_ms(redis), last_checks(redis, keys, names)
    lacks = lacking.noted(redis, keys, now)
    pipe = redis.pipeline(transaction=False)
    for name in names:
        pipe.hgetall(keys.connector(name))
    users = _users(settings)
    return [
        ConnectorState(
            **_declared(settings.connectors[name]),
            **_stopped(text_fields(fields), now),
            integrations=users.get(name, []),
            lacking={who: why for where, why in lacks.items() if (who := _worker(where, name))},
            check=checks.get(name),
        )
        for name, fields in zip(names, pipe.execute(), strict=True)
    ]


def _users(settings: Settings) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in settings.integrations.values():
        found.setdefault(each.connector, []).append(each.key)
    return found


def _worker(where: str, connector: str) -> str:
    """The worker of "connector on worker"; "" of another connector."""
    name, _, worker = where.partition(" on ")
    return worker if name == connector else ""


def _declared(connector: AnyConnector) -> dict[str, Any]:
    database = isinstance(connector, ConnectorSettings)
    named = VENDORS.get(connector.dialect) or PLATFORMS.get(connector.dialect)
    pace = connector.pace_ms
    return {
        "key": connector.key,
        "vendor": named.name if named else connector.dialect,
        "dialect": connector.dialect,
        "is_account": not database,
        "url": connector.address.url if isinstance(connector, ConnectorSettings) else connector.options.get("url", ""),
        "parallelism": connector.parallelism,
        "rate_per_s": None if pace is None else 1000 / pace,
        "lacks": lacking.reason(connector),
    }


def _stopped(fields: Mapping[str, str], now: int) -> dict[str, Any]:
    if "hold" in fields:
        return {
            "state": "held",
            "reason": f"{fields.get('hold_code', '')}: {fields['hold']}",
            "since": moment_of(fields.get("hold_since")),
            "tries": int(fields.get("hold_tries", 0)) or None,
            "next_try_s": max(0.0, float(fields.get("hold_until", 0)) - now) / 1000,
        }
    if "open_until" in fields:
        return {
            "state": "retrying",
            "reason": f"{fields.get('open_code', '')}: {fields.get('open_reason', '')}",
            "since": moment_of(fields.get("open_since")),
            "tries": int(fields.get("failures", 0)) or None,
            "next_try_s": max(0.0, float(fields["open_until"]) - now) / 1000,
        }
    return {"state": "active"}
