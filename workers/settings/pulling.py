"""`segsync config pull`: the applied configuration, written back into the files.

Only what differs changes: comments, order and all else stay as somebody wrote them (tomlkit). Nothing is written before
the files, as they would be, were read and found to mean what is applied.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from workers.errors import SegsyncError, SettingsError
from workers.settings.differences import compared
from workers.settings.files import read_text
from workers.settings.includes import merge_includes
from workers.settings.loading import load
from workers.settings.query_sets import QUERIES
from workers.settings.source import SHARED, open_source
from workers.settings.toml_values import section_text, written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.settings.differences import Difference
    from workers.settings.source import KeyPath, SettingsSource

Tables = dict[str, Any]


class PullRefused(SegsyncError):
    """Nothing was written; the message says why, and what helps."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """What the files would be.

    texts        new text by path; {} where nothing differs
    before       the text that each of them has now
    differences  from the file to what is applied
    """

    texts: Mapping[Path, str]
    before: Mapping[Path, str]
    differences: list[Difference]


def plan(path: Path, environ: Mapping[str, str], applied: str) -> Pulled:
    """What pulling these published words means; nothing is written. SettingsError, PullRefused."""
    own = load(path, environ).published()
    found = compared(own, applied)
    if not found:
        return Pulled({}, {}, [])
    pull = _Pull(open_source(path, environ))
    try:
        pull.run(json.loads(own), json.loads(applied))
        texts = pull.texts()
        left = compared(load(path, environ, texts=texts).published(), applied)
    except (TOMLKitError, SettingsError, KeyError, TypeError, ValueError) as error:
        raise PullRefused(f"{path.name}: what is applied cannot be written into it as it stands: {error}") from None
    if left:
        places = ", ".join(map(str, left[:3]))
        raise PullRefused(
            f"{path.name}: what is applied cannot be written into it as it stands: {places} would still differ; "
            "nothing was written. `segsync diff` shows all of it"
        )
    return Pulled(texts, {each: pull.before[each] for each in texts}, found)


def write(pulled: Pulled) -> list[Path]:
    """Replaces each file as a whole, the main one last; PullRefused where one has changed since it was read."""
    for path, before in pulled.before.items():
        if read_text(path) != before:
            raise PullRefused(f"{path} has changed while it was read; nothing was written, run the command again")
    for path, text in pulled.texts.items():
        _replace(path, text)
    return list(pulled.texts)


def _replace(path: Path, text: str) -> None:
    """All of it or nothing, whatever happens meanwhile; the file's mode stays."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as file:  # noqa: PTH123 - a descriptor has no path
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(path, name)
        Path(name).replace(path)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # a full disk names no file
        raise


@dataclass(slots=True)
class _Pull:
    """Changes the files' documents in memory.

    before     the files that are involved, as they are
    documents  of them: TOML, parsed with its comments
    queries    query files that change
    added      what is put at the end of a file
    """

    source: SettingsSource
    before: dict[Path, str] = field(default_factory=dict)
    documents: dict[Path, tomlkit.TOMLDocument] = field(default_factory=dict)
    queries: dict[Path, str] = field(default_factory=dict)
    added: dict[Path, str] = field(default_factory=dict)

    def run(self, own: Tables, applied: Tables) -> None:
        """Makes the files mean `applied`, where they mean `own` now."""
        merge_includes(self.source)  # says which file defines what
        for section in sorted(own.keys() | applied.keys()):
            if section in SHARED:
                self._section(section, own.get(section, {}), applied.get(section, {}))
                if section not in applied:
                    self._without_empty(section)
            elif own.get(section) != applied.get(section):
                main = self._document(self.source.path.resolve())
                self._values(main, {section: own[section]} if section in own else {}, _only(applied, section), ())

    def texts(self) -> dict[Path, str]:
        """The new texts of the files that change, query files and included ones first."""
        main = self.source.path.resolve()
        found = {path: tomlkit.dumps(each) + self.added.get(path, "") for path, each in self.documents.items()}
        ordered = {**self.queries, **{path: text for path, text in found.items() if path != main}}
        ordered |= {main: found[main]} if main in found else {}
        return {path: text for path, text in ordered.items() if text != self.before[path]}

    def _section(self, section: str, own: Tables, applied: Tables) -> None:
        for name in sorted(own.keys() | applied.keys()):
            if own.get(name) == applied.get(name):
                continue
            path = self.source.home_of(section, name).resolve()
            document = self._document(path)
            if name not in own:
                self.added[path] = self.added.get(path, "") + section_text(section, name, applied[name])
            elif name not in applied:
                del document[section][name]
            else:
                self._entry(document, section, name, own[name], applied[name])

    def _without_empty(self, section: str) -> None:
        """Takes out what is left of a section when its last entry has gone: an empty table differs from none."""
        for document in self.documents.values():
            if section in document and not document[section]:
                del document[section]

    def _entry(self, document: Any, section: str, name: str, own: Tables, applied: Tables) -> None:  # noqa: ANN401 - tomlkit
        table = document[section][name]
        if "use" in table and _takes_away(own, applied):
            # A set cannot be used in part: from now on the integration has its queries itself.
            del table["use"]
            own = {key: value for key, value in own.items() if key in table}
            mine = table.get("queries", {})
            own["queries"] = {kind: text for kind, text in own.get("queries", {}).items() if kind in mine}
        self._values(table, own, applied, (section, name))

    def _values(self, table: Any, own: Tables, applied: Tables, path: KeyPath) -> None:  # noqa: ANN401 - tomlkit's tables
        for key in own.keys() - applied.keys():
            if key in table:
                del table[key]
        for key, value in applied.items():
            if own.get(key) == value:
                continue
            here = (*path, key)
            if isinstance(value, dict) and isinstance(own.get(key), dict):
                if key not in table:  # all of it comes from a set
                    table[key] = tomlkit.table()
                self._values(table[key], own[key], value, here)
            elif not self._into_query_file(table.get(key), value, here):
                table[key] = written(value, here)

    def _into_query_file(self, item: object, value: object, path: KeyPath) -> bool:
        """Whether the text went into the file that the query is kept in, and nobody else's is."""
        if not isinstance(item, dict) or "file" not in item or path[-1] not in QUERIES:
            return False
        file = (self.source.home_of(path[0], path[1]).parent / str(item["file"])).resolve()
        if self._users_of(str(item["file"])) > 1:
            return False
        self.before[file] = read_text(file)
        self.queries[file] = str(value)
        return True

    def _users_of(self, name: str) -> int:
        """How many queries name a file so, in all of the configuration."""
        merged = merge_includes(open_source(self.source.path, self.source.environ)).document
        return json.dumps(merged, default=str).count(json.dumps({"file": name})[1:-1])

    def _document(self, path: Path) -> tomlkit.TOMLDocument:
        if path not in self.documents:
            self.before[path] = read_text(path)
            self.documents[path] = tomlkit.parse(self.before[path])
        return self.documents[path]


def _only(tables: Tables, section: str) -> Tables:
    return {section: tables[section]} if section in tables else {}


def _takes_away(own: Tables, applied: Tables) -> bool:
    """Whether a query, or the key, that may come from a set is there no longer."""
    return (
        bool(own.get("queries", {}).keys() - applied.get("queries", {}).keys()) or "key" in own.keys() - applied.keys()
    )
