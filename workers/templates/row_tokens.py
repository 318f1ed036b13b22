"""A query's tokens as they tell how it names rows: words, names and signs of its SQL, and what its tags write.

Comments and blanks are gone. A literal that a tag fills is one token, and so is a condition with all that it holds.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from workers.templates.nodes import AutoComma, BatchIn, Call, Expression, Field, For, If, Node, Out, Text, fields_of

if TYPE_CHECKING:
    from collections.abc import Iterator


class RowToken(NamedTuple):
    """One piece of a query.

    kind  "word", "name" (quoted), "value" (a placeholder or list that is a whole value), "mixed", the sign itself, or
          "unsure": what databases read differently, or a condition that writes more than a value
    bends families of columns beside which some databases read another value of it: of a text beside numbers what it
          begins with, and of a number beside texts each that begins with it
    """

    kind: str
    text: str = ""
    fields: frozenset[str] = frozenset()
    computed: bool = False
    written: str = ""
    bends: frozenset[str] = frozenset()


_PIECE = re.compile(
    # Each alternative ends where the text does, or a text full of openings would be read again from each.
    r"""(?P<blank>\s+|--[^\n]*|/\*.*?(?:\*/|\Z))|(?P<hole>\x00\d+\x01)|(?P<quoted>'(?:[^']|'')*(?:'|\Z)"""
    r"""|"(?:[^"]|"")*(?:"|\Z)|`[^`]*(?:`|\Z)|\[[^\]\x00]{0,128}\])|(?P<word>[\w$@#]+)|(?P<sign>.)""",
    re.DOTALL,
)
_UNSURE = re.compile(
    r"""[\\#\r]|\$\w*\$|--(?!\s|\Z)|//|\]\]|\[[^\]]*(?:['"`\[]|/\*)|\b[nN]?[qQ]'""",
)
"""Where databases part ways over what ends a literal or a name and what begins a comment: an OR behind `'\\'' OR` is a
literal's in one of them, and a condition in another."""
_NUMBER_AND_LETTERS = re.compile(r"[$@]*[0-9](?![0-9]*\Z)")
"""A word such as 5or, which some read as 5 OR."""
_VALUE_SIGNS = frozenset({"value", "mixed", "name", ",", ".", "-", "(", ")"})
_VALUE_WORDS = frozenset(
    {"null", "true", "false", "default", "now", "current_timestamp", "utc_timestamp", "systimestamp", "sysutcdatetime"}
)
_TEXT, _NUMBER = frozenset({"number"}), frozenset({"text"})
"""What texts, and what numbers bend."""
_HOLE = re.compile(r"\x00(\d+)\x01")
_KEEP_APART = frozenset({"number", "lower", "upper", "trim", "md5", "sha256"})
"""Functions that give one value only for texts that fold alike: what they compute names the row as the field does."""


def tokens_of(nodes: list[Node]) -> list[RowToken]:
    """All tokens of a parsed query; the last is "unsure" where its text is none that all databases read alike."""
    holes: list[RowToken] = []
    text = "".join(_skeleton(nodes, holes))
    return [*_tokens(text, holes), *([RowToken("unsure")] if _UNSURE.search(text) else [])]


def _skeleton(nodes: list[Node], holes: list[RowToken]) -> Iterator[str]:
    """The query's text with a mark for each placeholder; a condition is one mark for all it holds."""
    for node in nodes:
        if isinstance(node, Text):
            yield node.text
        elif isinstance(node, AutoComma):
            yield ","
        elif isinstance(node, For):
            inner = list(_skeleton(node.body, holes))
            if node.items is not None:  # a list in a profile: one mark, whatever it writes
                yield _mark(holes, _computed([node.items], ["".join(inner)], holes))
            else:
                yield from inner
        elif isinstance(node, If):
            yield _condition(node, holes)
        else:
            yield _mark(holes, _placeholder(node))


def _condition(node: If, holes: list[RowToken]) -> str:
    bodies = [*(body for _, body in node.branches), *([node.otherwise] if node.otherwise else [])]
    texts = ["".join(_skeleton(body, holes)) for body in bodies]
    return _mark(holes, _computed([condition for condition, _ in node.branches], texts, holes))


def _holes_in(text: str, holes: list[RowToken]) -> list[RowToken]:
    """What the marks in some text stand for."""
    return [holes[int(found[1])] for found in _HOLE.finditer(text)]


def _computed(expressions: list[Expression], texts: list[str], holes: list[RowToken]) -> RowToken:
    """What these texts write, one or the other of them or many; "unsure" where that is more than a value or a list."""
    names = {one.name for expression in expressions for one in fields_of(expression)}
    inside = frozenset(names).union(*(token.fields for text in texts for token in _holes_in(text, holes)))
    kind = "value" if all(_is_value(text, holes) for text in texts) else "unsure"
    return RowToken(kind, fields=inside, computed=True)


def _is_value(text: str, holes: list[RowToken]) -> bool:
    depth = 0
    for token in _tokens(text, holes):
        depth += {"(": 1, ")": -1}.get(token.kind, 0)
        is_word = token.kind == "word" and (token.text in _VALUE_WORDS or token.text.isdigit())
        if depth < 0 or not (is_word or token.kind in _VALUE_SIGNS):
            return False
    return depth == 0 and not _UNSURE.search(text)


def _placeholder(node: Out | BatchIn) -> RowToken:
    if isinstance(node, BatchIn):
        return RowToken("value", fields=frozenset({node.field.name}), bends=_NUMBER if node.number else _TEXT)
    expression = node.expression
    while isinstance(expression, Call) and expression.name in _KEEP_APART:
        expression = expression.arguments[0]
    names = frozenset(one.name for one in fields_of(expression))
    outermost = node.expression.name if isinstance(node.expression, Call) else ""
    bends = _NUMBER if outermost == "number" else _TEXT if outermost else _TEXT | _NUMBER
    return RowToken("value", fields=names, computed=not isinstance(expression, Field), bends=bends)


def _mark(holes: list[RowToken], token: RowToken) -> str:
    holes.append(token)
    return f"\x00{len(holes) - 1}\x01"


def _tokens(text: str, holes: list[RowToken]) -> Iterator[RowToken]:
    for found in _PIECE.finditer(text):
        piece = found[0]
        if found["hole"]:
            yield holes[int(piece[1:-1])]
        elif found["quoted"]:
            yield _quoted(piece, holes)
        elif found["word"]:
            kind = "unsure" if _NUMBER_AND_LETTERS.match(piece) else "word"
            yield RowToken(kind, piece.lower(), written=piece)
        elif found["sign"]:
            yield RowToken(piece)


def _quoted(piece: str, holes: list[RowToken]) -> RowToken:
    inside = _holes_in(piece, holes)
    if not inside:
        return RowToken("name", piece[1:-1])
    if len(inside) == 1 and _HOLE.fullmatch(piece[1:-1]):
        # Of a number in quotes the text is a number's, whatever it stands beside.
        return inside[0]._replace(kind="value", bends=inside[0].bends - _NUMBER)
    return RowToken("mixed", fields=frozenset[str]().union(*(token.fields for token in inside)), computed=True)


def sign(tokens: list[RowToken], at: int) -> str:
    """The word there, or the kind of what is no word; "" beyond both ends."""
    if not 0 <= at < len(tokens):
        return ""
    return tokens[at].text if tokens[at].kind == "word" else tokens[at].kind


def around(tokens: list[RowToken]) -> list[int]:
    """For each token the place of the bracket that stands open there, its own not counted; -1 where none does."""
    found, open_ = [], [-1]
    for at, token in enumerate(tokens):
        if token.kind == ")" and len(open_) > 1:
            open_.pop()
        found.append(open_[-1])
        if token.kind == "(":
            open_.append(at)
    return found


def brackets(tokens: list[RowToken], at: int) -> list[list[list[RowToken]]]:
    """What stands between the commas of each bracket of a list, as in `(a, b), (c, d)`, which begins at this place.

    [] where none does, or where a tag may write another one of it.
    """
    found: list[list[list[RowToken]]] = []
    while sign(tokens, at) == "(":
        end = _closing(tokens, at)
        if end == len(tokens):
            return []
        cells: list[list[RowToken]] = [[]]
        depths = around(tokens[at + 1 : end])
        for token, opened in zip(tokens[at + 1 : end], depths, strict=True):
            if token.kind == "," and opened < 0:
                cells.append([])
            else:
                cells[-1].append(token)
        found.append(cells)
        at = end + 1 + (sign(tokens, end + 1) == ",")
    return [] if sign(tokens, at) in ("value", "mixed", "unsure") else found


def _closing(tokens: list[RowToken], at: int) -> int:
    """Where the bracket closes that opens at this place; the end where none does."""
    depth = 0
    for place in range(at, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[place].kind, 0)
        if depth == 0:
            return place
    return len(tokens)
