"""The operations that a deliverer holds of a lane, in order, chunk by chunk: taken from the head, added at the end."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.lanes.chunks import Operation


class Hand:
    """A queue of operations, each with the segment's name as the lane had passed it there."""

    def __init__(self) -> None:
        self._stretches: deque[tuple[str | None, list[Operation]]] = deque()
        self._taken = 0  # of the first stretch
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[tuple[Operation, str | None]]:
        taken = self._taken
        for name, operations in self._stretches:
            yield from ((operation, name) for operation in islice(operations, taken, None))
            taken = 0

    def add(self, name: str | None, operations: list[Operation]) -> None:
        """More at the end, all under one name."""
        if operations:
            self._stretches.append((name, operations))
            self._length += len(operations)

    def drop(self, count: int) -> None:
        """So many less at the head."""
        self._length -= count
        self._taken += count
        while self._stretches and self._taken >= len(self._stretches[0][1]):
            self._taken -= len(self._stretches.popleft()[1])

    def after(self, count: int) -> Operation | None:
        """The one that is the first when so many are gone."""
        return next((operation for operation, _ in islice(self, count, None)), None)

    def head(self, most: int, behind: int = 0) -> tuple[str | None, list[Operation]]:
        """The first ones behind so many, at most so many, as far as their name is one."""
        skipped, name = self._taken + behind, None
        found: list[Operation] = []
        for other, operations in self._stretches:
            if skipped >= len(operations):
                skipped -= len(operations)
                continue
            if len(found) >= most or (found and other != name):
                break
            name = other
            found += operations[skipped : skipped + most - len(found)]
            skipped = 0
        return name, found
