"""Random templates in which everything stands beside everything, and random data for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.templates.dialects import ORACLE

if TYPE_CHECKING:
    import random

MARK = "zqz"
"""A harmless value that nothing else holds."""
JSON_MARK = f"{MARK}j"
"""The same where it becomes JSON."""

QUOTES = [
    *("'", '"', "`", "[", "]", "''", '""', "``", "]]", "\\", "\\'", '\\"', "$$", "$t$", "$", "q'[", "]'", "q'!"),
    *("!'", "\u2018", "\u2019", "\u201c", "\u201d", "\u02bc", "\uff07"),
]
COMMENTS = [
    *("--", "-- ", "-", "/*", "*/", "/", "*", "/*!", "/*M!", "/*+ ", "#", "# ", "#!", "//", "/**/", "\n"),
    *("-- \n", "-- '\n"),
]
BLANKS = [
    *(" ", " ", " ", "\n", "\t", "\f", "\v", "\xa0", "\u3000", "\u200b", "\u2003", "\u2028", "\x85", "\ufeff"),
    "\u2060",
]
PREFIXES = [
    *("N", "E", "x", "X", "b", "B", "U&", "&", "_utf8", "_utf8mb4 ", "q", "nq", "Q", "n", "e", "u", "é", "a"),
    *("@", "@@", ":", "?", "0", "1", "1e", "1.5E", "1d", "0x", "#", "DATE ", "INTERVAL "),
]
SIGNS = [",", ", ", "(", ")", "=", ".", "||", "+", " AND ", " LIKE ", "::", "!", "<", ";", "{literal}{{end}", "{* ' *}"]
TAGS = [
    *("{lead.F}", "'{lead.F}'", "'a{lead.F}b'", "'{lead.F}{lead.F}'", '"{lead.F}"', "N'{lead.F}'", "{$x}", "'{$x}'"),
    *(" {lead.F} ", ", {lead.F}", ", '{lead.F}'", "'-{lead.F}'", "{segment_name}", "'{segment_name}'", "{autocomma}"),
    *("-{lead.N}", "{lead.N}", "`{lead.F}`", "[{lead.F}]", "@'{lead.F}'", "$${lead.F}$$"),
    *(
        "{number lead.N}",
        "-{number lead.N}",
        "{json lead.J}",
        "'{json lead.J}'",
        "'-{json lead.J}'",
        "N'{json lead.J}'",
    ),
    *('{date lead.D "%d.%m.%Y"}', "'{date lead.D \"%Y\"}'"),
]
OPENINGS = ["{if lead.G}", "{for $x = lead.L}"]
SOUP = [QUOTES, COMMENTS, BLANKS, PREFIXES, SIGNS, TAGS, TAGS]

INSIDE = {
    "'": "'",
    "'a": "'",
    '"': '"',
    '"a': '"',
    "`a": "`",
    "[a": "]",
    "/* ": " */",
    "/*+ ": " */",
    "-- ": "\n",
    "# ": "\n",
    "// ": "\n",
    "$$": "$$",
    "$t$": "$t$",
    "e'": "'",
    "x'": "'",
    "q'[": "]'",
    "@'": "'",
    "N'": "'",
    "f(": ")",
}
"""What opens something -> what closes it."""

LEFTS = [
    *("-", "/", "*", "'", '"', "`", "]", "$", "$t", "\\", "#", "&", "@", ".", "E", "e", "N", "x", "B", "U&", "u"),
    *("q", "nq", "1", "1e", "1q", "a", "a$", "''", "'a'", "'a' ", '"a"', "/*", "--", "$$", "e'a' ", "_utf8 "),
    *("?", ":", "\u2019", "\xa0"),
]
RIGHTS = [
    *("-", "/", "*", "'", '"', "`", "]", "$", "$t$", "\\", "#", "&", "!", "+", "M!", "a", "''", "'a'", '"a"'),
    *("'it''s'", "[a]", "'\\'", "*/", "/*", "-- \n", "--", "\n'a'", " 'a'", "'{lead.F}'", "'a{lead.F}'"),
    *("{lead.F}", " '{lead.F}'", "&'a'", "E'\\''", "N'{lead.F}'", "[it's]'", "'[it''s]'", "$$'$$", "{lead.N}"),
    *("{number lead.N}", "{json lead.J}", "'{json lead.J}'", '{date lead.D "%Y"}'),
    *("\u2019", "\u3000"),
]


PAIRS = [
    *(("N", "'a{lead.F}b'"), ("E", "'a{lead.F}'"), ("x", "'-{lead.F}'"), ("U&", "'a{lead.F}'"), ("nq", "'a{lead.F}'")),
    *(("-", "-"), ("/", "*"), ("/", "/"), ("*", "/"), ("'", "'"), ('"', '"'), ("`", "`"), ("]", "]")),
    *(("$", "$ ' $$"), ("$t", "$ ' $t$"), ("$", "t$ ' $t$"), ("\\", "'"), ("#", "! '\n"), ("#", " '\n")),
    *(("u&", "'a'"), ("U", "&'a'"), ("E", "'\\''"), ("E", "'{lead.F}'"), ("N", "'{lead.F}'")),
    *(("x", "'{lead.F}'"), ("_utf8", "'{lead.F}'"), ("e", "'a'"), ("q", "'[it''s]'"), ("nq", "'!it''s!'")),
    *(("@", "'{lead.F}'"), (".", "E'\\''"), ("t.", "x'a'"), ("1", "E'a\\''"), ("1", "q'[it's]'")),
    *(("1.5d", "q'[it's]'"), ("1", "$$'$$"), ("a", "$$'$$"), ("a$", "$'a'"), ("e'a'", "\n'\\''")),
    *(("e'a'", "\n'{lead.F}'"), ("e'a' ", " {lead.F}"), ("/*!", "x*/"), ("/*M!", " '*/"), ("/*+ '", "*/")),
    *(("/*+ `", "*/"), ("'a'", "'b'"), ("'a'", "\n'b'"), ("'a'", "'{lead.F}'"), ("'a' ", "{lead.F}")),
    *(("--", "'\n"), ("--", " '\n"), ("/* /", "* */"), ("/* *", "/ ' */"), ("/* ", "/* */"), ("/*", "*/")),
    *(("?", "1"), ("/* /*/", " ' */"), ("$", "1"), (":", "a('"), ("@a(", "')"), ("x'41'", "'a'")),
    *(("-", "{lead.N}"), ("a", "{lead.F}"), ("1", "{lead.N}"), (".", "{lead.F}"), ("'a\\", "'b'")),
    *(("; SELECT ", "'a{lead.F}b'"), ("", "; SELECT 'a{lead.F}b'"), ("'", "{lead.F}'"), ("''", "'{lead.F}'")),
    *(("[a]", "]"), ("]", "'{lead.F}'"), ("-", "{number lead.N}"), ("a", "{json lead.J}"), ("N", "'{json lead.J}'")),
    *(("'", '{date lead.D "%Y"}\''), ("E", "'{json lead.J}'"), ("'a' ", "{json lead.J}"), ("'", "'{json lead.J}'")),
]
"""Halves that some database or other takes together."""


def between(dice: random.Random, right: str) -> str:
    """A tag or a block with `right` in it or directly behind it; {} stands for the block's end."""
    return dice.choice(
        [
            f"{{if lead.G}}{right}{{end}}",
            f"{{if lead.G}}{{end}}{right}",
            f"{{if lead.G}}x{{else}}{right}{{end}}",
            f"{{if lead.G}}{right}{{else}} {{end}}",
            f"{{if lead.G}}x{{elseif lead.L}}{right}{{end}}",
            f"{{if lead.G}}{{elseif lead.L}}{{else}}{{end}}{right}",
            f"{{for $x = lead.L}}{right}{{end}}",
            f"{{for $x = lead.L}}{{end}}{right}",
            f"{{for $x = lead.L}}{right}{{autocomma}}{{end}}",
            f"{{lead.F}}{right}",
            f"'{{lead.F}}'{right}",
            f"{{* c *}}{right}",
            right,
            right,
        ]
    )


def border(dice: random.Random) -> str:
    """What might mean something together, with a tag between, inside of something or outside of all."""
    opening = dice.choice(list(INSIDE)) if dice.random() < 0.4 else ""
    left, right = dice.choice(PAIRS) if dice.random() < 0.6 else (dice.choice(LEFTS), dice.choice(RIGHTS))
    inside = left + between(dice, right)
    closing = INSIDE.get(opening, "") if dice.random() < 0.9 else ""
    filled = dice.choice(["", "", "", " ", "b", "'", "\n'a'", " {lead.F}", ", '{lead.F}'", "'{lead.F}'"])
    return f"{opening}{inside}{filled}{closing}{dice.choice(list(INSIDE.values())) if dice.random() < 0.4 else ''}"


HOSTILE = "'\"\\`\0\x1a\n\r\t%_-*/#;$:?@[](){}=aN0éß\u2018\u2019\u201c\u02bc\u00a0\u3000😀"
ATTACKS = ["' OR 1=1 -- ", "\\", "\\'", "x', 1), ('y", "*/", "$$", "]]", "/*", "'+'", "''", "\\\n'", "{lead.F}", ""]


def piece(dice: random.Random, depth: int) -> str:
    if depth and dice.random() < 0.15:
        inside = soup(dice, depth - 1)
        opening = dice.choice(OPENINGS)
        other = ""
        for tag in ("{elseif lead.L}", "{else}"):
            other += f"{tag}{soup(dice, depth - 1)}" if opening.startswith("{if") and dice.random() < 0.4 else ""
        return f"{opening}{inside}{other}{{end}}"
    return dice.choice(dice.choice(SOUP))


def soup(dice: random.Random, depth: int) -> str:
    return "".join(piece(dice, depth) for _ in range(dice.randint(1, 4)))


def odd_template(dice: random.Random) -> str:
    """A statement with one certain place for a value at its end, which anything before it may have moved inside out."""
    if dice.random() < 0.8:
        return f"SELECT 1, {border(dice)} , '{{lead.F}}', {{lead.F}}"
    return f"SELECT 1, {soup(dice, 2)} , '{{lead.F}}', {{lead.F}}"


def odd_batch(dice: random.Random) -> str:
    """The same for many profiles at once, with a list of theirs behind the loop, or without."""
    of_each = (border(dice) if dice.random() < 0.8 else soup(dice, 2)).replace("lead", "$b")
    loop = f"{{for $b = $batch}}{of_each} , '{{$b.F}}', {{$b.F}}{{autocomma}}{{end}}"
    left, right = dice.choice(LEFTS), dice.choice([one for one in RIGHTS if "lead" not in one])
    listed = 'IN ({batch_in "F"})'
    behind = dice.choice(["", f", a {listed}", f", {left} {listed}{right}", f", a {listed[:-1]}{right})"])
    return f"SELECT 1, {loop}{behind}"


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
