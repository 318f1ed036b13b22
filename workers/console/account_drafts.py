"""An ad account while somebody writes it in a form: what its platform wants, and of its secrets the places alone.

Its address has no field: it is the platform's own, or that which segsync.toml has.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from workers.connectors.audiences.platforms import BUILT, PLATFORMS
from workers.console.drafts import whole
from workers.console.secret_places import NO_VARIABLE, VARIABLE, SecretPlace, connector_secret, sharing
from workers.settings.ad_connectors import CONSENTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.connectors.audiences.records import Platform
    from workers.settings.entrusted import Bound

PLAIN: Final = ("consent", "statement_timeout", "connect_timeout")
"""Fields that are text in the file, whatever the platform."""
PLATFORM_NAMES: Final = tuple((key, each.name) for key, each in PLATFORMS.items() if key in BUILT)
"""Those that there is a form for, by key."""
CHOICES_OF_CONSENT: Final = (("", "nothing is said of it"), *((each, each) for each in CONSENTS))
"""What a platform that takes it is told of people's consent."""


@dataclass(frozen=True, slots=True)
class AccountDraft:
    """One form, filled in, as `PartDraft` has it."""

    key: str
    fields: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_table(cls, key: str, table: Mapping[str, Any]) -> AccountDraft:
        """From the account's table, as it was applied."""
        fields = {"platform": str(table.get("platform", ""))}
        found = cls(key, fields)
        fields |= {name: str(table[name]) for name in (*found.plain, "parallelism") if name in table}
        fields["hashing"] = "on" if table.get("hashing", True) else ""
        return cls(key, fields | {place.name: place.of(table) for place in found.secrets})

    @classmethod
    def usual(cls, platform: str) -> AccountDraft:
        """What a new one of a platform begins with; "" for any."""
        found = cls("", {"platform": platform, "hashing": "on"})
        return cls("", {**found.fields, **{each.name: VARIABLE for each in found.secrets if each.required}})

    @property
    def platform(self) -> Platform | None:
        """None where the form names none that there is."""
        return PLATFORMS.get(self.text("platform"))

    @property
    def plain(self) -> tuple[str, ...]:
        """Fields that are text in the file."""
        own = [each.name for each in self.platform.settings if not each.secret] if self.platform else []
        return (*own, *PLAIN)

    @property
    def secrets(self) -> list[SecretPlace]:
        """Where each of its secrets may be."""
        wanted = [each for each in self.platform.settings if each.secret] if self.platform else []
        return [connector_secret(self.key, each.name, each.what, required=each.required) for each in wanted]

    def text(self, name: str) -> str:
        """A field, without blanks around it."""
        return self.fields.get(name, "").strip()

    def table(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """As `PartDraft` has it."""
        was = AccountDraft.of_table(self.key, before)
        secrets = [name for each in self.secrets for name in (each.name, f"{each.name}_file")]
        own = {"platform", "hashing", "parallelism", *self.plain, *secrets}
        found = {name: value for name, value in before.items() if name not in own}
        found["platform"] = self.text("platform")
        for name in (*self.plain, "parallelism"):
            if self.text(name) == was.text(name) and name in before:
                found[name] = before[name]
            elif text := self.text(name):
                found[name] = whole(text) if name == "parallelism" else text
        for each in self.secrets:
            found |= each.into(self.text(each.name), before)
        return found | self._hashing(before)

    def _hashing(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """`hashing`, where the form has a field for it; else as it was."""
        if self.platform is not None and self.platform.hashing_off:
            wanted = bool(self.text("hashing"))
            return {"hashing": wanted} if wanted != before.get("hashing", True) or "hashing" in before else {}
        return {"hashing": before["hashing"]} if "hashing" in before else {}

    def unfit(self, document: Mapping[str, Any], before: Mapping[str, Any], bound: Bound) -> dict[str, list[str]]:  # noqa: ARG002 - its address has no field
        """As `PartDraft` has it."""
        was = AccountDraft.of_table(self.key, before)
        found = {
            name: [NO_VARIABLE] for name in self.plain if "$" in self.text(name) and self.text(name) != was.text(name)
        }
        if before and self.text("platform") != was.text("platform"):
            found["platform"] = [
                f"is {was.text('platform')} for good; expected another ad account for another platform"
            ]
        if other := sharing(self.key, document.get("connectors", {})):
            shared = [each for each in self.secrets if self.text(each.name) == VARIABLE]
            found |= {each.name: [f"{each.variable} is that of {other}, too; expected another key"] for each in shared}
        return found

    def field_of(self, path: str) -> str:
        """As `PartDraft` has it."""
        first = path.partition(".")[0].removesuffix("_file")
        known = {"platform", "hashing", "parallelism", *self.plain, *(each.name for each in self.secrets)}
        return first if first in known else ""
