"""SQLite files that are segsync's own: whoever may write queries must not write there who did what, and who is in."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from workers.errors import Mistake, SettingsError
from workers.settings.ad_connectors import AdConnectorSettings
from workers.settings.connectors import ConnectorSettings
from workers.settings.sources import SourceSettings
from workers.settings.urls import UrlError, split

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from workers.settings.connectors import AnyConnector
    from workers.settings.database_url import DatabaseAddress
    from workers.settings.sources import AnySource

_SERVER: Final = frozenset({"host", "unix_socket"})
"""Options that name a server, where the address has no host."""


def own_files_used(
    ledger_url: str,
    connectors: Mapping[str, AnyConnector],
    sources: Mapping[str, AnySource],
    environ: Mapping[str, str],
) -> Iterator[Mistake]:
    """A mistake for each connector and source that is the ledger's file or an ad account's store, by whatever name.

    What leads nowhere in this environment is passed over: nothing connects to it here.
    """
    own = {"the ledger's own file": _file(ledger_url)}
    for each in connectors.values():
        if isinstance(each, AdConnectorSettings) and each.store is not None:
            own[f"the store of {each.key}"] = _file_at(each.store, environ)
    every = (*connectors.values(), *sources.values())
    for address in [each.address for each in every if isinstance(each, (ConnectorSettings, SourceSettings))]:
        found = _file_at(address, environ)
        for name, path in own.items():
            if found and path and _is_same(found, path):
                yield Mistake(f"{address.where}.url", f"is {name}; expected another: its queries could change anything")


def _file_at(address: DatabaseAddress, environ: Mapping[str, str]) -> str:
    try:
        return _file(address.place(environ))
    except SettingsError:
        return ""


def _file(url: str) -> str:
    """The file that a URL leads to, links followed; "" for a server."""
    try:
        parts = split(url)
    except UrlError:
        return ""
    is_server = parts.host or _SERVER & {name for name, _ in parts.options}
    return "" if is_server or not parts.path[1:] else os.path.realpath(parts.path[1:])


def _is_same(one: str, other: str) -> bool:
    try:
        return one == other or os.path.samefile(one, other)  # noqa: PTH121 - a hard link has another name
    except OSError:
        return False
