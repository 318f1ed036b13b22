"""What a database's language is to the compiler: delimiters, words that no query may hold, how values are written."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workers.templates.regions import Region

WORD = "[A-Za-z0-9_$\x80-\U0010ffff]+"
"""What most databases take for one word: every byte above 0x7F is a letter to their lexers (see `Lexer`)."""

_VERBS = frozenset({"insert", "update", "delete", "merge", "replace", "with", "select"})


@dataclass(frozen=True)
class Dialect:
    """One database's language.

    line_comments   pattern of what opens a comment up to the line's end
    regions         pattern of what opens a region -> the region, or what makes it of that text; the first counts
    refused         pattern -> why it cannot stand in a query
    word            pattern of a name or number outside of all regions
    ascii_words     whether letters beyond ASCII are none to it
    introducers     whether `_utf8mb4 '…'` names a literal's character set
    plain           words after which a literal is a value by itself, where any other word makes a type's name: `citext
                    '…'`; empty where only `typed` do
    typed           words after which a literal is part of a type: `DATE '…'`
    matching        signs before a pattern, beside LIKE
    either          signs that may mean OR
    empty_lists     whether IN () is a list, in which nothing is
    units           whether INTERVAL takes any value before its unit, NULL included
    verbs           words that a statement may begin with
    nowhere         words that may stand nowhere in a statement -> why
    uncalled        words that may stand in a statement only as a function's name -> why
    escapes         quote -> what in a text needs more than being copied -> what stands for it
    negative        how a bare negative number is written
    joint           what ends a literal and goes on with it, where a backslash and a line's end must not meet in one
    longest         characters of the longest text in one literal; longer ones are put together of pieces
    piece           pattern of such a piece; "" where there can be none
    bytes           bytes of the longest literal, whatever it is put together of
    lookalikes      characters that the server may make a quote of, before it reads the statement
    unlike          pattern of a literal in which they are written by their numbers in Unicode
    prefix          what stands before a literal's quote
    true, false     how booleans are written
    moment          how a time's text is written as a literal
    offset          whether a time's text carries its zone's offset
    digits          characters of the longest number
    whole           the least and the greatest whole number that is read as it is written; None where all are
    groups          groups of nine digits in the longest number, before and after its point each for itself
    significant     digits of the longest number; more are cut off
    decimals        digits behind the point of the longest number; more are cut off
    smallest, largest  the powers of ten of the least and the greatest number with a fraction
    doubles         whether a number with a fraction is read as a double
    exponents       whether a number with an exponent is read as a double
    expanded        characters up to which a number is written without its exponent, with which it would be read as
                    a double; 0 where an exponent costs no digits
    nul             what U+0000 becomes; None where the database cannot store it
    profiles        most profiles that one statement is told of; more are told in several, in one transaction
    one_batch       whether all statements go in one piece
    """

    name: str
    line_comments: str
    regions: tuple[tuple[str, Region | Callable[[str], Region]], ...]
    refused: tuple[tuple[str, str], ...] = ()
    word: str = WORD
    ascii_words: bool = False
    introducers: bool = False
    typed: frozenset[str] = frozenset({"date", "time", "timestamp"})
    plain: frozenset[str] = frozenset()
    matching: str = ""
    either: str = ""
    empty_lists: bool = False
    units: bool = False
    verbs: frozenset[str] = _VERBS
    nowhere: Mapping[str, str] = field(default_factory=dict)
    uncalled: Mapping[str, str] = field(default_factory=dict)
    escapes: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: {"'": {"'": "''"}})
    joint: str = ""
    negative: str = "({})"
    longest: int = sys.maxsize
    piece: str = ""
    bytes: int = sys.maxsize
    lookalikes: str = ""
    unlike: str = ""
    prefix: str = ""
    true: str = "TRUE"
    false: str = "FALSE"
    moment: str = "'{text}'"
    offset: bool = False
    digits: int = 1000
    whole: tuple[int, int] | None = None
    groups: int = sys.maxsize
    significant: int = sys.maxsize
    decimals: int = sys.maxsize
    smallest: int = -sys.maxsize
    largest: int = sys.maxsize
    doubles: bool = False
    exponents: bool = False
    expanded: int = 0
    nul: str | None = None
    profiles: int = sys.maxsize
    one_batch: bool = False

    @cached_property
    def top(self) -> re.Pattern[str]:
        """Matches the next token outside of all regions. Made when it is asked for: all dialects' take 0.07 s."""
        parts = [f"(?P<refused{i}>{pattern})" for i, (pattern, _) in enumerate(self.refused)]
        parts += [rf"(?P<line>{self.line_comments})", r"(?P<block>/\*)"]
        parts += [f"(?P<region{i}>{pattern})" for i, (pattern, _) in enumerate(self.regions)]
        parts += [rf"(?P<blank>[ \t\n]+)|(?P<word>{self.word})|(?P<semicolon>;)|(?P<sign>.)"]
        return re.compile("|".join(parts), re.DOTALL)
