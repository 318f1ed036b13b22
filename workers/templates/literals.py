"""Writes values as SQL: the only place where data becomes a part of a statement.

A writer takes a value and the name of its field (for messages only) and gives SQL for one context:

    bare    a typed literal: 5, (-5), TRUE, NULL, 'text'
    value   a whole literal with its quotes, or NULL
    text    what stands inside quotes, without them; nothing for null
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from workers.templates.bare_numbers import bare_number
from workers.templates.functions import number
from workers.templates.model import BAD_KEY, BAD_VALUE, RowProblem
from workers.templates.values import QUICK, Instant, is_number, key_text, key_value, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import tzinfo

    from workers.templates.dialect import Dialect

Writer = Callable[[object, str], str]
"""Takes a value and the name of its field."""

_ORACLE_LITERAL = re.compile(
    r"""--[^\n]*+|/\*(?:(?!\*/).)*+\*/|"[^"]*+"|[qQ]'(?:\[.*?\]|\{.*?\}|\(.*?\)|<.*?>|(?P<mark>.).*?(?P=mark))'"""
    r"""|'(?P<text>(?:[^']|'')*+)'""",
    re.DOTALL,
)
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,19}", re.ASCII)
_LEAST, _MOST = -(2**63), 2**64 - 1


def segment_id(text: str, dialect: Dialect) -> int | str:
    """A segment's id: a number where it is one of 64 bits in its plain spelling, else the text.

    Where the database keeps fewer numbers whole, so are those beyond.
    """
    least, most = dialect.whole or (_LEAST, _MOST)
    if _INTEGER.fullmatch(text) and least <= int(text) <= most:
        return int(text)
    return text


def escaper(dialect: Dialect, quote: str) -> Callable[[str], str]:
    """What makes any text safe between two of `quote`, and the server read back just that text."""
    pairs = list(dialect.escapes[quote].items())

    def escaped(text: str) -> str:
        for special, replacement in pairs:
            text = text.replace(special, replacement)
        return text

    return escaped


class Quoting:
    """Texts between quotes in one dialect, whole literals and parts of them."""

    def __init__(self, dialect: Dialect, quote: str) -> None:
        self._dialect = dialect
        self._escape = escaper(dialect, quote)
        self._opening = dialect.prefix + quote
        self._quote = quote

    def literal(self, text: str, field: str = "") -> str:
        """A whole literal with its quotes."""
        if self._is_too_long(text):
            return f"({self._pieces(text, field)})"
        if self._is_unlike(text):
            return self._unlike(text)
        return f"{self._opening}{self._escape(text)}{self._quote}"

    def part(self, text: str, field: str = "") -> str:
        """What stands inside a literal that the template has opened and will close."""
        # Where it can, a long part stands apart, since all parts together must fit in one literal.
        if len(text) > self._dialect.longest and (self._dialect.piece or self._is_too_long(text)):
            return f"{self._quote}||{self._pieces(text, field)}||{self._quote}"
        if self._is_unlike(text):
            return f"{self._quote}||{self._unlike(text)}||{self._quote}"
        written = self._escape(text)
        joint = self._dialect.joint
        if joint and text[:1] in ("\n", "\r"):
            written = joint + written
        return written + joint if text.endswith("\\") else written

    def _is_too_long(self, text: str) -> bool:
        if len(text) <= self._dialect.longest:
            return False
        return self._is_unlike(text) or len(self._escape(text).encode("utf-8", "replace")) > self._dialect.bytes

    def _is_unlike(self, text: str) -> bool:
        return not text.isascii() and any(character in text for character in self._dialect.lookalikes)

    def _unlike(self, text: str) -> str:
        """The literal with a backslash and four digits for each character that could become a quote."""
        text = self._escape(text.replace("\\", "\\\\"))
        for character in self._dialect.lookalikes:
            text = text.replace(character, f"\\{ord(character):04X}")
        return self._dialect.unlike.format(text=text)

    def _pieces(self, text: str, field: str) -> str:
        longest = self._dialect.longest
        if not self._dialect.piece:
            raise RowProblem(
                field, BAD_VALUE, f"expected at most {self._dialect.bytes:,} bytes: rows of a UNION are alike"
            )
        cut = [text[at : at + longest] for at in range(0, len(text), longest)]
        return "||".join([self._dialect.piece.format(literal=self.literal(piece)) for piece in cut])


def key_texts(found: Sequence[object], field: str) -> list[str]:
    """`key_text` of each, without a call for what keys mostly are; RowProblem where one is none."""
    return [
        one if type(one) is str and one else str(one) if type(one) is int and 0 <= one < QUICK else key_text(one, field)
        for one in found
    ]


def key_reader(dialect: Dialect) -> Callable[[object, str], str]:
    """The canonical text of a key; no database compares keys that do not fit in one literal."""
    longest = dialect.longest

    def read(value: object, field: str) -> str:
        text = key_text(value, field)
        if len(text) > longest:
            raise RowProblem(field, BAD_KEY, f"expected at most {longest} characters")
        return text

    return read


def text_writer(dialect: Dialect, quote: str, *, key: bool) -> Writer:
    """A part of a literal. A key is never missing."""
    part = Quoting(dialect, quote).part
    read = key_reader(dialect) if key else text_of
    return lambda value, field: part(read(value, field), field)


def value_writer(dialect: Dialect, quote: str, *, key: bool) -> Writer:
    """A whole literal with its quotes, or NULL. A key is never NULL."""
    literal = Quoting(dialect, quote).literal
    if key:
        read = key_reader(dialect)
        return lambda value, field: literal(read(value, field), field)
    return lambda value, field: "NULL" if value is None else literal(text_of(value, field), field)


def bare_writer(dialect: Dialect, timezone: tzinfo, *, key: bool) -> Writer:
    """A typed literal; a key is always a text, for `text_column = 0` matches every text that is no number."""
    literal = value_writer(dialect, "'", key=key)

    def bare(value: object, field: str) -> str:
        if type(value) is int and 0 <= value < QUICK and not key:
            return str(value)
        if key or value is None or isinstance(value, str):
            return literal(value, field)
        if isinstance(value, bool):
            return dialect.true if value else dialect.false
        if is_number(value) or isinstance(value, float):
            return bare_number(dialect, value, field)
        if isinstance(value, Instant):
            return moment(dialect, timezone, value)
        return literal(value, field)

    return bare


def constants_only(dialect: Dialect) -> Dialect:
    """The dialect where it takes constants and no expressions: after SQL Server's EXEC."""
    return replace(dialect, negative="{}", moment=dialect.prefix + "'{text}'", joint="", escapes={"'": {"'": "''"}})


def constant_writer(write: Writer, *, part: bool = False) -> Writer:
    """The writer, which refuses a text that no constant can carry: a backslash and a line's end go together."""

    def written(value: object, field: str) -> str:
        text = write(value, field)
        if "\\\n" in text or "\\\r" in text or (part and (text.endswith("\\") or text[:1] in ("\n", "\r"))):
            raise RowProblem(
                field, BAD_VALUE, "expected no backslash before a line's end, which EXEC's values cannot hold"
            )
        return text

    return written


def moment(dialect: Dialect, timezone: tzinfo, instant: Instant) -> str:
    """A time as a literal that is one by itself."""
    return dialect.moment.format(text=instant.text, zone=timezone)


def text_list(dialect: Dialect) -> Callable[[Iterable[object], str], str]:
    """Distinct text literals for IN, in the order of the batch."""
    literal, read = Quoting(dialect, "'").literal, key_reader(dialect)
    specials = [*dialect.escapes["'"], *dialect.lookalikes]
    longest = dialect.longest
    opening = f"{dialect.prefix}'"
    between = f"',{opening}"

    def literals(values: Iterable[object], field: str) -> str:
        texts = dict.fromkeys(
            [
                v
                if type(v) is str and 0 < len(v) <= longest
                else (str(v) if type(v) is int and 0 <= v < QUICK else read(v, field))
                for v in values
            ]
        )
        together = "".join(texts)
        if any(special in together for special in specials):
            return ",".join([literal(text) for text in texts])
        return opening + between.join(texts) + "'"

    return literals


def number_list(dialect: Dialect) -> Callable[[Iterable[object], str], str]:
    """Distinct numbers for IN, in the order of the batch."""

    def numbers(values: Iterable[object], field: str) -> str:
        return ",".join(
            dict.fromkeys([bare_number(dialect, number(key_value(v, field), field), field) for v in values])
        )

    return numbers


def finisher(dialect: Dialect) -> Callable[[str], str]:
    """The last look at a statement: characters that no text can carry to this database."""
    nul, most = dialect.nul, dialect.bytes

    def finish(statement: str) -> str:
        if len(statement) * 4 > most and len(statement.encode("utf-8", "replace")) > most:
            _check_literals(statement, most)
        if "\0" in statement:
            if nul is None:
                raise RowProblem("", BAD_VALUE, f"the character U+0000 cannot be stored in {dialect.name}")
            # Templates hold no U+0000, so each one is in a literal, where a backslash before it is escaped.
            statement = statement.replace("\0", nul)
        if not statement.isascii():
            _check_encodable(statement)
        return statement

    return finish


def _check_literals(statement: str, most: int) -> None:
    """Literals are put together of parts, each of which may be short enough."""
    for match in _ORACLE_LITERAL.finditer(statement):
        if match["text"] and len(match["text"].encode("utf-8", "replace")) > most:
            raise RowProblem("", BAD_VALUE, f"expected texts that make a literal of at most {most:,} bytes")


def _check_encodable(statement: str) -> None:
    try:
        statement.encode()
    except UnicodeEncodeError:
        raise RowProblem("", BAD_VALUE, "expected text without lone surrogates") from None
