"""What one profile may cost: bounds on the work and the text that a query's loops and long values make of it.

Loops in one another multiply, and so does a function that a loop calls: a list of 10,000 items, gone over in itself,
is a hundred million rounds. Whoever goes over a list, works on a value or has written something takes from what is
left; where nothing is, it is that profile's data error. Queries without such loops and with few tags count nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.templates.model import BAD_VALUE, RowProblem
from workers.templates.nodes import Call, Compare, For, Out, expressions_in, inside, walk
from workers.templates.values import pairs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.templates.nodes import Node

ALL = 30_000_000
"""Of this a profile may take: some tenths of a second, and some ten megabytes."""
ROUND = 200
"""What each node of the query takes in a round of a loop, and each part of a list or an object that is read."""
FEW = 12
"""Without a loop over a list, a query of so few placeholders, calls and comparisons needs no count."""
WRITTEN, WIDE = 2, 6
"""What a character of the statement takes, in ASCII and beyond; one that is only read takes 1."""


def is_counted(nodes: list[Node]) -> bool:
    """Whether a query can make much of a profile: it has a loop over a list, or many tags."""
    if any(isinstance(node, For) and node.items is not None for node in walk(nodes)):
        return True
    works = sum(isinstance(part, (Call, Compare)) for value in expressions_in(nodes) for part in inside(value))
    return works + sum(isinstance(node, Out) for node in walk(nodes)) > FEW


class Allowance:
    """What is left for one profile, or one segment event."""

    __slots__ = ("_left", "_seen")

    def __init__(self, out: list[str]) -> None:
        """Out  what has been written so far, which others have paid for."""
        self._left = ALL
        self._seen = len(out)

    def rounds(self, value: object, field: str, nodes: int) -> Iterator[tuple[object, object]]:
        """What a loop with so many nodes in it goes over, each round paid for when it begins."""
        self._take(ROUND, field)
        for pair in pairs(value, field):
            self._take(ROUND * nodes, field)
            yield pair

    def reading(self, value: object, field: str) -> object:
        """The value, all of which is going to be read."""
        if isinstance(value, str):
            self._take(len(value), field)
        elif isinstance(value, (list, dict)):
            self._read(value, field)
        return value

    def wrote(self, out: list[str]) -> None:
        """Takes for what has been written since the last time; a statement begins with an empty list."""
        if self._seen > len(out):
            self._seen = 0
        self._take(sum([len(text) * (WRITTEN if text.isascii() else WIDE) for text in out[self._seen :]]), "")
        self._seen = len(out)

    def _read(self, value: object, field: str) -> None:
        waiting = [value]
        while waiting:
            one = waiting.pop()
            self._take(ROUND + (len(one) if isinstance(one, str) else 0), field)
            if isinstance(one, dict):
                self._take(sum(map(len, one)), field)
                waiting += one.values()
            elif isinstance(one, list):
                waiting += one

    def _take(self, cost: int, field: str) -> None:
        self._left -= cost
        if self._left < 0:
            raise RowProblem(field, BAD_VALUE, "expected lists and texts of which the query's loops and tags make less")
