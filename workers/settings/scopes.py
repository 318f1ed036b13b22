"""`scope` of an integration: which segments it follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.integrations import Scope, ScopeKind
from workers.settings.spelling import show

if TYPE_CHECKING:
    from workers.settings.table import TomlTable

LONGEST_ID = 255
"""Bytes of a segment's id (rule 6)."""
_KINDS: dict[str, ScopeKind] = {"segments": "ids", "groups": "groups", "tags": "tags"}
_SEGMENTS = '"all" or a list of ids, as in [7, 8]'


def read_scope(integration: TomlTable, default_database: str) -> Scope | None:
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
        table.wrong(key, "is empty: nothing would ever be delivered; expected one at least")
    for value in values:
        if key == "segments" and len(value.encode()) > LONGEST_ID:
            table.wrong(key, f"{show(value)} is longer than {LONGEST_ID} bytes")
    return Scope(database, _KINDS[key], frozenset(values)) if values else None


def read_description(table: TomlTable) -> str:
    """Text that may be empty."""
    if table.values.get("description") == "":
        table.take("description")
        return ""
    return table.optional_text("description") or ""
