"""Whether two different keys could be one row to some target. Pure.

Databases equate far more than equal texts: 7, 007 and 7.0 in a numeric column, a UUID with and without braces, José
composed and decomposed, letters under a collation. Which of it a target does, nobody here knows; so keys are folded as
far as any of them does, and only keys that differ after that may pass one another. A fold that goes too far costs a
statement; one that does not go far enough costs a row.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Key = tuple[str, ...]

MAX_FOLDED = 256
"""Characters of a key part that are folded; longer ones that begin alike count as the same."""

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(?:e([+-]?)0*([0-9]+))?", re.ASCII)
_BASED = re.compile(r"[+-]?0(?:x[0-9a-f]{1,64}|o[0-7]{1,64}|b[01]{1,128})", re.ASCII)
"""As PostgreSQL reads whole numbers from 16 on: 0x1F, 0o17, 0b11."""
_UUID = re.compile(r"(?=.*e)[0-9a-f]{32}", re.ASCII)
_LONGEST_EXPONENT = 3
_MOST_WHOLE = str(2**63 - 1)
_ADDRESS = re.compile(r"[0-9a-f.]*:[0-9a-f:.]*(?:/[0-9]{1,3})?", re.ASCII)
_DAY = re.compile(
    r"(?:[0-9]{4}[-/. ][0-9]{1,2}[-/. ][0-9]{1,2}|[0-9]{1,2}[-/. ][0-9]{1,2}[-/. ][0-9]{2,4}|[0-9]{8}(?=[t ]))"
    r"(?:[t ].*)?",
    re.ASCII,
)
_CLOCK = re.compile(r"[0-9]{1,2}:[0-9]{2}", re.ASCII)
_MONTH = re.compile(r"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b", re.ASCII)
_COMPACT_DAY = re.compile(r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])", re.ASCII)
_SPELLED_OUT = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "\u0131": "i", "ħ": "h", "ŧ": "t", "þ": "th"}
    | {"\u0491": "\u0433"}  # a Cyrillic letter that some take for another one
    | {"\u01be": "ts", "\u02a6": "ts", "\u02a3": "dz", "\u02aa": "ls", "\u02ab": "lz"}
    | {"\u018d": "zw", "\u0238": "db", "\u0239": "qp"}
    | dict(zip(map(chr, range(0x363, 0x370)), "aeioucdhmrtvx", strict=True))  # small letters over others
    | {chr(0x9F4 + n): str(n + 1) for n in range(4)}  # Bengali's numerators
    | {chr(0xF2A + n): str((n + 1) % 10) for n in range(10)}  # Tibetan's halves: of one, of two
)
_UNDER_GREEK, _ALONE = "\u0345", "\u037a"
"""An iota below a letter, of which no collation makes a difference, and capitals a letter of its own; and by itself."""
_INFINITE = "inf"
"""As Python writes what is beyond all doubles."""
_TRUTHS = (
    dict.fromkeys(("true", "yes", "on", "t", "y"), "1")
    | dict.fromkeys(("false", "no", "off", "f", "n"), "0")
    | dict.fromkeys(("inf", "infinity"), _INFINITE)
)
_ONE_LETTER = bytes.maketrans(b"ejuvwy", b"aiiiii")
"""Latin has one letter for i and j, and one for u and v; Lithuanian one for i and y, Swedish one for y and ü, and one
for ä and ę. German's phone books write ae for ä, Danish aa for å, and ß is one s or two: all of it in MySQL's
collations."""
_LAST_FOLDED_LETTER = "\u0590"
"""Latin, Greek, Cyrillic and Armenian come before it. Collations equate kana, widths and much else beyond it, and some
take all of it for one: letters from there on are left out of a fold, and digits are not."""

_BEYOND_16_BITS = "\U00010000"
_LARGEST_DIGIT = 20
"""As numbers in circles go."""

_IGNORED = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
"""Control characters that collations pass over (DUCET; utf8mb4_0900_ai_ci): .5 and a .5 with one in it are the same."""

_SIGNS = bytes(code for code in range(128) if not chr(code).isalnum())
_SIGNS_BUT_NEWLINE = _SIGNS.replace(b"\n", b"")

_PLAIN_LINES = re.compile(
    r"(?:(?:[a-z][^:\n\x00-\x08\x0e-\x1f\x7f]*+"  # months and truths are looked for apart
    r"|(?!(?:19|20)[0-9]{6}\n)[0-9]{1,18}"
    r"|(?![0-9]++e[0-9]++\n|0x|0o[0-7]++\n|0b[01]++\n|[0-9]{8}t)[0-9]++[a-z][0-9a-z]*+"
    r"|(?![0-9-]++\n)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r")\n)*+",
    re.ASCII,
)
"""Lines of which each folds to its letters and digits alone: codes, numbers, e-mails, hexadecimal ids, UUIDs."""

TIMES = "a time"
"""All keys that a target could read as points in time: zones and formats equate too much to be told apart."""


def fold_key(key: Key) -> Key:
    """A key as the most lenient target would see it: keys with different folds are different rows everywhere.

    >>> fold_key(("007",)) == fold_key(("7.0",)) == fold_key((" 7 ",))
    True
    >>> fold_key(("A-17",)) == fold_key(("a17",)), fold_key(("A-17",)) == fold_key(("A-18",))
    (True, False)
    """
    return (fold(key[0]),) if len(key) == 1 else tuple(map(fold, key))


def fold_key_far(key: Key) -> Key:
    """A key as all languages' collations together would see it: no remove may pass an add whose key is the same then.

    Between keys that only differ so no two adds need be kept apart: where a database takes them for one row, it takes
    them one after the other in one statement (MySQL), or refuses it, and the batch is halved.

    >>> fold_key_far(("Straße",)) == fold_key_far(("strase",)), fold_key(("Straße",)) == fold_key(("strase",))
    (True, False)
    """
    return tuple(map(_far, map(fold, key)))


def fold_columns_far(keys: Sequence[Key]) -> list[Key]:
    """`fold_key_far` of each, as `fold_columns`."""
    return list(zip(*[_all_far(fold_all(column)) for column in zip(*keys, strict=True)], strict=True))


def fold_columns(keys: Sequence[Key]) -> list[Key]:
    """`fold_key` of each of a batch's keys, which have as many parts all of them."""
    return list(zip(*[fold_all(column) for column in zip(*keys, strict=True)], strict=True))


def fold_all(texts: Sequence[str]) -> list[str]:
    """`fold` of each, all at once where they are as keys mostly are: a tenth of the time.

    >>> fold_all(["A-17", "a18", "0042"])
    ['a17', 'a18', '42']
    """
    lines = "\n".join(texts)
    if not lines.isascii() or max(map(len, texts), default=0) > MAX_FOLDED:
        return list(map(fold, texts))
    lines = lines.lower()
    if not _PLAIN_LINES.fullmatch(lines + "\n") or _MONTH.search(lines):
        return list(map(fold, texts))
    folded = lines.encode().translate(None, _SIGNS_BUT_NEWLINE).decode().split("\n")
    if lines.startswith("0") or "\n0" in lines:
        folded = [one.lstrip("0") or "0" for one in folded]
    # A text that holds a newline makes two lines.
    return folded if len(folded) == len(texts) and _TRUTHS.keys().isdisjoint(folded) else list(map(fold, texts))


@lru_cache(16_384)
def fold(text: str) -> str:
    """One part of a key, folded."""
    lowered = text[:MAX_FOLDED].lower()
    if not lowered.isprintable():
        lowered = _IGNORED.sub("", lowered)
    if lowered.isascii():
        plain = lowered.strip()
        if plain.isdigit() and not _COMPACT_DAY.fullmatch(plain):
            return _whole(plain)
        if plain[:1].isalpha() and ":" not in plain and not _MONTH.search(plain):
            return _letters(plain)
    else:
        plain = _spelled_plainly(lowered)
    plain = plain.strip()
    if _is_moment(plain):
        return TIMES
    return _number(plain) or _address(plain) or _letters(plain)


def _spelled_plainly(text: str) -> str:
    """Without marks, and without all that a collation may pass over: else 7.5 before one is a number, and 75 behind."""
    plain = unicodedata.normalize("NFKD", text.replace(_ALONE, "\u03b9")).replace(_UNDER_GREEK, "")
    # Before, too, as a casefold of one letter may be another with a mark; and behind, as its mark may be one's own.
    plain = unicodedata.normalize("NFKD", plain.casefold().translate(_SPELLED_OUT)).casefold().translate(_SPELLED_OUT)
    return "".join(c if c.isascii() or _is_folded_letter(c) else _digit(c) for c in plain)


def _digit(character: str) -> str:
    """A digit of another script as the one that DUCET takes it for; "" for all else, and beyond 16 bits.

    There older collations of MySQL take all characters for one (utf8mb4_general_ci).
    """
    if character >= _BEYOND_16_BITS or unicodedata.category(character)[0] != "N":
        return ""
    found = unicodedata.numeric(character, -1.0)
    return f"{found:.0f}" if 0 <= found <= _LARGEST_DIGIT and found.is_integer() else ""


def _is_folded_letter(character: str) -> bool:
    return character.isalnum() and character < _LAST_FOLDED_LETTER


def _is_moment(text: str) -> bool:
    """Whether a target could read a day or a time in it. Digits alone only where they spell a day of our time."""
    if text.isdigit():
        return _COMPACT_DAY.fullmatch(text) is not None
    if _MONTH.search(text) or _DAY.fullmatch(text):
        return any(c.isdigit() for c in text)
    return _CLOCK.match(text) is not None and not _ADDRESS.fullmatch(text)


def _number(text: str) -> str:
    """The whole number nearest to it, as targets round; "" where it is no number."""
    if _UUID.fullmatch(text):
        return ""  # although 29 digits with an exponent could be a number
    bare = text.strip(" \t\r\n$€£+()").replace(",", "").replace("_", "")
    found = _NUMBER.fullmatch(bare)
    if found is None:
        return _whole(str(abs(int(bare, 0)))) if _BASED.fullmatch(bare) else ""
    digits, sign, exponent = found.groups()
    if exponent and len(exponent) > _LONGEST_EXPONENT:
        # To a double it is infinite, or nothing.
        return _INFINITE if sign != "-" and digits.strip("0.") else "0"
    try:
        nearest = Decimal(bare).to_integral_value(ROUND_HALF_UP)
    except InvalidOperation:
        return "0"
    return _whole(f"{nearest:f}".removeprefix("-"))


def _whole(digits: str) -> str:
    """A whole number; beyond 64 bits what is left of it in a double, as which SQLite's columns of numbers keep it.

    A little less, since not every version makes the nearest double of so many digits.
    """
    digits = digits.lstrip("0") or "0"
    rounded = len(digits) > len(_MOST_WHOLE) or (len(digits) == len(_MOST_WHOLE) and digits > _MOST_WHOLE)
    return f"{float(digits):.13e}" if rounded else digits


def _address(text: str) -> str:
    """A network address as its number; "" for others."""
    if not _ADDRESS.fullmatch(text):
        return ""
    try:
        return str(int(ip_address(text.partition("/")[0])))
    except ValueError:
        return ""


def _letters(text: str) -> str:
    """Letters and digits alone, without the zeros they begin with; digits alone are a number, as in some UUIDs."""
    if text.isascii():
        kept = text.encode().translate(None, _SIGNS).decode()
    else:
        kept = "".join(filter(_is_folded_letter, text))
    if kept.isdigit():
        return _whole(kept)
    return _TRUTHS.get(kept, kept.lstrip("0"))


def _far(folded: str) -> str:
    coarse = _coarse(folded.encode()).decode()
    return _FAR_TRUTHS.get(coarse, coarse)


def _all_far(folded: Sequence[str]) -> list[str]:
    coarse = _coarse("\n".join(folded).encode()).decode().split("\n")
    return coarse if _FAR_TRUTHS.keys().isdisjoint(coarse) else list(map(_far, folded))


def _coarse(letters: bytes) -> bytes:
    """What is folded, without what some language's collation makes no difference of.

    >>> _coarse(b"strasse") == _coarse(b"strase"), _coarse(b"kaese") == _coarse(b"kase"), _coarse(b"a17")
    (True, True, b'a17')
    """
    letters = letters.translate(_ONE_LETTER)
    for twice in (b"ss", b"aa"):
        while twice in letters:
            letters = letters.replace(twice, twice[:1])
    return letters.replace(b"ch", b"c").replace(b"oa", b"o").replace(b"ia", b"i")


_FAR_TRUTHS = {_coarse(word.encode()).decode(): truth for word, truth in _TRUTHS.items()}
