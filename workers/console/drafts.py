"""An integration while somebody writes it in a form: from the applied table to fields, and from fields to a table.

What a field holds is put into the table as it would stand in the file, so that what is wrong with it is said by the
same code, in the same words, as for the file.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from workers.console import ad_fields
from workers.errors import Mistake, SettingsError
from workers.settings import from_published
from workers.settings.refusals import refused
from workers.settings.table import NAME, NAME_RULE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workers.connectors.audiences.records import Platform
    from workers.settings import LocalSettings, Settings

QUERIES: Final = ("add", "remove", "clear", "segment_upsert", "segment_delete", "members")
PLAIN: Final = (
    *("name", "description", "connector", "ordering", "tolerance", "when_full", "max_lag"),
    *("window", "on_enter", "on_leave", "verify"),
    *("phone_region", "consent", "on_delete"),
)
"""Fields that are text in the file."""
NUMBERS: Final = ("max_backlog", "max_quarantine")
KINDS: Final = ("all", "segments", "groups", "tags")
"""What a scope may go by."""
_WHOLE: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_SEPARATOR: Final = re.compile(r"[,\n]")
_TORN: Final = (
    "{!r} holds a comma or blanks that this form would lose; expected as it was: this list is changed in the file"
)


@dataclass(frozen=True, slots=True)
class FormDraft:
    """One form, filled in.

    key       of the integration
    fields    what stands in each field, by its name
    platform  of the ad account that it sends to, which has fields and no queries; None for a database's
    """

    key: str
    fields: Mapping[str, str] = field(default_factory=dict)
    platform: Platform | None = None

    @classmethod
    def of_table(cls, key: str, table: Mapping[str, Any], platform: Platform | None = None) -> FormDraft:
        """From the integration's table, as it was applied."""
        scope, batch = table.get("scope", {}), table.get("batch")
        kind = next((each for each in KINDS if each in scope), "all")
        kind = "all" if scope.get("segments") == "all" else kind
        fields = {name: str(table[name]) for name in (*PLAIN, *NUMBERS) if name in table}
        fields |= {
            "active": "on" if table.get("active", True) else "",
            "exactly_once": "on" if table.get("exactly_once") else "",
            "key_fields": _joined(table.get("key", "")),
            "database": scope.get("database", ""),
            "scope": kind,
            "scope_values": "" if kind == "all" else _joined(scope.get(kind, [])),
            "batched": "on" if batch is not None else "",
            "size": str((batch or {}).get("size", "")),
            "timeout": str((batch or {}).get("timeout", "")),
        }
        fields |= {f"queries.{name}": text for name, text in table.get("queries", {}).items()}
        if platform is not None:
            fields |= ad_fields.from_table(table.get("fields", {}), platform)
        return cls(key, fields, platform)

    def table(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """The table that the fields stand for.

        What has no field, and what is as it was, stays as it was written `before`: a form that changes nothing
        publishes nothing.
        """
        was = FormDraft.of_table(self.key, before, self.platform)
        found = {name: value for name, value in before.items() if name not in _OWN}
        for name in (*PLAIN, *NUMBERS):
            found |= self._put(name, before, was, name, partial(self._value, name))
        scope = before.get("scope", {})
        found |= self._put("scope", before, was, "database", lambda: self._scope(scope, was), "scope", "scope_values")
        found |= self._put("batch", before, was, "batched", self._batch, "size", "timeout")
        found |= self._put("key", before, was, "key_fields", self._key)
        for name, usual in (("active", True), ("exactly_once", False)):
            if bool(self.text(name)) != bool(before.get(name, usual)):
                found[name] = bool(self.text(name))
        return found | self._what_is_sent(before, was)

    def _what_is_sent(self, before: Mapping[str, Any], was: FormDraft) -> dict[str, Any]:
        """Queries, or an ad account's fields."""
        platform = self.platform
        if platform is not None:
            names = ad_fields.names_of(platform)
            return self._put("fields", before, was, names[0], lambda: ad_fields.to_table(self.fields, platform), *names)
        others = {name: text for name, text in before.get("queries", {}).items() if name not in QUERIES}
        return {"queries": others | {name: text for name in QUERIES if (text := self._query(name))}}

    def _put(
        self, name: str, before: Mapping[str, Any], was: FormDraft, field: str, make: Callable[[], Any], *fields: str
    ) -> dict[str, Any]:
        """A key of the table with what its fields stand for; {} where it is left out."""
        if name in before and self._same(was, field, *fields):
            return {name: before[name]}
        made = make()
        return {} if made is None else {name: made}

    def _value(self, name: str) -> str | int | None:
        text = self.text(name)
        return (whole(text) if name in NUMBERS else text) if text else None

    def _key(self) -> str | list[str] | None:
        keys = _split(self.text("key_fields"))
        return (keys if len(keys) > 1 else keys[0]) if keys else None

    def _batch(self) -> dict[str, Any] | None:
        if not self.text("batched"):
            return None
        timeout = {"timeout": self.text("timeout")} if self.text("timeout") else {}
        return {"size": whole(self.text("size")), **timeout}

    def text(self, name: str) -> str:
        """A field, without blanks around it."""
        return self.fields.get(name, "").strip()

    def _query(self, name: str) -> str:
        """A query; browsers end lines as Windows does."""
        text = self.fields.get(f"queries.{name}", "").replace("\r\n", "\n")
        return text if text.strip() else ""

    def unfit(self, before: Mapping[str, Any]) -> dict[str, list[str]]:
        """Mistakes by field: lists whose members hold a separator of the form, changed. They would fall apart."""
        was = FormDraft.of_table(self.key, before)
        kind, scope, key = was.text("scope"), before.get("scope", {}), before.get("key", [])
        found = {}
        if self.text("scope") not in ("", "all") and not self._same(was, "scope", "scope_values"):
            found["scope_values"] = _torn([] if kind == "all" else scope.get(kind, []))
        if not self._same(was, "key_fields"):
            found["key_fields"] = _torn(key if isinstance(key, list) else [key])
        return {name: [_TORN.format(torn[0])] for name, torn in found.items() if torn}

    def _same(self, was: FormDraft, *fields: str) -> bool:
        return all(self.text(each) == was.text(each) for each in fields)

    def _scope(self, before: Mapping[str, Any], was: FormDraft) -> dict[str, Any]:
        kind, values = self.text("scope") or "all", _split(self.text("scope_values"))
        scope: dict[str, Any] = {"database": self.text("database")} if self.text("database") else {}
        if kind == "all":
            return {**scope, "segments": "all"}
        if self._same(was, "scope", "scope_values"):
            return {**scope, kind: before[kind]}
        return {**scope, kind: [whole(each) for each in values] if kind == "segments" else values}


_OWN: Final = {*PLAIN, *NUMBERS, "scope", "queries", "fields", "key", "batch"}
"""Keys of the table that fields stand for; two switches stay unless they are turned."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a draft comes to.

    settings  the whole configuration with it; None where it is wrong
    mistakes  by the field that they are about; under "" what is about none of them
    warnings  what is not wrong and deserves a word
    """

    settings: Settings | None
    mistakes: dict[str, list[str]]
    warnings: list[str]


def judge(draft: FormDraft, published: str, local: LocalSettings, *, new: bool) -> Judged:
    """The draft put into a published configuration; `new` refuses a key that is there already."""
    document = json.loads(published)
    integrations = document.setdefault("integrations", {})
    where = f"integrations.{draft.key}"
    if not NAME.fullmatch(draft.key):
        return Judged(None, {"key": [f"cannot be a name; expected {NAME_RULE}"]}, [])
    if new and draft.key in integrations:
        return Judged(None, {"key": ["is there already; expected a new one"]}, [])
    before = integrations.get(draft.key, {})
    if torn := draft.unfit(before):
        return Judged(None, torn, [])
    integrations[draft.key] = draft.table(before)
    try:
        settings = from_published(json.dumps(document), local)
    except SettingsError as error:
        return Judged(None, by_field(error.mistakes, where, _field_of), [])
    if wrong := [each for each in refused(document) if each.where.startswith(f"{where}.")]:
        return Judged(None, by_field(wrong, where, _field_of), [])
    return Judged(settings, {}, [str(each) for each in settings.warnings if each.where.startswith(f"{where}.")])


def by_field(mistakes: list[Mistake], where: str, field_of: Callable[[str], str]) -> dict[str, list[str]]:
    """Mistakes by the field that `field_of` finds for a key path below `where`; under "" those of no field."""
    found: dict[str, list[str]] = {}
    for mistake in mistakes:
        name = field_of(mistake.where.removeprefix(f"{where}.")) if mistake.where.startswith(where) else ""
        place = f"line {mistake.line}, column {mistake.column}: " if mistake.line is not None else ""
        told = f"{place}{mistake.what}" if name else str(mistake)
        found.setdefault(name, []).append(told)
    return found


def _field_of(path: str) -> str:
    """The form's field for a key path below the integration; "" where there is none."""
    first, _, rest = path.partition(".")
    if first == "fields":
        return ad_fields.field_of(rest)
    if first == "queries":
        return f"queries.{rest}" if rest in QUERIES else ""
    if first == "batch":
        return rest if rest in ("size", "timeout") else "size"
    if first == "scope":
        return "database" if rest == "database" else "scope_values"
    if first == "key":
        return "key_fields"
    return first if first in (*PLAIN, *NUMBERS, "active", "exactly_once") else ""


def _joined(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _split(text: str) -> list[str]:
    return [part for each in _SEPARATOR.split(text) if (part := each.strip())]


def _torn(members: list[Any]) -> list[str]:
    """Those that the form would not give back as one."""
    return [each for each in map(str, members) if _split(each) != [each]]


def whole(text: str) -> int | str:
    """A number as the file has it; what is none stays text, and is refused by who reads it where it must be one.

    An id such as 007 is none: it is another id than 7.
    """
    return int(text) if _WHOLE.fullmatch(text) and str(int(text)) == text else text
