"""People's data as a page shows it before anybody has asked for it: which fields there are, and nothing of them."""

from __future__ import annotations

import json
from typing import Final

MASK: Final = "•••"
DEEPEST: Final = 20
"""Levels of nesting that are shown; what lies deeper is masked as a whole."""


def masked(payload: bytes) -> str:
    """A payload's field names with its values masked; what is no JSON object shows only its size."""
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        return f"{MASK} ({len(payload):,} bytes)"
    return json.dumps(_masked(found, 0), ensure_ascii=False, indent=2)


def _masked(value: object, depth: int) -> object:
    if depth < DEEPEST and isinstance(value, dict):
        return {name: _masked(inner, depth + 1) for name, inner in value.items()}
    if depth < DEEPEST and isinstance(value, list):
        return [_masked(value[0], depth + 1)] * min(1, len(value)) if value else []
    return None if value is None else MASK
