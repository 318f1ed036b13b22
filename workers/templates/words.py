"""Words outside of literals and comments: which characters databases agree on, and what a name comes to.

To the lexers of PostgreSQL, MySQL and SQLite every byte above 0x7F is a letter: a typographic quote, an NBSP. To
ClickHouse U+00A0 and U+3000 are blanks and typographic quotes open literals; SQL Server and Oracle go by Unicode. So
only what Unicode calls a letter, a mark or a digit may stand there, and nothing that could be taken for ASCII.
"""

from __future__ import annotations

import re
import unicodedata

_CALLED = re.compile(
    r"(?:[ \t\n]|/\*(?:(?!\*/).)*+(?:\*/|\Z)|(?:--|#)[^\n]*+(?:\n|\Z))*+(?:(?P<opened>\()|(?P<end>\Z))", re.DOTALL
)
_AHEAD = 1_000
"""Characters that are looked at behind a word, so that many words cost no more than their length."""

_DOTLESS = str.maketrans("\u0131", "i")


def is_called(text: str, at: int) -> bool | None:
    """Whether a bracket follows at `at`, behind blanks and comments; None where only what follows the text knows.

    Where it ends in a comment, too, in which a tag may stand. Behind more blanks than are looked at one is taken to.
    """
    match = _CALLED.match(text, at, at + _AHEAD)
    if match is None:
        return False
    return True if match["opened"] or at + _AHEAD < len(text) else None


def odd_character(word: str, *, ascii_only: bool) -> str:
    """The first character of a word that databases read differently; "" where all agree."""
    return next((one for one in word if not one.isascii() and (ascii_only or _is_odd(one))), "")


def _is_odd(character: str) -> bool:
    if unicodedata.normalize("NFKC", character).isascii():
        return True
    category = unicodedata.category(character)
    return not (category[0] in "LM" or category == "Nd")


def named(text: str) -> str:
    """What a name is looked up by: without case, accents and what does not show, which some collations pass over."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text.translate(_DOTLESS))
    return "".join(one for one in plain if unicodedata.category(one)[0] not in "MC").casefold()


def odd_mistake(character: str) -> str:
    """What is wrong with such a character."""
    return (
        f"U+{ord(character):04X} outside of literals and comments: databases differ on whether it is a blank, a quote "
        "or a letter; write what it stands for in ASCII, or the name in quotes"
    )


def names_type(word: str, last: str, plain: frozenset[str]) -> str:
    """What a word is before a literal: "typed" for a type's name, which AT TIME ZONE's last word is none of."""
    if word == "at" or (word == "time" and last == "at"):
        return word if word == "at" else "at time"
    return "" if word in plain or (word == "zone" and last == "at time") else "typed"
