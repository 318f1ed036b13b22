"""[integrations.*]: what follows which segments, in which batches, with which queries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from workers import windows
from workers.connectors.sql.vendors import VENDORS
from workers.errors import Mistake
from workers.integrations import Integration, Ordering, safe_ordering
from workers.settings.ad_connectors import AdConnectorSettings
from workers.settings.ad_integrations import ONLY_FOR_ADS, read_ad_integration
from workers.settings.compiling import MANDATORY, Compiler, Draft, Mode, read_key, read_members, read_sources
from workers.settings.limits import Limits, read_batch, read_limits
from workers.settings.scopes import read_description, read_scope
from workers.settings.spelling import nearest, show
from workers.templates import QueryKind
from workers.windows import DailyWindow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from workers.settings.connectors import AnyConnector, ConnectorSettings
    from workers.settings.limits import Limits
    from workers.settings.table import TomlTable

MOST_NAMED = 5
"""Integrations that one warning names."""
_OF_ADS = dict.fromkeys(ONLY_FOR_ADS, "is for ad accounts, and this connector is a database; expected queries")
_ORDERINGS: tuple[Literal["exact", "strict"], ...] = ("exact", "strict")


def read_integrations(
    document: TomlTable, connectors: Mapping[str, AnyConnector], default_database: str, compiler: Compiler
) -> dict[str, Integration]:
    """Every integration, by key; one that cannot be used is left out, its mistakes noted."""
    found = {}
    for key, table in document.tables("integrations"):
        connector = connectors.get(str(table.values.get("connector")))
        if isinstance(connector, AdConnectorSettings):
            integration = read_ad_integration(key, table, connector, default_database, compiler.warnings)
        else:
            integration = _read(key, table, connectors, default_database, compiler)
        if integration:
            found[key] = integration
    compiler.warnings += _overlaps(found.values())
    compiler.warnings += _unlisted(found.values())
    return found


def _read(
    key: str, table: TomlTable, connectors: Mapping[str, AnyConnector], default_database: str, compiler: Compiler
) -> Integration | None:
    batch = read_batch(table, compiler.warnings)
    connector = _connector(table, connectors)
    sources, declared, listed = read_sources(table), read_key(table), read_members(table)
    scope = read_scope(table, default_database)
    name, description = table.optional_text("name"), read_description(table)
    active = table.flag("active", default=True)
    table.take("use")  # written out before, and a name to be known
    limits, once = read_limits(table), _exactly_once(table, connector)
    window = _window(table, connector)
    ordering = _ordering(table)
    table.close(_OF_ADS)
    if connector is None:
        return None
    draft = Draft(table, sources, declared, Mode(connector.dialect, connector.timezone, connector.allow, batch.batched))
    queries, fields = draft.compile(compiler)
    members = draft.compile_members(compiler, listed) if listed else None
    _check_leaving(table, limits, sources)
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
        exactly_once=once,
        window=window,
        **batch._asdict(),
        **limits._asdict(),
    )


def _check_leaving(table: TomlTable, limits: Limits, sources: Mapping[QueryKind, str]) -> None:
    """`on_leave = "clear"` needs a query that clears."""
    if limits.on_leave == "clear" and QueryKind.CLEAR not in sources:
        table.wrong("on_leave", "is 'clear', and there is no query `clear`; expected one, or on_leave = \"keep\"")


def _connector(table: TomlTable, connectors: Mapping[str, AnyConnector]) -> ConnectorSettings | None:
    """The connector named, if its queries can be compiled; a connector that is wrong has its own mistakes."""
    name = table.text("connector", "the key of a connector")
    if name and name not in connectors:
        table.wrong("connector", f"{show(name)} is no connector{nearest(name, connectors)}")
    connector = connectors.get(name)
    return connector if not isinstance(connector, AdConnectorSettings) and connector and connector.dialect else None


def _exactly_once(table: TomlTable, connector: ConnectorSettings | None) -> bool:
    once = table.flag("exactly_once", default=False)
    vendor = VENDORS.get(connector.dialect) if connector else None
    if once and vendor and not vendor.has_transactions:
        what = f"is true, and {vendor.name} has no transactions; expected false, and queries that may be repeated"
        table.wrong("exactly_once", what)
    return once


def _window(table: TomlTable, connector: ConnectorSettings | None) -> DailyWindow | None:
    """`window`, in the connector's zone where it names none."""
    text = table.optional_text("window", windows.EXPECTED)
    if text is None:
        return None
    try:
        found = DailyWindow.read(text, connector.timezone if connector else "UTC")
    except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        table.wrong("window", f"{show(text)} names no time zone; expected {windows.EXPECTED}")
        return None
    if found is None:
        table.wrong("window", f"{show(text)} is no window; expected {windows.EXPECTED}")
    return found


def _ordering(table: TomlTable) -> Ordering | None:
    """`ordering`; None where it is left out (or wrong), and the queries tell."""
    if "ordering" not in table:
        return None
    chosen = table.choice("ordering", _ORDERINGS)
    return Ordering(chosen) if chosen in _ORDERINGS else None


def _unlisted(integrations: Iterable[Integration]) -> Iterable[Mistake]:
    """One warning for each integration that is to be verified, and has nothing that lists its rows."""
    for each in integrations:
        if each.verify is not None and not each.is_listed:
            what = "has no effect without a query `members`, which lists a segment's rows; expected one beside `add`"
            yield Mistake(f"integrations.{each.key}.verify", what)


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
