"""Random templates in which everything stands beside everything, and random data for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.templates.dialects import ORACLE

if TYPE_CHECKING:
    import random

MARK = "zqz"
"""A harmless value that nothing else holds."""

QUOTES = [
    "'",
    '"',
    "`",
    "[",
    "]",
    "''",
    '""',
    "\\",
    "\\'",
    "$$",
    "$t$",
    "$",
    "q'[",
    "]'",
    "q'!",
    "!'",
    "\u2019",
    "\u201c",
]
COMMENTS = ["--", "-- ", "-", "/*", "*/", "/", "*", "/*!", "/*+", "#", "# ", "#!", "//", "/**/", "\n", "-- \n"]
BLANKS = [" ", " ", " ", "\n", "\t", "\xa0", "\u3000", "\u200b", "\u2003"]
PREFIXES = [
    "N",
    "E",
    "x",
    "b",
    "U&",
    "&",
    "_utf8",
    "q",
    "n",
    "e",
    "u",
    "é",
    "a",
    "0",
    "1e",
    "@",
    ":",
    "?",
    "DATE ",
    "B",
]
SIGNS = [",", ", ", "(", ")", "=", ".", "||", "+", " AND ", " LIKE ", "::", "!", "<", ";", "{literal}{{end}", "{* ' *}"]
TAGS = [
    *("{lead.F}", "'{lead.F}'", "'a{lead.F}b'", "'{lead.F}{lead.F}'", '"{lead.F}"', "N'{lead.F}'", "{$x}", "'{$x}'"),
    *(" {lead.F} ", ", {lead.F}", ", '{lead.F}'", "'-{lead.F}'", "{segment_name}", "'{segment_name}'", "{autocomma}"),
]
OPENINGS = ["{if lead.G}", "{for $x = lead.L}"]
SOUP = [QUOTES, COMMENTS, BLANKS, PREFIXES, SIGNS, TAGS, TAGS]

HOSTILE = "'\"\\`\0\x1a\n\r\t%_-*/#;$:?@[](){}=aN0éß\u2018\u2019\u201c\u02bc\u00a0\u3000😀"
ATTACKS = ["' OR 1=1 -- ", "\\", "\\'", "x', 1), ('y", "*/", "$$", "]]", "/*", "'+'", "''", "\\\n'", "{lead.F}", ""]


def piece(dice: random.Random, depth: int) -> str:
    if depth and dice.random() < 0.15:
        inside = soup(dice, depth - 1)
        opening = dice.choice(OPENINGS)
        other = f"{{else}}{soup(dice, depth - 1)}" if opening.startswith("{if") and dice.random() < 0.4 else ""
        return f"{opening}{inside}{other}{{end}}"
    return dice.choice(dice.choice(SOUP))


def soup(dice: random.Random, depth: int) -> str:
    return "".join(piece(dice, depth) for _ in range(dice.randint(1, 4)))


def odd_template(dice: random.Random) -> str:
    """A statement with one certain place for a value at its end, which anything before it may have moved inside out."""
    return f"SELECT 1, {soup(dice, 2)} , '{{lead.F}}', {{lead.F}}"


def odd_value(dice: random.Random) -> str:
    """A text of what could end a literal, or begin something."""
    if dice.random() < 0.3:
        return dice.choice(ATTACKS)
    return "".join(dice.choice(HOSTILE) for _ in range(dice.randint(1, 6)))


def storable(text: str, dialect: str) -> str:
    """Without what the database cannot hold, and what Oracle gets by its number."""
    if dialect == "oracle":
        text = "".join(one for one in text if one not in ORACLE.lookalikes)
    return text if dialect in ("mysql", "clickhouse") else text.replace("\0", "")
