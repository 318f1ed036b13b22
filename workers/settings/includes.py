"""`include`: one configuration from several files, each thing defined once."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workers.settings.files import read_toml
from workers.settings.source import LOCAL, SHARED
from workers.settings.spelling import kind_of, nearest, show
from workers.settings.table import TomlTable

if TYPE_CHECKING:
    from pathlib import Path

    from workers.settings.source import SettingsSource

_MAIN_ONLY = (*LOCAL, "include", "ledger", "intake", "source")

Folders = dict[str, "Path"]
"""section.name -> the folder of the file that defines it, to which its query files are relative."""


@dataclass(frozen=True, slots=True)
class Merged:
    """The main file's tables with those of its included files, variables not yet filled in."""

    source: SettingsSource
    document: dict[str, object]
    folders: Folders

    def add(self, path: Path) -> None:
        """What an included file defines."""
        label = self.source.relative(path)
        self.source.read.append(path)
        tables = read_toml(path, label, self.source.mistakes, self.source.texts)
        for section in SHARED:
            if section in tables:
                self._add_section(section, tables[section], path, label)
        for key in sorted(tables.keys() - set(SHARED)):
            what = (
                f"belongs into {self.source.path.name}" if key in _MAIN_ONLY else f"unknown key{nearest(key, SHARED)}"
            )
            self.source.wrong(f"{key} ({label})", what)

    def _add_section(self, section: str, tables: object, path: Path, label: str) -> None:
        if not isinstance(tables, dict):
            self.source.wrong(f"{section} ({label})", f"is {kind_of(tables)}; expected a table")
            return
        merged = self.document.setdefault(section, {})
        for name, value in tables.items():
            where = f"{section}.{name}"
            if where in self.folders:
                first = self.source.files.get(where, self.source.path.name)
                self.source.wrong(where, f"is defined twice: in {first} and in {label}")
            elif isinstance(merged, dict):
                merged[name] = value
                self.folders[where] = path.parent
                self.source.files[where] = label


def merge_includes(source: SettingsSource) -> Merged:
    """One set of tables from the main file and all it includes."""
    merged = Merged(source, {key: value for key, value in source.main.items() if key != "include"}, {})
    for section in SHARED:
        tables = merged.document.get(section)
        if isinstance(tables, dict):
            merged.document[section] = dict(tables)
            merged.folders.update((f"{section}.{name}", source.folder) for name in tables)
    for path in _included(source):
        merged.add(path)
    return merged


def _included(source: SettingsSource) -> list[Path]:
    """The files that `include` names, each once, never the main file itself."""
    raw = source.fill({key: source.main[key] for key in ("include",) if key in source.main}, ())
    patterns = TomlTable(raw, "", source.mistakes).list_of("include", 'a list of files, as in ["integrations/*.toml"]')
    paths = [path for index, pattern in enumerate(patterns) for path in _matches(source, f"include[{index}]", pattern)]
    once = {path.resolve(): path for path in reversed(paths)}
    once.pop(source.path.resolve(), None)
    return list(reversed(once.values()))


def _matches(source: SettingsSource, where: str, pattern: str) -> list[Path]:
    try:
        found = glob.glob(pattern, root_dir=source.folder, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
    except (OSError, ValueError):
        found = []
    if not found and glob.has_magic(pattern):
        source.warn(where, f"{show(pattern)} matches no file in {source.folder}")
    elif not found:
        source.wrong(where, f"{show(pattern)}: no such file in {source.folder}")
    return [source.folder / name for name in sorted(found)]
