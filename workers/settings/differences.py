"""What differs between two published configurations."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

CONTEXT: Final = 2
"""Lines around a change in a query: enough to know the place."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One key that differs.

    mark   "+" (new), "-" (gone) or "~" (changed)
    path   key path
    lines  its old and new text: each begins with "-", "+", or, in a text of several lines, with " " or "@@"
    """

    mark: str
    path: str
    lines: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.mark} {self.path}"


def compared(before: str, after: str) -> list[Difference]:
    """What differs between two published configurations, in the order of the key paths, old and new text."""
    old, new = _flat(json.loads(before)), _flat(json.loads(after))
    found = []
    for path in sorted(old.keys() | new.keys()):
        if path not in new:
            found.append(Difference("-", path, _marked("-", old[path])))
        elif path not in old:
            found.append(Difference("+", path, _marked("+", new[path])))
        elif old[path] != new[path]:
            found.append(Difference("~", path, _changed(old[path], new[path])))
    return found


def summary(found: Iterable[Difference]) -> str:
    """All of them in one line, for the audit log."""
    return ", ".join(map(str, found))


def differences(applied: str, own: str) -> list[str]:
    """The same as key paths alone with + (new), - (gone) or ~ (changed)."""
    return [str(each) for each in compared(applied, own)]


def _marked(mark: str, value: object) -> list[str]:
    return [f"{mark}{line}" for line in _lines(value)]


def _changed(old: object, new: object) -> list[str]:
    before, after = _lines(old), _lines(new)
    if len(before) == len(after) == 1:
        return [*_marked("-", old), *_marked("+", new)]
    # The first two lines name files, and there are none.
    return list(difflib.unified_diff(before, after, lineterm="", n=CONTEXT))[2:]


def _lines(value: object) -> list[str]:
    """A value as lines: a query's own, anything else as JSON."""
    if isinstance(value, str) and "\n" in value:
        return value.strip("\n").split("\n")
    return [json.dumps(value, ensure_ascii=False)]


def _flat(value: object, path: str = "") -> dict[str, object]:
    if not isinstance(value, dict) or not value:
        return {path: value}
    flat: dict[str, object] = {}
    for key, inner in value.items():
        flat |= _flat(inner, f"{path}.{key}" if path else str(key))
    return flat
