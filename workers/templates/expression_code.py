"""Python code for the expressions and placeholders of a query.

Code consists of names made up here and of operators. The template's own text, field names and constants
never stand in it: they are values, found under made-up names (`c1`, `c2`).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from workers.templates import functions, literals, values
from workers.templates.allowance import Allowance
from workers.templates.contexts import BARE, TEXT, VALUE
from workers.templates.dates import MAX_TIMES, clock, zone
from workers.templates.lexer import Lexer
from workers.templates.nodes import (
    Builtin,
    Call,
    Compare,
    Const,
    Expression,
    Field,
    Local,
    Logic,
    Meta,
    Not,
    Out,
    fields_of,
    parts_of,
)
from workers.templates.values import QUICK

if TYPE_CHECKING:
    from datetime import tzinfo

    from workers.templates.dialect import Dialect
    from workers.templates.literals import Writer

_COMPARISONS = {
    "=": "equal({0}, {1})",
    "!=": "not equal({0}, {1})",
    "<": "below({0}, {1}, {2})",
    "<=": "at_most({0}, {1}, {2})",
    ">": "below({1}, {0}, {2})",
    ">=": "at_most({1}, {0}, {2})",
    "contains": "contains({0}, {1}, {2})",
    "in": "contains({1}, {0}, {2})",
}


@dataclass(frozen=True)
class CodeTarget:
    """What the code is made for: a dialect, the query's settings, and whether rows come with the event."""

    dialect: Dialect
    timezone: tzinfo
    key: tuple[str, ...]
    has_rows: bool
    one_row: bool


class Part(NamedTuple):
    """Code of a piece of text.

    fixed  whether it is the same for every row
    test   code that says whether `quick` may stand for it; "" where there is no quick way
    quick  what is written then
    """

    code: str
    fixed: bool = False
    test: str = ""
    quick: tuple[Part, ...] = ()


class Names:
    """The names that generated code may use, and what is behind them."""

    def __init__(self, target: CodeTarget) -> None:
        dialect = target.dialect
        instant = clock(target.timezone, offset=dialect.offset)
        self.known: dict[str, object] = {
            "__builtins__": {"type": type, "str": str, "int": int, "len": len, "enumerate": enumerate},
            **functions.PLAIN,
            "truth": values.truth,
            "equal": values.equal,
            "below": values.below,
            "at_most": values.at_most,
            "contains": values.contains,
            "pick": values.pick,
            "Allowance": Allowance,
            "key_text": values.key_text,
            "segment_id": lambda text: literals.segment_id(text, dialect),
            "instant": instant,
            "moment": lru_cache(MAX_TIMES)(lambda us: literals.moment(dialect, target.timezone, instant(us))),
            "finish": literals.finisher(dialect),
            "begins": Lexer(dialect).begins,
        }
        self._count = 0
        self._constants: dict[tuple[type, object], str] = {}

    def new(self, letter: str) -> str:
        """A name that nothing has yet."""
        self._count += 1
        return f"{letter}{self._count}"

    def bind(self, letter: str, value: object) -> str:
        """A new name for a value."""
        name = self.new(letter)
        self.known[name] = value
        return name

    def short(self, name: str) -> str:
        """Code that says whether a value is an integer that is written as it is, and needs no closer look."""
        return f"type({name}) is int and 0 <= {name} < {self.constant(QUICK)}"

    def constant(self, value: object) -> str:
        """The name of a constant; equal ones share it (1 and True are not equal here)."""
        known = self._constants.get((type(value), value))
        if known is None:
            known = self._constants[type(value), value] = self.bind("c", value)
        return known


@dataclass
class Variables:
    """The code's variables: those that hold fields, and those of the template's loops."""

    fields: dict[tuple[str, object], str] = field(default_factory=dict)
    local: dict[str, str] = field(default_factory=dict)


class Expressions:
    """Makes code of expressions."""

    def __init__(self, target: CodeTarget, names: Names, variables: Variables, *, counted: bool) -> None:
        self._target = target
        self._names = names
        self._variables = variables
        self._counted = counted

    def read(self, value: Expression, how: str = "reading") -> str:
        """Code that gives the expression's value, all of which is going to be read, or written by "writing"."""
        if not self._counted or isinstance(value, (Const, Meta, Builtin)):
            return self.value(value)
        return f"spent.{how}({self.value(value)}, {self.field_name(value)})"

    def value(self, value: Expression) -> str:
        """Code that gives the expression's value."""
        if isinstance(value, Field):
            return self._variables.fields[value.row, value.steps]
        if isinstance(value, Meta):
            return self._meta(value)
        if isinstance(value, Builtin):
            return "segment_id(segment.id)" if value.name == "segment_id" else "segment.name"
        if isinstance(value, Local):
            name = self._variables.local[value.name]
            return f"pick({name}, {self._names.constant(value.steps)})" if value.steps else name
        if isinstance(value, Const):
            return self._names.constant(value.value)
        return self._call(value) if isinstance(value, Call) else self.condition(value)

    def condition(self, value: Expression) -> str:
        """Code that gives True or False."""
        if isinstance(value, Compare):
            left, right = self.read(value.left), self.read(value.right)
            return f"({_COMPARISONS[value.operator].format(left, right, self.field_name(value))})"
        if isinstance(value, Logic):
            return "(" + f" {value.operator} ".join(self.condition(part) for part in value.parts) + ")"
        if isinstance(value, Not):
            return f"(not {self.condition(value.part)})"
        return f"truth({self.value(value)})"

    def time(self) -> str:
        """Code of the event's time in microseconds."""
        return "row[1]" if self._target.has_rows else "segment.event_time_us"

    def field_name(self, value: Expression) -> str:
        """Name of a constant: the field that messages about this expression name."""
        named = next(iter(fields_of(value)), value)
        return self._names.constant(named.name if isinstance(named, (Field, Meta, Builtin)) else "")

    def is_key(self, value: Expression) -> bool:
        """Whether a key field is in it that `number` does not make a number of."""
        if isinstance(value, Field):
            return value.name in self._target.key
        if isinstance(value, Call) and value.name == "number":
            return False
        return any(self.is_key(part) for part in parts_of(value))

    def _meta(self, value: Meta) -> str:
        if value.name == "_event_time":
            return f"instant({self.time()})"
        return "row[2]" if self._target.has_rows else "segment.sequence"

    def _call(self, value: Call) -> str:
        if value.name in functions.PLAIN:
            arguments = ", ".join(self.read(argument) for argument in value.arguments)
            return f"{value.name}({arguments}, {self.field_name(value)})"
        made = self._date(value) if value.name == "date" else self._jsonpath(value)
        return f"{self._names.bind('f', made)}({self.read(value.arguments[0])}, {self.field_name(value)})"

    def _date(self, value: Call) -> functions.Bound:
        pattern, *named = _texts(value)
        return functions.date(pattern, (zone(named[0]) if named else None) or self._target.timezone)

    def _jsonpath(self, value: Call) -> functions.Bound:
        path, mode = _texts(value)
        return functions.path_finder(path, mode)


def _texts(value: Call) -> list[str]:
    return [str(argument.value) for argument in value.arguments[1:] if isinstance(argument, Const)]


class Placeholders:
    """Makes code of placeholders: a quick way for texts with nothing special in them, a writer for all else."""

    def __init__(self, target: CodeTarget, names: Names, expressions: Expressions) -> None:
        self._target = target
        self._dialect = target.dialect
        self._names = names
        self._expressions = expressions

    def parts(self, node: Out) -> list[Part]:
        """The pieces that stand where the placeholder stood."""
        value = node.expression
        if isinstance(value, Meta):
            return self._meta(node, value)
        code = self._written(node, value)
        if isinstance(value, (Builtin, Const)):
            return [Part(code, fixed=True)]
        if isinstance(value, Field) or (isinstance(value, Local) and not value.steps):
            return [self._quick(node, value, code)]
        return [Part(code)]

    def _meta(self, node: Out, value: Meta) -> list[Part]:
        """Times and sequences hold nothing that needs escaping; only the place decides on quotes."""
        code, quotes = self._expressions.value(value), node.context == VALUE
        if value.name == "_event_time":
            time = self._expressions.time()
            quotes = quotes or (node.context == BARE and node.constant)
            code = f"moment({time})" if node.context == BARE and not quotes else f"instant({time}).text"
        part = Part(code, fixed=not value.row)
        return list(self._between_quotes(node, part)) if quotes else [part]

    def _between_quotes(self, node: Out, part: Part) -> tuple[Part, ...]:
        quote = node.quote or "'"
        opening, closing = self._names.constant(self._dialect.prefix + quote), self._names.constant(quote)
        return Part(opening, fixed=True), part, Part(closing, fixed=True)

    def _quick(self, node: Out, value: Expression, code: str) -> Part:
        """A text in which nothing is special is copied, and an integer between quotes; a key, if it is not empty."""
        if node.constant or (self._dialect.joint and node.context == TEXT):
            return Part(code)
        name, key = self._expressions.value(value), self._expressions.is_key(value)
        test = " and ".join([f"type({name}) is str", *([name] if key else []), *self._plain(name, node)])
        if key or node.context != BARE:  # where no quotes are written in, an integer has none
            test = f"({test} or {self._names.short(name)})"
        quick = (Part(name),) if node.context == TEXT else self._between_quotes(node, Part(name))
        return Part(code, test=test, quick=quick)

    def _plain(self, name: str, node: Out) -> list[str]:
        tests = [
            f"{self._names.constant(special)} not in {name}" for special in self._dialect.escapes[node.quote or "'"]
        ]
        if self._dialect.longest < sys.maxsize:
            tests.append(f"len({name}) <= {self._dialect.longest}")
        return [*tests, f"{name}.isascii()"] if self._dialect.lookalikes else tests

    def _written(self, node: Out, value: Expression) -> str:
        code, name = self._expressions.read(value, "writing"), self._expressions.field_name(value)
        return f"{self._names.bind('w', self._writer(node, value))}({code}, {name})"

    def _writer(self, node: Out, value: Expression) -> Writer:
        key = self._expressions.is_key(value)
        if node.constant:
            return self._constant_writer(node, key=key)
        if node.context == BARE:
            return literals.bare_writer(self._dialect, self._target.timezone, key=key)
        if node.context == TEXT:
            return literals.text_writer(self._dialect, node.quote, key=key)
        return literals.value_writer(self._dialect, node.quote, key=key)

    def _constant_writer(self, node: Out, *, key: bool) -> Writer:
        dialect = literals.constants_only(self._dialect)
        if node.context == BARE:
            return literals.constant_writer(literals.bare_writer(dialect, self._target.timezone, key=key))
        if node.context == TEXT:
            return literals.constant_writer(literals.text_writer(dialect, node.quote, key=key), part=True)
        return literals.constant_writer(literals.value_writer(dialect, node.quote, key=key))
