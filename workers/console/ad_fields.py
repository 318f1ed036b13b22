"""`fields` of an ad account's integration while somebody writes it in a form: what is sent, and from where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from workers.connectors.audiences.platforms import PLATFORMS
from workers.settings.ad_integrations import HASHES, spelled_out

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.connectors.audiences.records import AdField, Platform

VALUE, HASHED = "fields.", "hashed."
"""What the names of a form's fields begin with: what is sent, and as what it is hashed already."""
NAMES: Final = frozenset(name for platform in PLATFORMS.values() for name in platform.fields)
_USUAL: Final = {"email": "email", "em": "email", "phone": "phone", "ph": "phone"}


def usual(platform: Platform) -> dict[str, str]:
    """What a new form begins with."""
    return {f"{VALUE}{name}": text for name, text in _USUAL.items() if name in platform.fields}


def may_be_hashed(field: AdField) -> bool:
    """Whether a profile may hold its hash already: one hash, of one value."""
    return bool(field.hash) and len(field.kinds) == 1


def names_of(platform: Platform) -> list[str]:
    """The form's fields."""
    return [f"{kind}{name}" for name in platform.fields for kind in (VALUE, HASHED)]


def from_table(table: Mapping[str, Any], platform: Platform) -> dict[str, str]:
    """The form's fields for `fields` as it was applied; names that the published list has become segsync's own."""
    also = {field.also: name for name, field in platform.fields.items() if field.also}
    found: dict[str, str] = {}
    for name, value in spelled_out(table, also).items():
        own = also.get(name, name)
        if isinstance(value, dict):
            declared = next((kind for kind in HASHES if kind in value), "")
            found |= {f"{VALUE}{own}": str(value.get(declared, "")), f"{HASHED}{own}": declared}
        else:
            found[f"{VALUE}{own}"] = str(value)
    return found


def to_table(fields: Mapping[str, str], platform: Platform) -> dict[str, Any] | None:
    """The table that they stand for; None where all are empty."""
    found: dict[str, Any] = {}
    for name in platform.fields:
        if text := fields.get(f"{VALUE}{name}", "").strip():
            declared = fields.get(f"{HASHED}{name}", "")
            found[name] = {declared: text} if declared in HASHES else text
    return found or None


def field_of(rest: str) -> str:
    """The form's field for a key path below `fields`."""
    name = rest.partition(".")[0]
    return f"{VALUE}{name}" if name in NAMES else "fields"
