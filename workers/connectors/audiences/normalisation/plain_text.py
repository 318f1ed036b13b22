"""What all normal forms begin with, and what they raise where there is none."""

from __future__ import annotations

import re
import unicodedata

WIDTHLESS = "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Signs without width that copying leaves around a value, those of direction among them; `str.strip` keeps them."""
_BROKEN = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""What no file, form or hash of UTF-8 can carry, and nobody has in a name."""
LONGEST = 1000
"""Characters of a value: what is longer is no name, address or id of anybody."""


class NotNormal(Exception):
    """A value that has no normal form; the text says what it is not, in words that are the same for all of its kind."""


def tidied(text: str) -> str:
    """The text without blanks and signs without width around it."""
    if len(text) > LONGEST:
        raise NotNormal("too long")
    previous = ""
    while previous != text:
        previous, text = text, text.strip().strip(WIDTHLESS)
    if _BROKEN.search(text):
        raise NotNormal("a broken character in it")
    return text


def small(text: str) -> str:
    """Tidied, in small letters, and in Unicode's composed form (NFC): else one name would have several hashes."""
    return unicodedata.normalize("NFC", tidied(text).lower())


def without_punctuation(text: str) -> str:
    """Letters, marks, digits and single blanks."""
    kept = (c if unicodedata.category(c)[0] in "LMN" else " " if c.isspace() else "" for c in text)
    return " ".join("".join(kept).split())
