"""The events of the workloads, and the rows that must come of them."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tests.model import Model, mixed, profiles

if TYPE_CHECKING:
    from tests.targets import TargetDatabase

WARM_SEGMENT = 999_999_000
"""Events of this one, and of those behind it, only warm processes up; their rows are wiped before the measuring."""
WARM = 40
"""Events that warm up, each of a segment of its own: enough for each process of a pool to get some."""


@dataclass(frozen=True)
class Load:
    """Events, the operations (profiles) in them, and the rows that they describe."""

    events: list[dict[str, Any]]

    @property
    def operations(self) -> int:
        """Profiles of all events."""
        return sum(len(event["profiles"]) for event in self.events)

    def first(self, operations: int) -> Load:
        """The events of the beginning that come to about so many operations."""
        each = max(1, self.operations // len(self.events))
        return Load(self.events[: max(1, operations // each)])

    @cached_property
    def rows(self) -> set[tuple[str, str]]:
        """What the table must hold."""
        model = Model()
        model.apply(self.events)
        return model.members

    def wrong(self, target: TargetDatabase) -> int:
        """Rows that are missing or too many."""
        return len(self.rows ^ target.members())


HOT = 7
"""The one segment of loads that have one."""


def hot(count: int) -> Load:
    """(a): one segment, adds of one profile each."""
    return Load([_add(HOT, f"C-{n}") for n in range(count)])


def spread(count: int) -> Load:
    """(b): 1,000 segments, adds and removes of one profile each, mixed."""
    return Load(mixed(count, random.Random(7), segments=min(1_000, max(1, count // 20))))


def large(count: int) -> Load:
    """(c): one segment, adds of 1,000 profiles each."""
    return Load([_add(HOT, *(f"C-{n}" for n in range(start, start + 1_000))) for start in range(0, count, 1_000)])


def single(count: int) -> Load:
    """(d): one event for each segment."""
    return Load([_add(n, f"C-{n}") for n in range(1, count + 1)])


def segments(count: int, each: int, first: int = 1) -> Load:
    """So many segments, each with one event of `each` profiles."""
    return Load([_add(n, *(f"C-{n}-{i}" for i in range(each))) for n in range(first, first + count)])


def warm_up() -> Load:
    """What is sent before anything is measured."""
    return Load([_add(WARM_SEGMENT + n, f"C-{n}") for n in range(WARM)])


def _add(segment: int, *keys: str) -> dict[str, Any]:
    return {"type": "add", "segment": {"id": segment}, "profiles": profiles(*keys)}
