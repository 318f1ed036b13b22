"""What may not stand beside a placeholder, and what the text of its literal is to whoever reads it."""

from __future__ import annotations

import re

from workers.templates.lexer import QUOTE, WORD
from workers.templates.nodes import Builtin, Call, Const, Meta, Node, Out, Text

JOINING = {
    WORD: "a word",
    QUOTE: "a literal or a placeholder",
    ".": "a `.`",
    "@": "an `@`",
    "#": "a `#`",
    "$": "a `$`",
    ":": "a `:`",
    "\\": "a backslash",
    "&": "an `&`",
}
AFTER = {
    "literal": "a literal, which it would join; put a comma or an operator between",
    "holds": "a literal or a placeholder, which it would join; put a comma or an operator between",
    "escape": "a literal with a prefix, whose rules would hold for it; put a comma or an operator between",
    "typed": "a type's name: a missing value would break the statement; write CAST(… AS type)",
    "interval": "INTERVAL without a unit behind it: a missing value would break the statement; write INTERVAL … DAY",
    "introducer": "a `_charset` prefix: leave the prefix out",
}

_UNIT = re.compile(
    r"'?[ \t\n]+(?:(?:nano|micro|milli)?second|minute|hour|day|week|month|quarter|year)s?\b", re.IGNORECASE
)
_STRUCTURE = re.compile(
    r"""\s*(?:\{|\[\s*(?:[\[{"]|\Z)|<[A-Za-z?!]|(?:strict\s+|lax\s+)?\$(?:\.[A-Za-z"*.]|\.\Z|\[|\s*\?))"""
)
"""How JSON begins, PostgreSQL's arrays, XML and a path into JSON; `[VIP] …` and `$5` are texts."""

_HARMLESS = frozenset({"json", "number", "md5", "sha256", "date"})
"""Functions whose result holds no quote and no brace, or is JSON already."""

PATTERN = "a placeholder in a pattern: `%`, `_` and the like in the data match anything"
AFTER_MINUS = "directly after a `-`: a negative number would begin a comment"
STRUCTURE = (
    "a part of JSON, of XML, of an array or of a path: quotes, commas, brackets and braces in the data change what it "
    "says; write {json …} without quotes around it, or put it together with the database's own functions"
)


def is_structured(node: Out, literal: str) -> bool:
    """Whether a placeholder is a part of JSON or of an array; `literal` is the text before it."""
    value = node.expression
    if isinstance(value, (Const, Meta)) or value == Builtin("segment_id"):
        return False
    return not (isinstance(value, Call) and value.name in _HARMLESS) and _STRUCTURE.match(literal) is not None


def settled(following: Node | None) -> set[str]:
    """What may stand before a placeholder because of what stands behind it: INTERVAL before a unit."""
    return {"interval"} if isinstance(following, Text) and _UNIT.match(following.text) else set()
