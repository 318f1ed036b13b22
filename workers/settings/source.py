"""A configuration while it is being read: the main file, where everything stands, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from workers.errors import Mistake, SettingsError
from workers.settings import variables
from workers.settings.ad_connectors import secret_names
from workers.settings.files import NOTHING, read_text, read_toml
from workers.settings.table import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.settings.files import Texts

DEFAULT_FILE = "segsync.toml"
LOCAL = ("namespace", "redis", "broker", "alerts", "console")
"""What each process reads from its own file, and nobody publishes."""
SHARED = ("connectors", "integrations", "query_sets", "sources")
"""What included files may define."""
SECRETS = frozenset({"url", "password", "password_file", "headers", "command"}) | secret_names()
"""In [connectors.*], [sources.*] and [ledger]: published as written, filled in by the process that needs them."""

KeyPath = tuple[str, ...]


@dataclass(slots=True)
class SettingsSource:
    """A configuration being read.

    path      the main file, absolute; for an applied revision the file of the process that reads it
    name      how errors call the whole
    main      the main file's tables, as parsed
    places    key path -> what messages call it instead, where a query stands in a file or a set
    files     "section.name" -> the included file that defines it
    texts     what stands in place of files
    read      files that belong to it, but for the main one
    """

    path: Path
    environ: Mapping[str, str]
    name: str
    main: dict[str, object] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    warnings: list[Mistake] = field(default_factory=list)
    texts: Texts = field(default_factory=dict)
    read: list[Path] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """What relative paths in the main file are relative to."""
        return self.path.parent

    def wrong(self, where: str, what: str) -> None:
        """Notes a mistake."""
        self.mistakes.append(Mistake(where, what))

    def warn(self, where: str, what: str) -> None:
        """Notes what is not wrong and deserves a word."""
        self.warnings.append(Mistake(where, what))

    def place(self, where: str) -> str:
        """The key path as messages show it: with the file, unless that is the main one."""
        if where in self.places or where.endswith(")"):
            return self.places.get(where, where)
        file = self.files.get(".".join(where.split(".", 2)[:2]))
        return f"{where} ({file})" if file else where

    def placed(self, found: list[Mistake]) -> list[Mistake]:
        """The mistakes as they are shown, each once (a shared query's come once for each integration)."""
        return list(dict.fromkeys(replace(mistake, where=self.place(mistake.where)) for mistake in found))

    def finish(self) -> None:
        """SettingsError if anything is wrong."""
        if self.mistakes:
            raise SettingsError(self.name, self.placed(self.mistakes))

    def text_of(self, path: Path) -> str:
        """The text of a file that belongs to the configuration; FileError."""
        self.read.append(path)
        return self.texts[path.resolve()] if self.texts and path.resolve() in self.texts else read_text(path)

    def home_of(self, section: str, name: str) -> Path:
        """The file that defines it, or where it would be added."""
        return self.folder / self.files.get(f"{section}.{name}", self.path.name)

    def relative(self, path: Path) -> str:
        """A path as messages show it."""
        return str(path.relative_to(self.folder)) if path.is_relative_to(self.folder) else str(path)

    def fill(self, value: object, path: KeyPath) -> object:
        """`value`, which stands at `path`, with the variables in its texts filled in; queries and SECRETS stay."""
        if isinstance(value, dict):
            return {key: self.fill(inner, (*path, key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.fill(inner, (*path[:-1], f"{path[-1]}[{index}]")) for index, inner in enumerate(value)]
        if not isinstance(value, str) or is_raw(path):
            return value
        try:
            return variables.fill(value, self.environ)
        except variables.VariableError as error:
            self.wrong(".".join(path), str(error))
            return UNKNOWN


def is_raw(path: KeyPath) -> bool:
    """Whether what stands at `path` is published as it is written: queries, and what holds secrets."""
    return _is_query(path) or _is_secret(path)


def _is_query(path: KeyPath) -> bool:
    match path:
        case ("integrations", _, "queries", _):
            return True
        case ("sources", _, kind):
            return kind.partition("[")[0] in {"members", "fresh", "segments"}
        case ("query_sets", _, kind):
            return kind != "key"
        case _:
            return False


def _is_secret(path: KeyPath) -> bool:
    depth = {"connectors": 2, "sources": 2, "ledger": 1}.get(path[0])
    return depth is not None and any(name.partition("[")[0] in SECRETS for name in path[depth:])


def open_source(path: Path | None, environ: Mapping[str, str], texts: Texts = NOTHING) -> SettingsSource:
    """The main file, parsed: `path`, else $SEGSYNC_CONFIG, else ./segsync.toml.

    SettingsError at once where it cannot be read, since then nothing else can be looked at.
    """
    file = Path(path or environ.get("SEGSYNC_CONFIG") or DEFAULT_FILE).absolute()
    source = SettingsSource(file, environ, name=str(file), texts=texts)
    source.main = read_toml(file, file.name, source.mistakes, texts)
    if any(mistake.what == "no such file" for mistake in source.mistakes):
        hint = "no such file; write one with `segsync init`, or name another in the variable SEGSYNC_CONFIG"
        source.mistakes = [Mistake(file.name, hint)]
    source.finish()
    return source
