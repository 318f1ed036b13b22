"""A database's connector while somebody writes it in a form. Of its password the form has the place alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from workers.connectors.sql.vendors import VENDORS
from workers.console.drafts import whole
from workers.console.secret_places import (
    ELSEWHERE,
    NO_FILE,
    NO_VARIABLE,
    VARIABLE,
    SecretPlace,
    connector_secret,
    sharing,
)
from workers.settings.entrusted import files_named, leads_to

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.settings.entrusted import Bound

PLAIN: Final = ("url", "rate", "timezone", "statement_timeout", "connect_timeout")
"""Fields that are text in the file."""
FIELDS: Final = (*PLAIN, "parallelism", "password", "allow")
CALL: Final = "call"
"""What may be allowed: queries that call procedures."""
USUAL: Final = {"password": VARIABLE, "parallelism": "4", "statement_timeout": "30s"}
"""What a new connector begins with."""


def examples() -> list[str]:
    """An address for each database."""
    return [
        f"{each.scheme}://user@host:{each.port}/database" if each.has_server else f"{each.scheme}:///file.db"
        for each in VENDORS.values()
    ]


@dataclass(frozen=True, slots=True)
class ConnectorDraft:
    """One form, filled in, as `PartDraft` has it."""

    key: str
    fields: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_table(cls, key: str, table: Mapping[str, Any]) -> ConnectorDraft:
        """From the connector's table, as it was applied."""
        fields = {name: str(table[name]) for name in (*PLAIN, "parallelism") if name in table}
        allow = "on" if CALL in table.get("allow", []) else ""
        return cls(key, fields | {"password": connector_secret(key).of(table), "allow": allow})

    @property
    def secret(self) -> SecretPlace:
        """Where its password may be."""
        return connector_secret(self.key)

    def text(self, name: str) -> str:
        """A field, without blanks around it."""
        return self.fields.get(name, "").strip()

    def table(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """As `PartDraft` has it."""
        was = ConnectorDraft.of_table(self.key, before)
        own = (*PLAIN, "parallelism", "password", "password_file")
        found = {name: value for name, value in before.items() if name not in own}
        for name in (*PLAIN, "parallelism"):
            if self.text(name) == was.text(name) and name in before:
                found[name] = before[name]
            elif text := self.text(name):
                found[name] = whole(text) if name == "parallelism" else text
        if self.text("allow") != was.text("allow"):
            found.pop("allow", None)
            found |= {"allow": [CALL]} if self.text("allow") else {}
        return found | self.secret.into(self.text("password"), before)

    def unfit(self, document: Mapping[str, Any], before: Mapping[str, Any], bound: Bound) -> dict[str, list[str]]:
        """As `PartDraft` has it."""
        was = ConnectorDraft.of_table(self.key, before)
        found = {name: [NO_VARIABLE] for name in PLAIN if "$" in self.text(name) and self.text(name) != was.text(name)}
        other = sharing(self.key, document.get("connectors", {}))
        if other and self.text("password") == VARIABLE:
            found["password"] = [f"{self.secret.variable} is the variable of {other}, too; expected another key"]
        if files := files_named(self.text("url"), was.text("url")):
            found["url"] = [NO_FILE.format(", ".join(files))]
        at = leads_to(self.text("url"))
        secret = self.secret.into(self.text("password"), before)
        if "url" not in found and any(at not in known for known in bound.of(secret)):
            found["url"] = [ELSEWHERE]
        return found

    def field_of(self, path: str) -> str:
        """As `PartDraft` has it."""
        first = path.partition(".")[0].removesuffix("_file")
        return first if first in FIELDS else ""
