"""A connector while somebody writes it in a form. Of its password the form has the place alone, by a fixed name.

A free choice of variables, files or parts of addresses would let whoever may edit send any secret of the workers to a
server of theirs; the file may have them, since whoever writes it has them anyhow.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from workers.connectors.sql.vendors import VENDORS
from workers.console.drafts import Judged, by_field, whole
from workers.errors import SettingsError
from workers.settings import from_published
from workers.settings.entrusted import leads_to, secret_of
from workers.settings.table import NAME, NAME_RULE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.settings import LocalSettings

    Bound = Mapping[str, set[tuple[str, ...]]]

PLAIN: Final = ("url", "rate", "timezone", "statement_timeout", "connect_timeout")
"""Fields that are text in the file."""
FIELDS: Final = (*PLAIN, "parallelism", "password")
NOWHERE, VARIABLE, FILE, KEPT = "none", "variable", "file", "kept"
"""Where the password is, as the form says it; KEPT: where the file has it."""
_SECRETS: Final = ("password", "password_file")
_ELSEWHERE: Final = (
    "leads a password to another address than the one it was applied with; expected the same scheme, host, port and "
    "options, or the connector changed in segsync.toml, by `segsync apply`"
)
_NO_VARIABLE: Final = "holds a variable; expected it as text here, or the connector in segsync.toml"


def variable_of(key: str) -> str:
    """The variable of a connector's password."""
    return f"SEGSYNC_CONNECTOR_{key.upper().replace('-', '_')}_PASSWORD"


def file_of(key: str) -> str:
    """The file of a connector's password, beside segsync.toml: in a folder that holds no other secret."""
    return f"secrets/connectors/{key}"


def examples() -> list[str]:
    """An address for each database."""
    return [
        f"{each.scheme}://user@host:{each.port}/database" if each.has_server else f"{each.scheme}:///file.db"
        for each in VENDORS.values()
    ]


@dataclass(frozen=True, slots=True)
class ConnectorDraft:
    """One form, filled in.

    key     of the connector
    fields  what stands in each field, by its name
    """

    key: str
    fields: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_table(cls, key: str, table: Mapping[str, Any]) -> ConnectorDraft:
        """From the connector's table, as it was applied."""
        fields = {name: str(table[name]) for name in (*PLAIN, "parallelism") if name in table}
        return cls(key, fields | {"password": _place(key, table)})

    def text(self, name: str) -> str:
        """A field, without blanks around it."""
        return self.fields.get(name, "").strip()

    def table(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """The table that the fields stand for; what has no field, and what is as it was, stays as it was written."""
        was = ConnectorDraft.of_table(self.key, before)
        found = {name: value for name, value in before.items() if name not in (*PLAIN, "parallelism", *_SECRETS)}
        for name in (*PLAIN, "parallelism"):
            if self.text(name) == was.text(name) and name in before:
                found[name] = before[name]
            elif text := self.text(name):
                found[name] = whole(text) if name == "parallelism" else text
        return found | self._secret(before)

    def _secret(self, before: Mapping[str, Any]) -> dict[str, Any]:
        match self.text("password"):
            case "variable":
                return {"password": f"${{{variable_of(self.key)}}}"}
            case "file":
                return {"password_file": file_of(self.key)}
            case "kept":
                return {name: before[name] for name in _SECRETS if name in before}
        return {}

    def unfit(self, document: Mapping[str, Any], before: Mapping[str, Any], bound: Bound) -> dict[str, list[str]]:
        """Mistakes by field that no reader of a file would find: what only the file may have."""
        was = ConnectorDraft.of_table(self.key, before)
        found = {name: [_NO_VARIABLE] for name in PLAIN if "$" in self.text(name) and self.text(name) != was.text(name)}
        if self.text("password") == VARIABLE and (other := _shares(self.key, document)):
            found["password"] = [f"{variable_of(self.key)} is the variable of {other}, too; expected another key"]
        secret, at = secret_of(self._secret(before)), leads_to(self.text("url"))
        if "url" not in found and at not in bound.get(secret, {at}):
            found["url"] = [_ELSEWHERE]
        return found


def _place(key: str, table: Mapping[str, Any]) -> str:
    if table.get("password") == f"${{{variable_of(key)}}}":
        return VARIABLE
    if table.get("password_file") == file_of(key):
        return FILE
    return KEPT if any(name in table for name in _SECRETS) else NOWHERE


def _shares(key: str, document: Mapping[str, Any]) -> str:
    """Another connector whose password has the same variable: a-b and a_b."""
    return next((o for o in document.get("connectors", {}) if o != key and variable_of(o) == variable_of(key)), "")


def judge_connector(draft: ConnectorDraft, published: str, local: LocalSettings, bound: Bound, *, new: bool) -> Judged:
    """The draft put into a published configuration; `new` refuses a key that is there already.

    bound  where each password was sent, as `bound_secrets` tells
    """
    document = json.loads(published)
    connectors = document.setdefault("connectors", {})
    where = f"connectors.{draft.key}"
    if not NAME.fullmatch(draft.key):
        return Judged(None, {"key": [f"cannot be a name; expected {NAME_RULE}"]}, [])
    if new and draft.key in connectors:
        return Judged(None, {"key": ["is there already; expected a new one"]}, [])
    before = connectors.get(draft.key, {})
    if unfit := draft.unfit(document, before, bound):
        return Judged(None, unfit, [])
    connectors[draft.key] = draft.table(before)
    try:
        settings = from_published(json.dumps(document), local)
    except SettingsError as error:
        return Judged(None, by_field(error.mistakes, where, _field_of), [])
    return Judged(settings, {}, [str(each) for each in settings.warnings if each.where.startswith(f"{where}.")])


def _field_of(path: str) -> str:
    first = path.partition(".")[0]
    return "password" if first in _SECRETS else first if first in FIELDS else ""
