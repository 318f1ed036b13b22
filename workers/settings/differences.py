"""What differs between two published configurations."""

from __future__ import annotations

import json


def differences(applied: str, own: str) -> list[str]:
    """What differs between two published configurations, as key paths with + (new), - (gone) or ~ (changed)."""
    before, after = _flat(json.loads(applied)), _flat(json.loads(own))
    found = [f"- {path}" for path in before if path not in after]
    found += [f"+ {path}" for path in after if path not in before]
    found += [f"~ {path}" for path in after if path in before and before[path] != after[path]]
    return sorted(found, key=lambda line: line[2:])


def _flat(value: object, path: str = "") -> dict[str, object]:
    if not isinstance(value, dict) or not value:
        return {path: value}
    flat: dict[str, object] = {}
    for key, inner in value.items():
        flat |= _flat(inner, f"{path}.{key}" if path else str(key))
    return flat
