"""A source while somebody writes it in a form: a database's queries, or an address that answers with members.

A program has no form of its own: whoever names one has workers run it. What else there is of such a source is changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from workers.console.drafts import whole
from workers.console.secret_places import (
    ELSEWHERE,
    KEPT,
    NO_FILE,
    NO_VARIABLE,
    NOWHERE,
    VARIABLE,
    SecretPlace,
    sharing,
    source_secret,
)
from workers.settings.entrusted import files_named, leads_to

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.settings.entrusted import Bound

SQL, HTTP, PROGRAM = "sql", "http", "program"
"""Kinds of sources."""
PAGES: Final = (
    ("", "no pages: all members at once"),
    ("number", "pages, by an _id that is a number"),
    ("text", "pages, by an _id that is a text"),
)
"""What `{after}` is, for people."""
PLAIN: Final = {SQL: ("url", "delay"), HTTP: ("url", "segments", "delay", "timeout"), PROGRAM: ("delay", "timeout")}
"""Fields of a line that are text in the file, by kind."""
QUERIES: Final = {SQL: ("members", "fresh", "segments"), HTTP: (), PROGRAM: ()}
"""Those of several lines."""
NUMBERS: Final = ("rows", "readers")
USUAL: Final[dict[str, dict[str, str]]] = {
    SQL: {
        "password": VARIABLE,
        "paged": "number",
        "first": "0",
        "members": "SELECT p.id AS _id, p.custom_id AS CustomID\n"
        "FROM membership m JOIN profile p ON p.id = m.profile_id\n"
        "WHERE m.segment_id = {segment_id} AND m.profile_id > {after} AND p.id > {after} "
        "ORDER BY m.profile_id LIMIT {limit}",
    },
    HTTP: {"token_place": VARIABLE, "header": "Authorization", "prefix": "Bearer", "paged": "number", "first": "0"},
}
"""What a new one begins with."""
_HTTP: Final = re.compile(r"https?://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SourceDraft:
    """One form, filled in, as `PartDraft` has it."""

    key: str
    fields: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_table(cls, key: str, table: Mapping[str, Any]) -> SourceDraft:
        """From the source's table, as it was applied."""
        kind, first = kind_of(table), table.get("first")
        fields = {name: str(table[name]) for name in (*PLAIN[kind], *QUERIES[kind], *NUMBERS, "first") if name in table}
        fields |= {"kind": kind, "paged": "" if first is None else "text" if isinstance(first, str) else "number"}
        if kind == SQL:
            fields["password"] = source_secret(key).of(table)
        return cls(key, fields | (_of_headers(key, table) if kind == HTTP else {}))

    @property
    def kind(self) -> str:
        """SQL, HTTP or PROGRAM; SQL where the form says nothing of it."""
        return found if (found := self.text("kind")) in PLAIN else SQL

    @property
    def secret(self) -> SecretPlace:
        """Where a database's password may be."""
        return source_secret(self.key)

    @property
    def token(self) -> SecretPlace:
        """Where what an address wants in a header may be."""
        return source_secret(self.key, "token")

    def text(self, name: str) -> str:
        """A field, without blanks around it; lines as Unix ends them."""
        return self.fields.get(name, "").replace("\r\n", "\n").strip()

    def table(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """As `PartDraft` has it."""
        was = SourceDraft.of_table(self.key, before) if before else SourceDraft(self.key)
        own = {*PLAIN[self.kind], *QUERIES[self.kind], *NUMBERS, "first", "headers", "password", "password_file"}
        found = {name: value for name, value in before.items() if name not in own}
        for name in (*PLAIN[self.kind], *QUERIES[self.kind], *NUMBERS):
            if self.text(name) == was.text(name) and name in before:
                found[name] = before[name]
            elif text := self.text(name):
                found[name] = whole(text) if name in NUMBERS else text
        if self.text("paged"):
            first = self.text("first")
            found["first"] = first if self.text("paged") == "text" else whole(first or "0")
        return found | self._secrets(before)

    def _secrets(self, before: Mapping[str, Any]) -> dict[str, Any]:
        if self.kind == SQL:
            return self.secret.into(self.text("password"), before)
        if self.kind == HTTP and self.text("token_place") == VARIABLE:
            value = f"{self.text('prefix')} ${{{self.token.variable}}}".strip()
            return {"headers": {self.text("header"): value}}
        kept = self.text("token_place") == KEPT and "headers" in before
        return {"headers": before["headers"]} if kept else {}

    def unfit(self, document: Mapping[str, Any], before: Mapping[str, Any], bound: Bound) -> dict[str, list[str]]:
        """As `PartDraft` has it."""
        was = SourceDraft.of_table(self.key, before) if before else SourceDraft(self.key)
        plain = (*PLAIN[self.kind], "header", "prefix")
        found = {name: [NO_VARIABLE] for name in plain if "$" in self.text(name) and self.text(name) != was.text(name)}
        if wrong := self._of_another_kind(before):
            found["url"] = [wrong]
        if files := files_named(self.text("url"), was.text("url")):
            found["url"] = [NO_FILE.format(", ".join(files))]
        other, place = sharing(self.key, document.get("sources", {})), "password" if self.kind == SQL else "token_place"
        if other and self.text(place) == VARIABLE:
            found[place] = [f"its variable is that of {other}, too; expected another key"]
        if "url" not in found and not all(map(self._leads_to, bound.of(self._secrets(before)))):
            found["url"] = [ELSEWHERE]
        return found

    def _of_another_kind(self, before: Mapping[str, Any]) -> str:
        url = self.text("url")
        if before and self.kind != kind_of(before):
            return f"this is a source of another kind ({kind_of(before)}); expected it as it is"
        if self.kind == PROGRAM:
            return "" if before else "a program is named in segsync.toml alone; expected an address"
        if url and (self.kind == HTTP) != bool(_HTTP.match(url)):
            expected = "one that begins with https://" if self.kind == HTTP else "that of a database"
            return f"is an address of another kind of source; expected {expected}"
        return ""

    def _leads_to(self, known: set[tuple[str, ...]]) -> bool:
        """Whether its address is among the known ones; of one over HTTP, what it asks for there may be anything."""
        much = 2 if self.kind == HTTP else None
        return leads_to(self.text("url"))[:much] in {each[:much] for each in known}

    def field_of(self, path: str) -> str:
        """As `PartDraft` has it."""
        first = path.partition(".")[0].removesuffix("_file")
        known = {*PLAIN[self.kind], *QUERIES[self.kind], *NUMBERS, "first", "password"}
        return "header" if first == "headers" else first if first in known else ""


def kind_of(table: Mapping[str, Any]) -> str:
    """Of a source's table."""
    if "command" in table:
        return PROGRAM
    return HTTP if _HTTP.match(str(table.get("url", ""))) else SQL


def _of_headers(key: str, table: Mapping[str, Any]) -> dict[str, str]:
    """The fields that a source's headers stand for."""
    headers: Mapping[str, str] = table.get("headers", {})
    if not headers:
        return {"token_place": NOWHERE}
    variable = f"${{{source_secret(key, 'token').variable}}}"
    name, value = next(iter(headers.items()))
    prefix = value.removesuffix(variable).strip()
    if len(headers) == 1 and "$" not in prefix and value == f"{prefix} {variable}".strip():
        return {"token_place": VARIABLE, "header": name, "prefix": prefix}
    return {"token_place": KEPT}
