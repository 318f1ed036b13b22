"""The functions of the template language. All but `default` make null of null.

A function gets its arguments' values and the field's name for messages, and gives a value. Whether and
how that is escaped is decided where it is written, never here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from workers.events.numerals import Numeral
from workers.templates import jsonpath
from workers.templates.dates import format_mistake, format_time, zone
from workers.templates.model import BAD_VALUE, RowProblem
from workers.templates.nodes import Const, Expression
from workers.templates.values import digits_of, is_number, json_of, text_of, type_name

if TYPE_CHECKING:
    from datetime import tzinfo

Bound = Callable[[object, str], object]
"""A function whose constants are settled: it takes a value and the name of its field."""

_NUMBER = re.compile(r"([+-]?+)0*+([0-9]*+)(\.[0-9]++)?+([eE][+-]?+[0-9]++)?+", re.ASCII)
"""Nothing in it is tried twice, so that no text takes longer than its length."""


class Function(NamedTuple):
    """How often a function takes arguments, and an example for messages."""

    least: int
    most: int
    example: str


FUNCTIONS = {
    "date": Function(2, 3, '{date $lead.born "%Y-%m-%d" "Europe/Berlin"}'),
    "default": Function(2, 2, '{default $lead.name "unknown"}'),
    "json": Function(1, 1, "{json $lead.tags}"),
    "jsonpath": Function(3, 3, '{jsonpath $lead.orders "$[0].id" "item"}'),
    "lower": Function(1, 1, "{lower $lead.email}"),
    "md5": Function(1, 1, "{md5 $lead.email}"),
    "number": Function(1, 1, "{number $lead.age}"),
    "sha256": Function(1, 1, "{sha256 $lead.email}"),
    "trim": Function(1, 1, "{trim $lead.name}"),
    "upper": Function(1, 1, "{upper $lead.country}"),
}


def check_call(name: str, arguments: list[Expression]) -> str | None:
    """What is wrong with a call, as a sentence; None if nothing is."""
    function = FUNCTIONS[name]
    if not function.least <= len(arguments) <= function.most:
        return f"`{name}` got {len(arguments)} value{'s' * (len(arguments) != 1)}; write it as {function.example}"
    if name == "date":
        return _check_date(arguments)
    if name == "jsonpath":
        return _check_jsonpath(arguments)
    return None


def _constant(argument: Expression) -> str | None:
    return argument.value if isinstance(argument, Const) and isinstance(argument.value, str) else None


def _check_date(arguments: list[Expression]) -> str | None:
    texts = [_constant(argument) for argument in arguments[1:]]
    if texts[0] is None:
        return f"the format of `date` is a text in quotes; write it as {FUNCTIONS['date'].example}"
    if len(texts) > 1 and (texts[1] is None or zone(texts[1]) is None):
        return 'the zone of `date` is a name in quotes, as in "Europe/Berlin" or "UTC"'
    return format_mistake(texts[0])


def _check_jsonpath(arguments: list[Expression]) -> str | None:
    path, mode = map(_constant, arguments[1:])
    if path is None or mode not in ("item", "array"):
        return f'`jsonpath` takes a path in quotes and "item" or "array"; write it as {FUNCTIONS["jsonpath"].example}'
    try:
        jsonpath.parse(path)
    except ValueError as error:
        return str(error)
    return None


def date(pattern: str, timezone: tzinfo) -> Bound:
    """The function that writes a time in `pattern`, moved to `timezone` if it has a zone of its own."""

    def written(value: object, field: str) -> str | None:
        return None if value is None else format_time(value, pattern, timezone, field)

    return written


def path_finder(path: str, mode: str) -> Bound:
    """The function that finds values: with "item" the first one or null, with "array" a list of all."""
    steps = jsonpath.parse(path)

    def found(value: object, field: str) -> object:
        if value is None:
            return None
        hits = jsonpath.find(value, steps, field)
        return hits if mode == "array" else next(iter(hits), None)

    return found


def default(value: object, other: object, _field: str) -> object:
    """`other` where the value is missing or null; an empty text stays."""
    return other if value is None else value


def json_text(value: object, field: str) -> str | None:
    """The value as JSON."""
    return None if value is None else json_of(value, field)


def lower(value: object, field: str) -> str | None:
    """The text in small letters."""
    return None if value is None else text_of(value, field).lower()


def upper(value: object, field: str) -> str | None:
    """The text in capitals."""
    return None if value is None else text_of(value, field).upper()


def trim(value: object, field: str) -> str | None:
    """The text without blanks around it."""
    return None if value is None else text_of(value, field).strip()


def md5(value: object, field: str) -> str | None:
    """The MD5 of the text's UTF-8, in small hexadecimal digits: what ad platforms ask for, no secret."""
    return None if value is None else hashlib.md5(_utf8(value, field), usedforsecurity=False).hexdigest()


def sha256(value: object, field: str) -> str | None:
    """The SHA-256 of the text's UTF-8, in small hexadecimal digits."""
    return None if value is None else hashlib.sha256(_utf8(value, field)).hexdigest()


def _utf8(value: object, field: str) -> bytes:
    try:
        return text_of(value, field).encode()
    except UnicodeEncodeError:
        raise RowProblem(field, BAD_VALUE, "expected text without lone surrogates") from None


def number(value: object, field: str) -> int | Numeral | None:
    """The number that a value is or spells ("007" is 7); RowProblem for everything else."""
    if value is None:
        return None
    if is_number(value) or isinstance(value, float):
        return Numeral(digits_of(value, field))
    if not isinstance(value, str):
        raise RowProblem(field, BAD_VALUE, f"expected a number, got {type_name(value)}")
    text = value.strip()
    match = _NUMBER.fullmatch(text)
    if match is None or not text.lstrip("+-")[:1].isdigit():
        raise RowProblem(field, BAD_VALUE, "expected a number, got a text that spells none")
    spelled = [match[1].replace("+", ""), match[2] or "0", match[3] or "", match[4] or ""]
    return Numeral(digits_of(Numeral("".join(spelled)), field))


PLAIN: dict[str, Callable[..., object]] = {
    "default": default,
    "json": json_text,
    "lower": lower,
    "md5": md5,
    "number": number,
    "sha256": sha256,
    "trim": trim,
    "upper": upper,
}
"""The functions that need nothing from their call's constants; `date` and `jsonpath` do."""
