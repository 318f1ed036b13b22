"""An integration's queries, compiled, and the key that its remove query names the row by."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from workers.errors import Mistake
from workers.settings.query_sets import MEMBERS
from workers.templates import Query, QueryKind, TemplateErrors, compile_query
from workers.templates.scope import parse_path, path_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.settings.table import TomlTable

MANDATORY = (QueryKind.ADD, QueryKind.REMOVE)
_SELECT = re.compile(r"\s*(?:select|with)\b", re.IGNORECASE)
_MEANT = {
    "delete": "'remove' (profiles left the segment) or 'segment_delete' (the segment was deleted)",
    "insert": "'add'",
    "update": "'segment_upsert' (the segment was changed)",
    "upsert": "'add' (profiles joined the segment) or 'segment_upsert' (the segment was changed)",
}

Key = tuple[str, ...]


def read_sources(table: TomlTable) -> dict[QueryKind, str]:
    """The texts of [integrations.X.queries]; add and remove must be there."""
    queries = table.table("queries")
    found = {kind: queries.optional_text(kind.value, 'a query, or { file = "…" }') for kind in QueryKind}
    for kind in MANDATORY:
        queries.missing(kind.value, "a query, since add and remove are mandatory")
    queries.take(MEMBERS)
    queries.close({name: f"unknown key; did you mean {names}?" for name, names in _MEANT.items()})
    return {kind: text for kind, text in found.items() if text}


def read_members(table: TomlTable) -> str | None:
    """The text of `members` among the queries, which lists a segment's rows; None where it is left out."""
    return table.table("queries").optional_text(MEMBERS, 'a SELECT of the key\'s columns, or { file = "…" }')


def read_key(table: TomlTable) -> Key:
    """`key`, a field or a list of fields; () where it is left out (or wrong).

    A path is spelled as queries name it (`["city"]` is `city`): by that name the compiler knows the key, and writes it
    as text.
    """
    expected = 'a field or a list of fields, as in "CustomID"'
    if isinstance(table.values.get("key"), list):
        names = table.list_of("key", expected)
    else:
        name = table.optional_text("key", expected)
        names = [name] if name else []
    return tuple(dict.fromkeys(map(_spelled, names)))


def _spelled(path: str) -> str:
    try:
        return path_text(parse_path(path))
    except ValueError:
        return path  # the compiler says what is wrong with it


@dataclass(frozen=True, slots=True)
class Mode:
    """How queries are meant: in which dialect, in batches or one profile at a time, and by which key."""

    dialect: str
    timezone: str
    allow: frozenset[str]
    batched: bool
    key: Key = ()


@dataclass(slots=True)
class Compiler:
    """Compiles queries, the same text once however many integrations share it, and notes what is wrong with them."""

    mistakes: list[Mistake]
    warnings: list[Mistake]
    _done: dict[tuple[str, QueryKind, Mode], Query | TemplateErrors] = field(default_factory=dict)

    def query(self, text: str, where: str, kind: QueryKind, mode: Mode) -> Query | None:
        """One query, which stands at `where`; None when it cannot be used (its mistakes are noted)."""
        asked = (text, kind, mode)
        if asked not in self._done:
            self._done[asked] = _compile(*asked)
        done = self._done[asked]
        if isinstance(done, TemplateErrors):
            self.mistakes += _at(where, done.mistakes)
            return None
        return done

    def warn_of(self, query: Query, where: str) -> None:
        """Notes what the template's own compiler has to say of a query."""
        self.warnings += _at(where, query.warnings)


def _at(where: str, found: list[Mistake]) -> list[Mistake]:
    return [replace(mistake, where=where) for mistake in found]


def _compile(text: str, kind: QueryKind, mode: Mode) -> Query | TemplateErrors:
    try:
        return compile_query(
            text,
            dialect=mode.dialect,
            kind=kind,
            batch=mode.batched,
            key=mode.key,
            timezone=mode.timezone,
            allow=mode.allow,
        )
    except TemplateErrors as errors:
        return errors


@dataclass(frozen=True, slots=True)
class Draft:
    """One integration's queries before they are compiled.

    table     [integrations.X]
    declared  its `key`; () where it is left out or wrong
    mode      without a key
    """

    table: TomlTable
    sources: Mapping[QueryKind, str]
    declared: Key
    mode: Mode

    def compile(self, compiler: Compiler) -> tuple[dict[QueryKind, Query], Key]:
        """The queries and the key's fields; what cannot be had is left out, its mistake noted."""
        key = self.declared or self._derived(compiler)
        mode = replace(self.mode, key=key)
        compiled = {kind: query for kind in self.sources if (query := self._query(compiler, kind, mode))}
        for kind, query in compiled.items():
            compiler.warn_of(query, self._where(kind))
        return compiled, key

    def compile_members(self, compiler: Compiler, text: str) -> Query | None:
        """`members`, in which the segment's id is known and nothing else; None with its mistakes noted."""
        where = self.table.at(f"queries.{MEMBERS}")
        compiled = compiler.query(text, where, QueryKind.CLEAR, replace(self.mode, batched=False))
        if compiled is not None and not _SELECT.match(text):
            compiler.mistakes.append(
                Mistake(where, "is no SELECT; expected one that gives the key's columns, in order")
            )
            return None
        return compiled

    def _query(self, compiler: Compiler, kind: QueryKind, mode: Mode) -> Query | None:
        return compiler.query(self.sources[kind], self._where(kind), kind, mode)

    def _where(self, kind: QueryKind) -> str:
        return self.table.at(f"queries.{kind}")

    def _derived(self, compiler: Compiler) -> Key:
        """The one field that remove uses (rule 16); () with a mistake where it is not exactly one."""
        if "key" in self.table or QueryKind.REMOVE not in self.sources:
            return ()
        remove = self._query(compiler, QueryKind.REMOVE, self.mode)
        if remove is None or len(remove.identifying) == 1:
            return remove.identifying if remove else ()
        uses = ", ".join(map(repr, remove.identifying)) or "no field of the profile"
        self.table.wrong("key", f"is left out, and remove uses {uses}; expected the field or list that names the row")
        return ()
