"""Writes numbers bare: only where the server reads the very number that came."""

from __future__ import annotations

import re
from decimal import Decimal
from math import ceil
from typing import TYPE_CHECKING

from workers.templates.model import BAD_VALUE, RowProblem
from workers.templates.values import digits_of

if TYPE_CHECKING:
    from workers.templates.dialect import Dialect

DOUBLES_DIGITS = 15
"""Every double holds as many, and not every one more."""

GROUP = 9
"""Digits in a word of MySQL's decimals; the point stands between two."""

_WHOLE = re.compile(r"-?[0-9]+", re.ASCII)


def bare_number(dialect: Dialect, value: object, field: str) -> str:
    """Negative numbers in brackets, or behind a blank: `1-{$lead.n}` with -5 would begin a comment."""
    digits = digits_of(value, field)
    if dialect.expanded and not digits.isdigit():
        digits = _expanded(digits, dialect)
    if wrong := _bent(digits, dialect):
        raise RowProblem(field, BAD_VALUE, wrong)
    return dialect.negative.format(digits) if digits.startswith("-") else digits


def _bent(digits: str, dialect: Dialect) -> str:
    """What the server would silently make another number of, as what was expected instead; "" where it would not."""
    if len(digits) > dialect.digits:
        return f"expected a number of at most {dialect.digits} characters"
    if _WHOLE.fullmatch(digits):
        if dialect.whole and not dialect.whole[0] <= int(digits) <= dialect.whole[1]:
            return "expected a whole number of 64 bits (in quotes it may be greater)"
    elif dialect.doubles or ("e" in digits.lower() and dialect.exponents):
        if Decimal(repr(float(digits))) != Decimal(digits):
            return "expected a number that a double holds exactly enough to give it back (in quotes any may stand)"
        return ""
    return _bent_decimal(digits, dialect)


def _bent_decimal(digits: str, dialect: Dialect) -> str:
    if "e" not in digits.lower():
        if _groups(digits) > dialect.groups:
            return f"expected at most {GROUP * dialect.groups} digits (in quotes there may be more)"
        if len(digits.partition(".")[2]) > dialect.decimals:
            return f"expected at most {dialect.decimals} digits after the point (in quotes there may be more)"
    number = Decimal(digits)
    if number and not dialect.smallest <= number.adjusted() <= dialect.largest:
        return f"expected 0 or a number from 1e{dialect.smallest} to 1e{dialect.largest + 1} (in quotes it may be any)"
    if len(digits) > dialect.significant and len(number.as_tuple().digits) > dialect.significant:
        return f"expected a number of at most {dialect.significant} digits (in quotes there may be more)"
    return ""


def _groups(digits: str) -> int:
    before, _, after = digits.lstrip("-").partition(".")
    return ceil(len(before) / GROUP) + ceil(len(after) / GROUP)


def _expanded(digits: str, dialect: Dialect) -> str:
    """Without its exponent, where a double would lose digits and the server's decimals hold them all."""
    number = Decimal(digits)
    if len(number.as_tuple().digits) <= DOUBLES_DIGITS:
        return digits
    plain = format(number, "f")
    fits = len(plain) <= dialect.expanded and len(plain.partition(".")[2]) <= dialect.decimals
    return plain if fits else digits
