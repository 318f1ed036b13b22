"""A template's parts, as the parser makes them and the compiler reads them."""

from __future__ import annotations

import sys
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.events.numerals import Numeral

Steps = tuple[str | int, ...]


class Field(NamedTuple):
    """A profile's field: `$lead.address.city`. `row` is the loop variable, "" for `lead`."""

    row: str
    steps: Steps
    name: str
    """The path as messages and `key` have it: "address.city"; "" is the whole profile."""


class Meta(NamedTuple):
    """`$lead._event_time` or `$lead._sequence`."""

    row: str
    name: str


class Builtin(NamedTuple):
    """`segment_id` or `segment_name`."""

    name: str


class Local(NamedTuple):
    """A loop's variable that is no profile, or something inside it."""

    name: str
    steps: Steps


class Const(NamedTuple):
    """A text, number, true, false or null written in the template."""

    value: str | int | Numeral | bool | None


class Call(NamedTuple):
    """A function and its arguments."""

    name: str
    arguments: tuple[Expression, ...]


class Compare(NamedTuple):
    """Two values and what is asked of them."""

    operator: str
    left: Expression
    right: Expression


class Logic(NamedTuple):
    """`and` or `or` over two or more conditions."""

    operator: str
    parts: tuple[Expression, ...]


class Not(NamedTuple):
    """The opposite of a condition."""

    part: Expression


Expression = Field | Meta | Builtin | Local | Const | Call | Compare | Logic | Not


@dataclass(slots=True)
class Text:
    """SQL text between tags. A comment or {literal} in between may have made it of several pieces.

    starts  (index in text, place in the source) of each piece
    cut_left, cut_right  characters that the literal of a neighbouring placeholder replaces
    inserts              index in text -> what the compiler adds there (an N before a literal)
    """

    text: str
    starts: list[tuple[int, int]]
    cut_left: int = 0
    cut_right: int = 0
    inserts: dict[int, str] = field(default_factory=dict)

    def place(self, index: int) -> int:
        """Where in the source the character at `index` stands."""
        offset, start = self.starts[bisect_right(self.starts, (index, sys.maxsize)) - 1]
        return start + index - offset

    def sql(self) -> str:
        """What of it stands in the statement."""
        text = self.text
        for index, more in sorted(self.inserts.items(), reverse=True):
            text = text[:index] + more + text[index:]
        return text[self.cut_left : len(text) - self.cut_right]


@dataclass(slots=True)
class Out:
    """A placeholder. Its context is found by contexts.py.

    context   "bare", "value" (fills a whole literal) or "text" (a part of one); "" before it is known
    quote     the literal's quote character
    constant  whether only a constant may stand there, and no expression, as in SQL Server's EXEC
    """

    expression: Expression
    place: int
    context: str = ""
    quote: str = ""
    constant: bool = False


@dataclass(slots=True)
class AutoComma:
    """`{autocomma}`."""

    place: int


@dataclass(slots=True)
class BatchIn:
    """`{batch_in "Field"}` or `{batch_in number "Field"}`."""

    field: Field
    number: bool
    place: int


@dataclass(slots=True)
class If:
    """`{if}` … `{elseif}` … `{else}` … `{end}`: the conditions with what they hold, then `{else}`'s."""

    branches: list[tuple[Expression, list[Node]]]
    otherwise: list[Node] | None
    place: int


@dataclass(slots=True)
class For:
    """`{for $index, $variable = items}` … `{end}`; `items` is None for `$batch`.

    in_literal  whether it stands inside a literal
    is_list     whether it is all that the statement's VALUES have, or IN (…) in a condition that every row must meet:
                empty, it leaves nothing that could be run
    is_value    whether it is all that another IN (…) or VALUES has, whose statement runs whatever it holds
    is_rows     whether that is VALUES, which no database reads without any
    """

    index: str | None
    variable: str
    items: Expression | None
    body: list[Node]
    place: int
    in_literal: bool = False
    is_list: bool = False
    is_value: bool = False
    is_rows: bool = False

    @property
    def is_needed(self) -> bool:
        """Whether its statement is not sent where it came out empty. A loop that makes a value may be empty."""
        return not self.in_literal and (self.items is None or self.is_list)


Node = Text | Out | AutoComma | BatchIn | If | For


def parts_of(value: Expression) -> tuple[Expression, ...]:
    """The expressions that an expression is made of."""
    if isinstance(value, Call):
        return value.arguments
    if isinstance(value, Compare):
        return (value.left, value.right)
    if isinstance(value, Logic):
        return value.parts
    return (value.part,) if isinstance(value, Not) else ()


def inside(value: Expression) -> Iterator[Expression]:
    """An expression and all that it is made of, from left to right."""
    yield value
    for part in parts_of(value):
        yield from inside(part)


def fields_of(value: Expression) -> list[Field]:
    """The profile fields in an expression, from left to right."""
    return [part for part in inside(value) if isinstance(part, Field)]


def walk(nodes: list[Node], *, into_loops: bool = True) -> Iterator[Node]:
    """All nodes, and those inside of conditions and (unless told not to) of loops."""
    for node in nodes:
        yield node
        if isinstance(node, If):
            for body in [*(body for _, body in node.branches), node.otherwise or []]:
                yield from walk(body, into_loops=into_loops)
        elif isinstance(node, For) and into_loops:
            yield from walk(node.body)


def expressions_in(nodes: list[Node]) -> Iterator[Expression]:
    """The expressions of all tags: what is written, asked for and gone over."""
    for node in walk(nodes):
        if isinstance(node, Out):
            yield node.expression
        elif isinstance(node, If):
            yield from (condition for condition, _ in node.branches)
        elif isinstance(node, For) and node.items is not None:
            yield node.items
