"""What one profile, or one batch, may cost: bounds on the work and the text that a query makes of it.

Loops in one another multiply, and so does a function that a loop calls: a list of 10,000 items, gone over in itself,
is a hundred million rounds. So do many tags of one long text. Whoever goes over a list, works on a value or has written
something takes from what is left; where nothing is, it is that profile's data error. A query without such loops and
with few tags counts nothing, unless what it is given is large.
"""

from __future__ import annotations

from collections import Counter
from sys import getsizeof
from typing import TYPE_CHECKING

from workers.templates.model import BAD_VALUE, Oversized, RowProblem
from workers.templates.nodes import BatchIn, Call, Compare, Field, For, Out, expressions_in, fields_of, inside, walk
from workers.templates.values import pairs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workers.templates.model import Row
    from workers.templates.nodes import Node

ALL = 32_000_000
"""Of this a profile may take: some tenths of a second, and as many bytes of text, of which the statement is made."""
ROUND = 200
"""What each node of the query takes in a round of a loop, and each part of a list or an object that is read."""
FEW = 12
"""Without a loop over a list, a query of so few placeholders, calls and comparisons needs no count."""
LARGE = 4_000_000
"""Unless it writes more bytes of profiles than these: a quote becomes two, and beside one emoji eight bytes."""
LONG = 65_536
"""Characters from which a text is looked at before it is written, and not afterwards."""
_SPECIAL = "'\"\\\0\x1a\n\r"
"""What is written as two characters, in one dialect or another."""


def is_counted(nodes: list[Node]) -> bool:
    """Whether a query can make much of any profile: it has a loop over a list, or many tags."""
    if any(isinstance(node, For) and node.items is not None for node in walk(nodes)):
        return True
    works = sum(isinstance(part, (Call, Compare)) for value in expressions_in(nodes) for part in inside(value))
    return works + sum(isinstance(node, Out) for node in walk(nodes)) > FEW


def most_written(nodes: list[Node]) -> int:
    """How often a query writes the field that it writes most often: so often it may write all of a profile."""
    times: Counter[object] = Counter()
    whole = 0
    for node in walk(nodes):
        if isinstance(node, BatchIn):
            times[node.field.steps] += 2  # once to look for what needs escaping
        elif isinstance(node, Out):
            for steps in {one.steps for one in fields_of(node.expression) if isinstance(one, Field)}:
                times[steps[:1]] += 1
                whole += not steps
    return whole + max(times.values(), default=0)


def bytes_of(rows: Sequence[Row]) -> int:
    """About as many as the profiles had as JSON, where nobody knows."""
    return sum(_bytes_of(row.profile) for row in rows)


def _bytes_of(profile: object) -> int:
    found, waiting = 0, [profile]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += one.values()
            waiting += one.keys()
        elif isinstance(one, list):
            waiting += one
        else:
            found += 4 + (len(one) if isinstance(one, str) else 0)
    return found


class Allowance:
    """What is left for one profile, or one segment event, and for all that are rendered together."""

    __slots__ = ("_all_left", "_left", "_paid", "_seen")

    def __init__(self) -> None:
        self._left = self._all_left = ALL
        self._seen = self._paid = 0

    def next(self, out: list[str]) -> None:
        """Another profile begins.

        Out  what has been written so far, which others have paid for.
        """
        self._left = ALL
        self._seen, self._paid = len(out), 0

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

    def writing(self, value: object, field: str) -> object:
        """The value, which is going to be written: a long text is paid for before there is any more of it."""
        if not isinstance(value, str):
            return self.reading(value, field)
        if len(value) > LONG:
            doubled = sum(value.count(special) for special in _SPECIAL)
            cost = getsizeof(value) // len(value) * (len(value) + doubled)
            self._paid += cost
            self._take(cost, field)
        return value

    def wrote(self, out: list[str]) -> None:
        """Takes for what has been written since the last time; a statement begins with an empty list."""
        if self._seen > len(out):
            self._seen = 0
        written = sum([getsizeof(text) for text in out[self._seen :]])
        self._take(max(0, written - self._paid), "")
        self._seen, self._paid = len(out), 0
        self._all_left -= written
        if self._all_left < 0:
            raise Oversized

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
            _refuse(field)


def _refuse(field: str) -> None:
    raise RowProblem(field, BAD_VALUE, "expected lists and texts of which the query's loops and tags make less")
