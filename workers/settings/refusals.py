"""What is refused in what is to be applied, and still read in what is applied.

A version that did not look for it may have published it, and delivered by it: read by its successor, what cannot be
read stops all integrations, and not the one that it is about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.errors import Mistake
from workers.settings.database_url import contradiction_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LEDGERS = ("sqlite", "postgresql")
"""Databases that a ledger can be kept in: another would be met by whoever writes an outcome first."""


def refused(document: Mapping[str, object]) -> list[Mistake]:
    """All of it, whatever else is wrong."""
    found = []
    for section in ("connectors", "sources"):
        for where, table in _tables(document, section):
            url = table.get("url")
            if isinstance(url, str) and (what := contradiction_in(url)):
                found.append(Mistake(f"{where}.url", what))
    found += [
        Mistake(f"{where}.key", 'is empty; expected a field or a list of fields, as in "CustomID"')
        for where, table in _tables(document, "integrations")
        if table.get("key") == []
    ]
    return found


def refused_ledger(url: str) -> list[Mistake]:
    """Of a ledger's URL, its variables filled in. Deliveries go on without a ledger, and outcomes wait in Redis."""
    if not url or url.partition("://")[0] in LEDGERS:
        return []
    what = f"is no database that a ledger can be kept in; expected {' or '.join(LEDGERS)}"
    return [Mistake("ledger.url", what)]


def _tables(document: Mapping[str, object], section: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    tables = document.get(section)
    for key, table in tables.items() if isinstance(tables, dict) else ():
        if isinstance(table, dict):
            yield f"{section}.{key}", table
