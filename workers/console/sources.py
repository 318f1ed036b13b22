"""Sources as pages show them: where segments' members are read, and who follows them. No secret is among it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workers.connectors.sql.vendors import VENDORS
from workers.console.checks import last_checks, name_of_source
from workers.console.source_drafts import PROGRAM
from workers.settings.sources import SourceSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.console.checks import ConnectorCheck
    from workers.runtime import Runtime
    from workers.settings.sources import AnySource


@dataclass(frozen=True, slots=True)
class SourceState:
    """One source.

    kind          the database's name, "HTTP" or PROGRAM
    place         its address as it is written, no password; or the program
    paged         whether it answers in pages
    queries       by name; {} where it has none
    integrations  that follow segments of its database
    check         the last one that somebody has asked for here; None for none
    """

    key: str
    kind: str
    place: str
    paged: bool
    rows: int
    delay: float
    queries: dict[str, str] = field(default_factory=dict)
    integrations: list[str] = field(default_factory=list)
    check: ConnectorCheck | None = None


def read_sources(runtime: Runtime) -> list[SourceState]:
    """All that are applied, by key. NothingApplied, redis.RedisError."""
    settings = runtime.applied.settings
    tables = json.loads(settings.published()).get("sources", {})
    names = sorted(settings.sources)
    checks = last_checks(runtime.redis, runtime.keys, [name_of_source(name) for name in names])
    every = settings.integrations.values()
    return [
        SourceState(
            **_declared(settings.sources[name], tables.get(name, {})),
            integrations=sorted(each.key for each in every if each.scope.database == name),
            check=checks.get(name_of_source(name)),
        )
        for name in names
    ]


def _declared(source: AnySource, table: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "key": source.key,
        "paged": source.first is not None,
        "rows": source.rows,
        "delay": source.delay,
    }
    if isinstance(source, SourceSettings):
        queries = {name: str(table[name]) for name in ("members", "fresh", "segments") if name in table}
        kind = VENDORS[source.address.dialect].name
        return {**found, "kind": kind, "place": source.address.url, "queries": queries}
    return {**found, "kind": "HTTP" if source.url else PROGRAM, "place": source.url or " ".join(source.command)}
