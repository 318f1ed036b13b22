"""The part of JSONPath that `{jsonpath value "path" "item"}` knows.

    $   .name   ['name']   [0]   [-1]   .*   [*]   ..name

Filters and slices are refused when the query is compiled. A path has at most MAX_STEPS steps, and a search
looks at MAX_VISITED values at most, so that no path and no profile can make it run away.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from workers.templates.model import BAD_VALUE, RowProblem

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_STEPS = 20
"""Steps of a path."""
MAX_VISITED = 100_000
"""Values that one search looks at, so that a wide profile costs milliseconds at the most."""
MAX_LEVELS = 100
"""Levels of lists and objects that a search goes down, so that it needs no deep stack."""

KNOWN = (
    "expected .name, ['name'], [0], [-1], .*, [*] or ..name; filters [?…], slices [0:2], lists [0,1] and scripts (…) "
    "are not supported, and what follows `..` is a name"
)

_STEP = re.compile(
    r"""(?P<deep>\.\.)(?P<deep_name>[^\W\d][\w-]*)
    |\.(?P<name>[^\W\d][\w-]*)
    |(?P<all>\.\*|\[\*\])
    |\[(?P<index>-?[0-9]{1,9})\]
    |\[(?:'(?P<single>[^']*)'|"(?P<double>[^"]*)")\]""",
    re.VERBOSE,
)


class PathStep(NamedTuple):
    """One step: "name", "index", "all" or "deep", and its name or number."""

    kind: str
    of: str | int


def parse(path: str) -> tuple[PathStep, ...]:
    """The steps of a path; ValueError says what is wrong with it."""
    if not path.startswith("$"):
        raise ValueError(f"{path!r}: a JSONPath begins with `$`, as in `$.orders[0].id`")
    steps: list[PathStep] = []
    at = 1
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            raise ValueError(f"{path[at:]!r} is nothing that `jsonpath` knows: {KNOWN}")
        if len(steps) == MAX_STEPS:
            raise ValueError(f"{path[at:]!r}: a JSONPath has at most {MAX_STEPS} steps")
        steps.append(_step(match))
        at = match.end()
    return tuple(steps)


def _step(match: re.Match[str]) -> PathStep:
    if match["deep"]:
        return PathStep("deep", match["deep_name"])
    if match["all"]:
        return PathStep("all", "")
    if match["index"]:
        return PathStep("index", int(match["index"]))
    return PathStep("name", match["name"] or match["single"] or match["double"] or "")


def find(value: object, steps: tuple[PathStep, ...], field: str) -> list[object]:
    """All values at the path, in the order of the document; RowProblem where that is too much."""
    return _Search(field).find(value, steps)


class _Search:
    """One search, which looks at MAX_VISITED values at most."""

    def __init__(self, field: str) -> None:
        self._field = field
        self._visited = 0

    def find(self, value: object, steps: tuple[PathStep, ...]) -> list[object]:
        found = [value]
        for step in steps:
            found = [hit for one in found for hit in self._hits(one, step)]
        return found

    def _hits(self, value: object, step: PathStep) -> Iterator[object]:
        self._count()
        if step.kind == "deep":
            yield from self._deep(value, str(step.of), 0)
        elif step.kind == "all":
            yield from _children(value)
        elif isinstance(value, dict) and step.kind == "name":
            yield from (value[step.of],) if step.of in value else ()
        elif isinstance(value, list) and isinstance(step.of, int):
            yield from value[step.of : step.of + 1 or None]

    def _deep(self, value: object, name: str, level: int) -> Iterator[object]:
        self._count()
        if level > MAX_LEVELS:
            raise RowProblem(self._field, BAD_VALUE, f"expected at most {MAX_LEVELS} levels of lists and objects")
        if isinstance(value, dict) and name in value:
            yield value[name]
        for child in _children(value):
            yield from self._deep(child, name, level + 1)

    def _count(self) -> None:
        self._visited += 1
        if self._visited > MAX_VISITED:
            raise RowProblem(
                self._field, BAD_VALUE, f"expected a value with at most {MAX_VISITED:,} parts for this path"
            )


def _children(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
