"""The applied configuration: published in Redis, followed by every worker (docs/architecture.md).

A revision is a number that only grows. Every script carries the one its caller works by, so a process with an older
one cannot route or deliver: it is told so, reads the new one and goes on.
"""

from __future__ import annotations

import getpass
import secrets
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from workers.connectors.audiences.platforms import PLATFORMS
from workers.errors import SegsyncError, SettingsError
from workers.lanes.keys import HOLD_FIELDS
from workers.settings import LocalSettings, Settings, from_published, revisions
from workers.settings.connectors import ConnectorSettings
from workers.settings.published import INTAKE_LIMIT, NothingApplied, Published, published, what_is_applied
from workers.templates import QueryKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis import Redis
    from redis.client import Pipeline

    from workers.integrations import Integration
    from workers.lanes.keys import Keys
    from workers.settings.ad_connectors import AdConnectorSettings


__all__ = [
    "INTAKE_LIMIT",
    "Applied",
    "NothingApplied",
    "Published",
    "Superseded",
    "check_basis",
    "publish",
    "published",
    "read",
    "renew_windows",
    "understood",
]

RESCORE_FROM: Final = "timed 0"
"""Where lanes/scripts/rescore.lua begins."""


class Superseded(SegsyncError):
    """Another revision is applied than the one that this was made from; nothing was published."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A configuration as it was applied.

    installation  random, made at the first `apply`: names the session locks of this installation
    """

    revision: int
    digest: str
    installation: str
    settings: Settings

    @property
    def name(self) -> tuple[str, int]:
        """What no other has: revisions are counted anew in a Redis that was emptied."""
        return self.installation, self.revision


def read(redis: Redis, keys: Keys, local: LocalSettings) -> Applied:
    """The applied configuration, understood. Raises NothingApplied, or SettingsError if this version cannot read it."""
    found = what_is_applied(redis, keys)
    settings = from_published(found.text, local)
    return Applied(found.revision, found.digest, found.installation, settings)


def understood(found: Published | None, local: LocalSettings) -> Settings | None:
    """What was published, read; None where nothing was, and where this version cannot read it."""
    if found is None:
        return None
    try:
        return from_published(found.text, local)
    except SettingsError:
        return None


def check_basis(found: Published | None, basis: int | None) -> None:
    """Raises Superseded where another revision is applied than `basis`; 0: nothing is, None: any may be."""
    number = found.revision if found is not None else 0
    if basis not in (None, number):
        raise Superseded(
            f"revision {number} is applied, and this was made from {basis}; nothing was published. Look at the "
            "difference again"
        )


def publish(
    redis: Redis,
    keys: Keys,
    settings: Settings,
    *,
    only_first: bool = False,
    basis: int | None = None,
    note: str = "",
    by: str = "",
) -> int:
    """Makes this the applied configuration; returns its revision.

    `only_first` leaves alone what somebody else has applied in the meantime. The same configuration again is the
    same revision. `note` says why, where a command did it; `by` who, where it is not this process's user.
    Integrations that are not in it any more stay, orphaned: nothing is routed to them or delivered. `basis` as in
    `check_basis`, looked at where it is written: of several at once that were made from the same, one is published.
    """

    def transaction(pipe: Pipeline) -> int:
        found = published(pipe, keys)
        check_basis(found, basis)
        if found is not None and (only_first or found.digest == settings.digest):
            pipe.multi()
            return found.revision
        revision = 1 if found is None else found.revision + 1
        known = _members(pipe, keys.integrations)
        gone = _members(pipe, keys.connectors) - set(settings.connectors)
        waits = _waits_differently(pipe, keys, settings)
        pipe.multi()
        _write_config(pipe, keys, settings, revision, found, note, by or f"{_user()}@{socket.gethostname()}")
        _write_integrations(pipe, keys, settings, known)
        _write_connectors(pipe, keys, settings, gone)
        _write_limits(pipe, keys, settings)
        if waits:  # what waits by the old size or timeout is due at another time
            pipe.hset(keys.rescore, mapping=dict.fromkeys(waits, RESCORE_FROM))
        return revision

    watching: Any = redis.transaction  # typed for functions that return nothing
    return int(watching(transaction, keys.config, keys.integrations, value_from_callable=True))


def _waits_differently(pipe: Pipeline, keys: Keys, settings: Settings) -> list[str]:
    """Integrations whose batches are cut at another size, or wait for another time, than before."""
    found = []
    for key, integration in settings.integrations.items():
        wanted = _for_scripts(integration)
        before: Any = pipe.hmget(keys.integration(key), "size", "timeout")  # a watching pipeline answers at once
        if None not in before and [int(each) for each in before] != [wanted["size"], wanted["timeout"]]:
            found.append(key)
    return found


def _write_limits(pipe: Pipeline, keys: Keys, settings: Settings) -> None:
    pipe.delete(keys.full_marks)  # limits may have changed; the next append notes what is full
    if settings.max_intake is None:
        pipe.hdel(keys.limits, INTAKE_LIMIT)
    else:
        pipe.hset(keys.limits, INTAKE_LIMIT, settings.max_intake)


def _members(pipe: Pipeline, key: str) -> set[str]:
    members: Any = pipe.smembers(key)  # a watching pipeline answers at once
    return {member.decode() for member in members}


def _write_config(
    pipe: Pipeline, keys: Keys, settings: Settings, revision: int, before: Published | None, note: str, by: str
) -> None:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    if before is None:
        revisions.forget_all(pipe, keys)
    revisions.keep(pipe, keys, revisions.Revision(revision, at, by, note, settings.published()))
    pipe.hset(
        keys.config,
        mapping={
            "revision": revision,
            "digest": settings.digest,
            "text": settings.published(),
            "at": at,
            "by": by,
            "installation": before.installation if before else secrets.token_hex(8),
        },
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"


def _write_integrations(pipe: Pipeline, keys: Keys, settings: Settings, known: set[str]) -> None:
    for integration in settings.integrations.values():
        pace = _pace(settings.connectors[integration.connector])
        pipe.hset(keys.integration(integration.key), mapping=_for_scripts(integration) | {"pace": pace})
        # A changed file is the cure for most holds: what was held is tried at once.
        pipe.hdel(keys.integration(integration.key), "orphaned", *HOLD_FIELDS)
        pipe.sadd(keys.integrations, integration.key)
    for key in known - set(settings.integrations):
        pipe.hset(keys.integration(key), mapping={"active": 0, "orphaned": 1})


def _for_scripts(integration: Integration) -> dict[Any, Any]:
    return {
        "connector": integration.connector,
        "size": integration.batch_size,
        "timeout": integration.timeout_ms if integration.batched else 0,
        "clear": int(integration.answers(QueryKind.CLEAR)),
        "active": int(integration.active),
        "digest": integration.digest,
        # Empty is no limit; left out, the hash would keep the last revision's.
        "max_backlog": integration.max_backlog or "",
        "when_full": integration.when_full,
        "max_quarantine": integration.max_quarantine,
        # For `status` alone, likewise.
        "max_lag": integration.max_lag or "",
        "window": integration.window.for_scripts(time.time() * 1000) if integration.window else "",
        "draining": 1 if integration.scope.is_draining else "",
        "window_words": integration.window.words if integration.window else "",
    }


def _pace(connector: ConnectorSettings | AdConnectorSettings) -> float | str:
    """Milliseconds of a statement; "" where any number may be sent: ad accounts have budgets of their own."""
    return (connector.pace_ms or "") if isinstance(connector, ConnectorSettings) else ""


def renew_windows(redis: Redis, keys: Keys, applied: Applied) -> None:
    """Tells scripts of the changes of time zones that have come closer since; redis.RedisError.

    Their offsets are known for the years to come, and an installation may run for longer than those without `apply`.
    """
    for integration in applied.settings.integrations.values():
        if integration.window is None:
            continue
        fresh, key = integration.window.for_scripts(time.time() * 1000), keys.integration(integration.key)
        if redis.hget(key, "window") in (None, fresh.encode()):
            continue

        def transaction(pipe: Pipeline, key: str = key, fresh: str = fresh) -> None:
            found = published(pipe, keys)
            pipe.multi()
            if found is not None and (found.installation, found.revision) == applied.name:
                pipe.hset(key, "window", fresh)

        redis.transaction(transaction, keys.config)


def _write_connectors(pipe: Pipeline, keys: Keys, settings: Settings, gone: Iterable[str]) -> None:
    for key in gone:
        pipe.srem(keys.connectors, key)
        pipe.delete(keys.next(key))
    for connector in settings.connectors.values():
        pipe.sadd(keys.connectors, connector.key)
        fields: dict[Any, Any] = {
            "parallelism": connector.parallelism,
            "ads": int(connector.dialect in PLATFORMS),
            "pace": _pace(connector),
        }
        pipe.hset(keys.connector(connector.key), mapping=fields)
        # What was sent at another rate is not owed at this one.
        pipe.hdel(keys.connector(connector.key), "paid_until", "rests_until", *HOLD_FIELDS)
        pipe.delete(keys.next(connector.key))
        mine = [i.key for i in settings.integrations.values() if i.connector == connector.key]
        if mine:  # each is worth a look at once
            pipe.zadd(keys.next(connector.key), dict.fromkeys(mine, 0))
