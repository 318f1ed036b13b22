"""[integrations.*]: what follows which segments, in which batches, with which queries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from workers.connectors.sql.vendors import VENDORS
from workers.errors import Mistake
from workers.integrations import (
    DEFAULT_MAX_QUARANTINE,
    DEFAULT_TIMEOUT_MS,
    Integration,
    OnEnter,
    OnLeave,
    Ordering,
    Scope,
    ScopeKind,
    Tolerance,
    WhenFull,
    safe_ordering,
)
from workers.settings.compiling import MANDATORY, Compiler, Draft, Mode, read_key, read_members, read_sources
from workers.settings.connectors import LONGEST, SHORTEST, ConnectorSettings
from workers.settings.spelling import nearest, show
from workers.templates import QueryKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from workers.settings.table import TomlTable

LARGEST_BATCH = 10_000
"""Profiles in a batch: larger ones gain nothing, and their statements outgrow what servers take."""
LONGEST_ID = 255
"""Bytes of a segment's id (rule 6)."""
MOST_BACKLOG = 10**12
"""Operations; far beyond what a Redis can hold."""
MOST_QUARANTINE = 10**9
"""Entries; far beyond what anybody would read."""
MOST_NAMED = 5
"""Integrations that one warning names."""
_RESERVED = {
    "fields": "is reserved for connectors other than databases, not built yet; expected queries",
}
SHORTEST_LAG, LONGEST_LAG = 1.0, 7 * 86_400.0
"""Seconds: the range of max_lag."""
_TOLERANCES: tuple[Tolerance, ...] = ("data", "none")
_ORDERINGS: tuple[Literal["exact", "strict"], ...] = ("exact", "strict")
_WHEN_FULL: tuple[WhenFull, ...] = ("block", "drop")
_ON_ENTER: tuple[OnEnter, ...] = ("flag", "resync")
_ON_LEAVE: tuple[OnLeave, ...] = ("keep", "clear")
SHORTEST_VERIFY, LONGEST_VERIFY = 3_600.0, 365 * 86_400.0
"""Seconds: the range of verify; each look reads a whole segment from both sides."""
_KINDS: dict[str, ScopeKind] = {"segments": "ids", "groups": "groups", "tags": "tags"}
_SEGMENTS = '"all" or a list of ids, as in [7, 8]'


def read_integrations(
    document: TomlTable, connectors: Mapping[str, ConnectorSettings], default_database: str, compiler: Compiler
) -> dict[str, Integration]:
    """Every integration, by key; one that cannot be used is left out, its mistakes noted."""
    found = {}
    for key, table in document.tables("integrations"):
        integration = _read(key, table, connectors, default_database, compiler)
        if integration:
            found[key] = integration
    compiler.warnings += _overlaps(found.values())
    return found


def _read(
    key: str, table: TomlTable, connectors: Mapping[str, ConnectorSettings], default_database: str, compiler: Compiler
) -> Integration | None:
    batch = _batch(table, compiler.warnings)
    connector = _connector(table, connectors)
    sources, declared, listed = read_sources(table), read_key(table), read_members(table)
    scope = _scope(table, default_database)
    name, description = table.optional_text("name"), _description(table)
    active = table.flag("active", default=True)
    table.take("use")  # written out before, and a name to be known
    limits = _limits(table, connector)
    ordering = _ordering(table)
    table.close(_RESERVED)
    if connector is None:
        return None
    mode = Mode(connector.dialect, connector.timezone, connector.allow, batch.batched)
    draft = Draft(table, sources, declared, mode)
    queries, fields = draft.compile(compiler)
    members = draft.compile_members(compiler, listed) if listed else None
    if limits.on_leave == "clear" and QueryKind.CLEAR not in sources:
        table.wrong("on_leave", "is 'clear', and there is no query `clear`; expected one, or on_leave = \"keep\"")
    if scope is None or not fields or any(kind not in queries for kind in MANDATORY):
        return None
    return Integration(
        key=key,
        connector=connector.key,
        scope=scope,
        key_fields=fields,
        queries=queries,
        name=name or key,
        description=description,
        active=active,
        ordering=ordering or safe_ordering(queries),
        members=members,
        **batch._asdict(),
        **limits._asdict(),
    )


class _Batch(NamedTuple):
    batched: bool = False
    batch_size: int = 1
    timeout_ms: int = 0


def _batch(table: TomlTable, warnings: list[Mistake]) -> _Batch:
    """`batch`; left out, profiles go one at a time."""
    if "batch" not in table:
        table.take("batch")
        what = "is left out: profiles go one at a time; many more go with batch = { size = 1000 }"
        warnings.append(Mistake(table.at("batch"), what))
        return _Batch()
    batch = table.table("batch")
    size = batch.whole("size", None, 1, LARGEST_BATCH)
    seconds = batch.seconds("timeout", DEFAULT_TIMEOUT_MS / 1000, SHORTEST, LONGEST)
    batch.close()
    return _Batch(batched=True, batch_size=size, timeout_ms=round(seconds * 1000))


def _connector(table: TomlTable, connectors: Mapping[str, ConnectorSettings]) -> ConnectorSettings | None:
    """The connector named, if its queries can be compiled; a connector that is wrong has its own mistakes."""
    name = table.text("connector", "the key of a connector")
    if name and name not in connectors:
        table.wrong("connector", f"{show(name)} is no connector{nearest(name, connectors)}")
    connector = connectors.get(name)
    return connector if connector and connector.dialect else None


def _scope(integration: TomlTable, default_database: str) -> Scope | None:
    """`scope`: exactly one of segments, groups and tags; a database, too, unless segments are hand-picked."""
    integration.missing("scope", 'as in { database = "main", segments = "all" }')
    table = integration.table("scope")
    if "scope" not in integration or table.unknown:
        return None
    database = table.optional_text("database")
    picked = [key for key in _KINDS if key in table]
    if len(picked) != 1:
        found = f"has {' and '.join(picked)}" if picked else "has none of segments, groups and tags"
        table.note(f"{found}; expected exactly one of them")
    scopes = [_picked(table, key, database or default_database) for key in _KINDS]
    if (database is None and "segments" not in table) or table.values.get("segments") == "all":
        table.missing("database", 'the name of a profile database, as in "main"')
    table.close()
    return next((scope for scope in scopes if scope), None)


def _picked(table: TomlTable, key: str, database: str) -> Scope | None:
    if table.values.get(key) == "all" and key == "segments":
        table.take(key)
        return Scope(database)
    values = table.list_of(key, _SEGMENTS if key == "segments" else "a list of names", numbers=key == "segments")
    if table.values.get(key) == []:
        table.wrong(key, "is empty: nothing would ever be delivered")
    for value in values:
        if key == "segments" and len(value.encode()) > LONGEST_ID:
            table.wrong(key, f"{show(value)} is longer than {LONGEST_ID} bytes")
    return Scope(database, _KINDS[key], frozenset(values)) if values else None


def _description(table: TomlTable) -> str:
    """Text that may be empty."""
    if table.values.get("description") == "":
        table.take("description")
        return ""
    return table.optional_text("description") or ""


class _Limits(NamedTuple):
    exactly_once: bool
    tolerance: Tolerance
    max_backlog: int | None
    when_full: WhenFull
    max_quarantine: int
    max_lag: float | None
    on_enter: OnEnter
    on_leave: OnLeave
    verify: float | None


def _limits(table: TomlTable, connector: ConnectorSettings | None) -> _Limits:
    once = table.flag("exactly_once", default=False)
    vendor = VENDORS.get(connector.dialect) if connector else None
    if once and vendor and not vendor.has_transactions:
        what = f"is true, and {vendor.name} has no transactions; expected false, and queries that may be repeated"
        table.wrong("exactly_once", what)
    backlog = table.whole("max_backlog", 0, 1, MOST_BACKLOG)
    return _Limits(
        once,
        table.choice("tolerance", _TOLERANCES),
        backlog or None,
        table.choice("when_full", _WHEN_FULL),
        table.whole("max_quarantine", DEFAULT_MAX_QUARANTINE, 1, MOST_QUARANTINE),
        table.seconds("max_lag", 0.0, SHORTEST_LAG, LONGEST_LAG) or None,
        table.choice("on_enter", _ON_ENTER),
        table.choice("on_leave", _ON_LEAVE),
        table.seconds("verify", 0.0, SHORTEST_VERIFY, LONGEST_VERIFY) or None,
    )


def _ordering(table: TomlTable) -> Ordering | None:
    """`ordering`; None where it is left out (or wrong), and the queries tell."""
    if "ordering" not in table:
        return None
    chosen = table.choice("ordering", _ORDERINGS)
    return Ordering(chosen) if chosen in _ORDERINGS else None


def _overlaps(integrations: Iterable[Integration]) -> Iterable[Mistake]:
    """One warning for each integration that shares its connector and surely a segment with an earlier one."""
    earlier: dict[str, list[Integration]] = {}
    for integration in integrations:
        others = earlier.setdefault(integration.connector, [])
        meeting = [repr(other.key) for other in others if integration.scope.overlaps(other.scope)]
        others.append(integration)
        if meeting:
            more = f" and {len(meeting) - MOST_NAMED} more" if len(meeting) > MOST_NAMED else ""
            names = ", ".join(meeting[:MOST_NAMED]) + more
            yield Mistake(
                f"integrations.{integration.key}.scope",
                f"has segments in common with {names}, on connector {integration.connector!r}: "
                "they must not write the same rows, since order holds only within an integration",
            )
