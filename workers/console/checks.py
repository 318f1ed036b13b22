"""`check --connect` of one connector or source, for somebody with a browser or a token; its outcome is kept."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec
from redis import RedisError

from workers.connectors.inspection import Mark, Step
from workers.console.failures import NotFound
from workers.console.turns import hurried
from workers.lanes.clock import redis_ms
from workers.preflight.targets import examine_one, examine_one_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from redis import Redis

    from workers.console.site import Site
    from workers.lanes.keys import Keys
    from workers.preflight.examination import Examination

KEPT_MS: Final = 90 * 24 * 3_600_000
"""Milliseconds that a check is shown; an older one says nothing of today."""
MOST_STEPS: Final = 200
"""Of a check, that are kept."""


@dataclass(frozen=True, slots=True)
class ConnectorCheck:
    """What a check came to; `wrong`: whether someone is needed before deliveries can succeed."""

    at: datetime
    by: str
    wrong: bool
    steps: list[Step]


def steps_of(found: Examination) -> list[Step]:
    """All that was found, in order: of reaching the target, then of each integration's queries."""
    mistakes = [Step(finding.where, finding.level, finding.what) for finding in found.findings]
    fine = [Step("queries", "fine", line) for line in found.notes]
    looked = [Step("queries", "fine", f"tried those of {', '.join(found.looked)}")] if found.looked else []
    unread = [Step("queries", "skipped", line) for line in found.unread]
    return [*found.steps, *looked, *mistakes, *fine, *unread]


def check_connector(site: Site, key: str, by: str) -> ConnectorCheck:
    """Asks the target, and keeps what it says. NotFound, Busy, redis.RedisError."""
    settings = site.runtime().applied.settings
    if key not in settings.connectors:
        raise NotFound(f"{key[:80]} is no connector of the applied configuration")
    return _kept(site, key, by, lambda: examine_one(hurried(settings), key))


def check_source(site: Site, key: str, by: str) -> ConnectorCheck:
    """The same of a source."""
    settings = site.runtime().applied.settings
    if key not in settings.sources:
        raise NotFound(f"{key[:80]} is no source of the applied configuration")
    return _kept(site, name_of_source(key), by, lambda: examine_one_source(hurried(settings), key))


def name_of_source(key: str) -> str:
    """Under which a source's check is kept: no connector's key has a dot."""
    return f"sources.{key}"


def _kept(site: Site, name: str, by: str, examined: Callable[[], Examination]) -> ConnectorCheck:
    runtime = site.runtime()
    with site.turns.one():
        found = examined()
    at = datetime.fromtimestamp(redis_ms(runtime.redis) / 1000, UTC)
    check = ConnectorCheck(at, by, found.wrong, steps_of(found)[:MOST_STEPS])
    with suppress(RedisError):  # a full Redis keeps none; it is told anyhow
        runtime.redis.set(_name(runtime.keys, name), msgspec.json.encode(check), px=KEPT_MS)
    return check


def last_checks(redis: Redis, keys: Keys, names: Iterable[str]) -> dict[str, ConnectorCheck]:
    """By connector; those that nobody has checked are left out. redis.RedisError."""
    named = [*names]
    kept: list[bytes | None] = redis.mget([_name(keys, key) for key in named]) if named else []  # type: ignore[assignment]
    decode = msgspec.json.Decoder(_KeptCheck).decode
    return {key: decode(text).told() for key, text in zip(named, kept, strict=True) if text is not None}


class _KeptStep(msgspec.Struct):
    name: str
    mark: Mark
    what: str


class _KeptCheck(msgspec.Struct):
    at: datetime
    by: str
    wrong: bool
    steps: list[_KeptStep]

    def told(self) -> ConnectorCheck:
        return ConnectorCheck(self.at, self.by, self.wrong, [Step(s.name, s.mark, s.what) for s in self.steps])


def _name(keys: Keys, key: str) -> str:
    return keys.console(f"check:{key}")
