"""A query's tokens as they tell how it names rows: words, names and signs of its SQL, and what its tags write.

Comments and blanks are gone. A literal that a tag fills is one token, and so is a condition with all that it holds.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from workers.templates.nodes import AutoComma, BatchIn, Call, Expression, Field, For, If, Node, Out, Text, fields_of

if TYPE_CHECKING:
    from collections.abc import Iterator


class Token(NamedTuple):
    """kind: "word", "name" (quoted), "value" (a placeholder or list that is a whole value), "mixed", or the sign."""

    kind: str
    text: str = ""
    fields: frozenset[str] = frozenset()
    computed: bool = False
    written: str = ""


_PIECE = re.compile(
    # Each alternative ends where the text does, or a text full of openings would be read again from each.
    r"""(?P<blank>\s+|--[^\n]*|/\*.*?(?:\*/|\Z))|(?P<hole>\x00\d+\x01)|(?P<quoted>'(?:[^']|'')*(?:'|\Z)"""
    r"""|"(?:[^"]|"")*(?:"|\Z)|`[^`]*(?:`|\Z)|\[[^\]\x00]{0,128}\])|(?P<word>[\w$@#]+)|(?P<sign>.)""",
    re.DOTALL,
)
_HOLE = re.compile(r"\x00(\d+)\x01")
_KEEP_APART = frozenset({"number", "lower", "upper", "trim", "md5", "sha256"})
"""Functions that give one value only for texts that fold alike: what they compute names the row as the field does."""


def tokens_of(nodes: list[Node]) -> list[Token]:
    """All tokens of a parsed query."""
    holes: list[Token] = []
    text = "".join(_skeleton(nodes, holes))
    return list(_tokens(text, holes))


def _skeleton(nodes: list[Node], holes: list[Token]) -> Iterator[str]:
    """The query's text with a mark for each placeholder; a condition is one mark for all it holds."""
    for node in nodes:
        if isinstance(node, Text):
            yield node.text
        elif isinstance(node, AutoComma):
            yield ","
        elif isinstance(node, For):
            inner = list(_skeleton(node.body, holes))
            if node.items is not None:  # a list in a profile: one mark, whatever it writes
                yield _mark(holes, _computed([node.items], _holes_in(inner, holes)))
            else:
                yield from inner
        elif isinstance(node, If):
            yield _condition(node, holes)
        else:
            yield _mark(holes, _placeholder(node))


def _condition(node: If, holes: list[Token]) -> str:
    bodies = [*(body for _, body in node.branches), *([node.otherwise] if node.otherwise else [])]
    inside = [token for body in bodies for token in _holes_in(list(_skeleton(body, holes)), holes)]
    return _mark(holes, _computed([condition for condition, _ in node.branches], inside))


def _holes_in(pieces: list[str], holes: list[Token]) -> list[Token]:
    """What the marks in some text stand for."""
    return [holes[int(found[1])] for piece in pieces for found in _HOLE.finditer(piece)]


def _computed(expressions: list[Expression], inside: list[Token]) -> Token:
    names = {one.name for expression in expressions for one in fields_of(expression)}
    return Token("value", fields=frozenset(names).union(*(token.fields for token in inside)), computed=True)


def _placeholder(node: Out | BatchIn) -> Token:
    if isinstance(node, BatchIn):
        return Token("value", fields=frozenset({node.field.name}))
    expression = node.expression
    while isinstance(expression, Call) and expression.name in _KEEP_APART:
        expression = expression.arguments[0]
    names = frozenset(one.name for one in fields_of(expression))
    return Token("value", fields=names, computed=not isinstance(expression, Field))


def _mark(holes: list[Token], token: Token) -> str:
    holes.append(token)
    return f"\x00{len(holes) - 1}\x01"


def _tokens(text: str, holes: list[Token]) -> Iterator[Token]:
    for found in _PIECE.finditer(text):
        piece = found[0]
        if found["hole"]:
            yield holes[int(piece[1:-1])]
        elif found["quoted"]:
            yield _quoted(piece, holes)
        elif found["word"]:
            yield Token("word", piece.lower(), written=piece)
        elif found["sign"]:
            yield Token(piece)


def _quoted(piece: str, holes: list[Token]) -> Token:
    inside = _holes_in([piece], holes)
    if not inside:
        return Token("name", piece[1:-1])
    if len(inside) == 1 and _HOLE.fullmatch(piece[1:-1]):
        return inside[0]
    return Token("mixed", fields=frozenset[str]().union(*(token.fields for token in inside)), computed=True)


def sign(tokens: list[Token], at: int) -> str:
    """The word there, or the kind of what is no word; "" beyond both ends."""
    if not 0 <= at < len(tokens):
        return ""
    return tokens[at].text if tokens[at].kind == "word" else tokens[at].kind


def around(tokens: list[Token]) -> list[int]:
    """For each token the place of the bracket that stands open there, its own not counted; -1 where none does."""
    found, open_ = [], [-1]
    for at, token in enumerate(tokens):
        if token.kind == ")" and len(open_) > 1:
            open_.pop()
        found.append(open_[-1])
        if token.kind == "(":
            open_.append(at)
    return found
