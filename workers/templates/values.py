"""What JSON values mean in a template: their text, their truth, how they compare.

A value is None (missing and null are one), bool, str, int, Numeral, list or dict; and Instant, which only
`event_time` makes. Whatever does not fit raises RowProblem, whose sentence names types and never values.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation, localcontext
from typing import TYPE_CHECKING, NamedTuple

from workers.events.numerals import Numeral
from workers.templates.model import BAD_KEY, BAD_VALUE, MISSING_KEY, RowProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

type_names = {
    type(None): "null",
    bool: "a boolean",
    str: "a text",
    int: "a number",
    Numeral: "a number",
    list: "a list",
    dict: "an object",
}

JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)

MAX_NUMBER_LENGTH = 1000
"""Characters of a number written bare: more than any database keeps, and far below what str(int) refuses."""

QUICK = 10**18
"""Integers from 0 to below are written without further ado."""

_SMALL = (-(10**100), 10**100)

MAX_EXPONENT = 308
"""The largest power of ten of a double: 1e400 is no number to MySQL and infinity to others."""

_LONGEST_EXPONENT = len("-00000000000000000308")
"""Characters of an exponent; Python reads no longer ones as decimals, whatever they come to."""


class Instant(NamedTuple):
    """A point in time: microseconds since 1970, and its text in the dialect and zone of the query."""

    us: int
    text: str


def type_name(value: object) -> str:
    """How messages call a value's type."""
    return type_names.get(type(value), f"a {type(value).__name__}")


def is_number(value: object) -> bool:
    """Whether a value is a JSON number (a boolean is none)."""
    return type(value) is int or isinstance(value, Numeral)


def text_of(value: object, field: str = "") -> str:
    """A value as it stands inside quotes: digits as in the JSON, true and false, lists and objects as JSON."""
    if isinstance(value, str):
        return str(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, Numeral, float)):
        return digits_of(value, field)
    if isinstance(value, Instant):
        return value.text
    return json_of(value, field)


def digits_of(value: object, field: str = "") -> str:
    """The digits of a number as they came; RowProblem for what is no number, NaN, infinity and 1e400."""
    if type(value) is int and _SMALL[0] < value < _SMALL[1]:
        return str(value)
    text = _digits(value, field)
    if len(text) > MAX_NUMBER_LENGTH:
        raise RowProblem(field, BAD_VALUE, f"expected a number of at most {MAX_NUMBER_LENGTH} characters")
    if not JSON_NUMBER.fullmatch(text):
        raise RowProblem(field, BAD_VALUE, "expected a finite number")
    if not isinstance(value, int):
        _check_size(text, field)
    return text


def _digits(value: object, field: str) -> str:
    if type(value) is int:
        # str(int) refuses more than 4,300 digits (sys.set_int_max_str_digits).
        if value.bit_length() > MAX_NUMBER_LENGTH * 4:
            raise RowProblem(field, BAD_VALUE, f"expected a number of at most {MAX_NUMBER_LENGTH} characters")
        return str(value)
    if isinstance(value, Numeral):
        return value.text
    if isinstance(value, float):
        return repr(value)
    raise RowProblem(field, BAD_VALUE, f"expected a number, got {type_name(value)}")


def _check_size(text: str, field: str) -> None:
    """Refuses what is infinite to a double, and what is nothing to it without being 0.

    Both before any work is done on it: `1e-1000000000` written out has a billion digits.
    """
    if len(text.lower().partition("e")[2]) > _LONGEST_EXPONENT:
        raise RowProblem(field, BAD_VALUE, "expected a number with a shorter exponent")
    number = _decimal(text)
    if number is None or number.adjusted() > MAX_EXPONENT:
        raise RowProblem(field, BAD_VALUE, "expected a number below 1e308")
    if number and number.adjusted() < -MAX_EXPONENT:
        raise RowProblem(field, BAD_VALUE, "expected a number that is 0 or above 1e-308 without its sign")


def _decimal(text: str) -> Decimal | None:
    try:
        with localcontext() as context:
            context.prec = MAX_NUMBER_LENGTH
            return Decimal(text)
    except InvalidOperation:
        return None


def json_of(value: object, field: str = "") -> str:
    """A value as compact JSON, object keys in their order, numbers with the digits they came with."""
    parts: list[str] = []
    try:
        _write_json(value, field, parts.append)
    except RecursionError:
        raise RowProblem(field, BAD_VALUE, "expected fewer levels of lists and objects") from None
    return "".join(parts)


def _write_json(value: object, field: str, write: Callable[[str], None]) -> None:
    """Each text is written once, however deep it lies: joined level by level it would be copied at each."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            write("," if index else "[")
            _write_json(item, field, write)
        write("]" if value else "[]")
    elif isinstance(value, dict):
        for index, (key, item) in enumerate(value.items()):
            write(("," if index else "{") + _json_string(key) + ":")
            _write_json(item, field, write)
        write("}" if value else "{}")
    else:
        write(_json_scalar(value, field))


def _json_scalar(value: object, field: str) -> str:
    if isinstance(value, str):
        return _json_string(value)
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, (int, Numeral, float)):
        return digits_of(value, field)
    if isinstance(value, Instant):
        return json.dumps(value.text)
    raise RowProblem(field, BAD_VALUE, f"expected a JSON value, got {type_name(value)}")


def _json_string(text: str) -> str:
    written = json.dumps(text, ensure_ascii=False)
    try:
        written.encode()
    except UnicodeEncodeError:
        # Lone surrogates: JSON can spell them out, UTF-8 cannot hold them.
        return json.dumps(text)
    return written


def truth(value: object) -> bool:
    """False: missing, null, false, "", [] and {}. Everything else is true, 0 too: the profile has it."""
    return not (value is None or value is False or value in ("", [], {}))


def equal(left: object, right: object) -> bool:
    """Numbers as numbers if both are, else as text; nothing equals null, not even null."""
    if left is None or right is None:
        return False
    if is_number(left) and is_number(right):
        return _number(left) == _number(right)
    return text_of(left) == text_of(right)


def compare(left: object, right: object, field: str = "") -> int | None:
    """-1, 0 or 1; None where one is null. RowProblem unless both are numbers or both are texts."""
    if left is None or right is None:
        return None
    if is_number(left) and is_number(right):
        one, two = _number(left), _number(right)
        return (one > two) - (one < two)
    a, b = _ordered(left), _ordered(right)
    if a is None or b is None:
        raise RowProblem(field, BAD_VALUE, f"cannot order {type_name(left)} and {type_name(right)}")
    return (a > b) - (a < b)


def below(left: object, right: object, field: str = "") -> bool:
    """Whether left < right; false where one is null."""
    return compare(left, right, field) == -1


def at_most(left: object, right: object, field: str = "") -> bool:
    """Whether left <= right; false where one is null."""
    return compare(left, right, field) in (-1, 0)


def _ordered(value: object) -> str | None:
    if isinstance(value, Instant):
        return value.text
    return value if isinstance(value, str) else None


def _number(value: object) -> int | Decimal:
    if isinstance(value, int):
        return value
    number = _decimal(digits_of(value))
    if number is None:
        raise RowProblem("", BAD_VALUE, "expected a number below 1e308")
    return number


def contains(holder: object, item: object, field: str = "") -> bool:
    """On a list and an object: membership; on a text: substring; null holds and is held by nothing."""
    if holder is None or item is None:
        return False
    if isinstance(holder, list):
        return _is_among(holder, item)
    if isinstance(holder, dict):
        return text_of(item) in holder
    if isinstance(holder, str):
        return text_of(item) in holder
    raise RowProblem(field, BAD_VALUE, f"expected a list, an object or a text, got {type_name(holder)}")


def _is_among(holder: list[object], item: object) -> bool:
    """Whether one of a list equals the item, whose text is made once: it may be as long as the list."""
    if is_number(item):
        return any(equal(one, item) for one in holder)
    text = text_of(item)
    return any(one is not None and text_of(one) == text for one in holder)


def pick(value: object, steps: Iterable[str | int]) -> object:
    """The value at the end of a path; None as soon as a step leads nowhere."""
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def pairs(value: object, field: str = "") -> list[tuple[object, object]]:
    """What a loop goes over: a list with its indexes, an object by key order, nothing for null."""
    if value is None:
        return []
    if isinstance(value, list):
        return list(enumerate(value))
    if isinstance(value, dict):
        return sorted(value.items())
    raise RowProblem(field, BAD_VALUE, f"expected a list or an object to loop over, got {type_name(value)}")


def key_text(value: object, field: str) -> str:
    """The canonical text of a key: 61 and "61" are one; RowProblem for missing, null, empty and other types."""
    if value is None or value == "":
        raise RowProblem(field, MISSING_KEY, "expected a text or a number, got nothing")
    if isinstance(value, str):
        return str(value)
    if is_number(value):
        return digits_of(value, field)
    raise RowProblem(field, BAD_KEY, f"expected a text or a number, got {type_name(value)}")


def key_value(value: object, field: str) -> object:
    """The value itself; RowProblem where it is missing, null or empty."""
    if value is None or value == "":
        raise RowProblem(field, MISSING_KEY, "expected a text or a number, got nothing")
    return value
