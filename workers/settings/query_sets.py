"""Query files and query sets: afterwards every integration has its queries and its key written out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.settings.files import FileError
from workers.settings.spelling import nearest, show
from workers.settings.table import UNKNOWN, TomlTable
from workers.templates import QueryKind

if TYPE_CHECKING:
    from pathlib import Path

    from workers.settings.includes import Folders
    from workers.settings.source import SettingsSource

MEMBERS = "members"
"""The query that answers no event: it lists the rows that a segment has in the target."""
QUERIES = (*map(str, QueryKind), MEMBERS)

Holder = dict[str, object]


def write_out(source: SettingsSource, document: dict[str, object], folders: Folders) -> None:
    """Replaces `{ file = … }` by the file's text, and `use = …` by what it names; drops [query_sets]."""
    sets = {name: dict(table.values) for name, table in TomlTable(document, "", source.mistakes).tables("query_sets")}
    document.pop("query_sets", None)
    integrations = _named(document.get("integrations"))
    for name, holder in sets.items():
        _inline(source, holder, f"query_sets.{name}", folders[f"query_sets.{name}"])
        _check_set(source, holder, f"query_sets.{name}")
    for name, holder in integrations.items():
        queries = holder.get("queries")
        if isinstance(queries, dict):
            _inline(source, queries, f"integrations.{name}.queries", folders[f"integrations.{name}"])
    used = {_use(source, holder, f"integrations.{name}", sets) for name, holder in integrations.items()}
    for name in sorted(sets.keys() - used):
        source.warn(f"query_sets.{name}", "no integration uses this set; its queries were not checked")


def _named(tables: object) -> dict[str, Holder]:
    """The tables of a section that are tables; what is wrong with the others is said where they are read."""
    if not isinstance(tables, dict):
        return {}
    return {name: table for name, table in tables.items() if isinstance(table, dict)}


def _inline(source: SettingsSource, holder: Holder, where: str, folder: Path) -> None:
    for kind in QUERIES:
        if isinstance(holder.get(kind), dict):
            holder[kind] = _content(source, holder[kind], f"{where}.{kind}", folder)


def _content(source: SettingsSource, value: object, where: str, folder: Path) -> object:
    """The text of the file that `{ file = "…" }` names."""
    table = TomlTable(value, where, source.mistakes)
    name = table.text("file", "the path of a file with the query")
    table.close()
    if not name:
        return UNKNOWN
    path = folder / name
    try:
        text = source.text_of(path)
    except FileError as error:
        source.wrong(where, f"{source.relative(path)}: {error}")
        return UNKNOWN
    source.places[where] = f"{where} ({source.relative(path)})"
    return text


def _check_set(source: SettingsSource, holder: Holder, where: str) -> None:
    """Refuses unknown keys; the values are checked where an integration uses them."""
    table = TomlTable(holder, where, source.mistakes)
    for key in ("key", *QUERIES):
        table.take(key)
    table.close()


def _use(source: SettingsSource, integration: Holder, where: str, sets: dict[str, Holder]) -> str | None:
    """Gives an integration what it has not itself of the set it uses; returns the set's name."""
    name = integration.pop("use", None)
    if name is None:
        return None
    if not isinstance(name, str) or name not in sets:
        if name is not UNKNOWN:
            expected = nearest(str(name), sets) or "; expected the name of one, and there is no [query_sets.*]"
            source.wrong(f"{where}.use", f"{show(name)} is no query set{expected}")
        integration.setdefault("queries", UNKNOWN)
        return None
    integration["queries"], inherited = _over(sets[name], integration.get("queries", {}))
    places = {f"queries.{kind}": kind for kind in inherited}
    if "key" in sets[name] and "key" not in integration:
        integration["key"] = sets[name]["key"]
        places["key"] = "key"
    for key, origin in places.items():
        source.places[f"{where}.{key}"] = source.place(f"query_sets.{name}.{origin}")
    return name


def _over(shared: Holder, own: object) -> tuple[object, list[str]]:
    """An integration's own queries over the shared ones, and which come from there."""
    if not isinstance(own, dict):
        return own, []
    inherited = [kind for kind in QUERIES if kind in shared and kind not in own]
    return {kind: shared[kind] for kind in inherited} | own, inherited
