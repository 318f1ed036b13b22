"""How a query names the row of a profile: by its key alone and as it stands, or by something nobody here can judge.

A batch may run its removes before its adds only where no remove can meet an add that it passes (delivery/rounds.py).
That is known where each query compares or writes the key's fields as they are, each with a column of its own, and names
the row by nothing else. What cannot be read for sure counts as unknown, which costs speed and never a row.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from workers.templates.nodes import AutoComma, BatchIn, Call, Expression, Field, For, If, Node, Out, Text, fields_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class Name(NamedTuple):
    """A part of a table's name as written, its quotes taken off."""

    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Insert:
    """The one INSERT of plain values that a query is.

    table    its name in parts, as in crm.member
    columns  each column listed -> the profile fields whose values it takes
    values   the same where none is listed: what the first column takes, the second, and so on
    """

    table: tuple[Name, ...]
    columns: Mapping[str, frozenset[str]]
    values: tuple[frozenset[str], ...] = ()


@dataclass(frozen=True, slots=True)
class RowNaming:
    """What a query says of the rows it touches.

    plain   all of the key's fields are used, and wherever one stands it is compared with a column, or written to one,
            as it is, or through functions that keep apart what folding keeps apart
    others  profile fields that it uses beside the key
    insert  where it does nothing but insert plain values
    """

    plain: bool
    others: frozenset[str]
    insert: Insert | None


class _Token(NamedTuple):
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
_ENDS = frozenset({",", ")", ";", "and", "or", "on", "returning", "limit", "order", ""})
_INSERTS = frozenset({"insert", "replace"})
_OTHERS = frozenset({"select", "join", "using", "table"})
_TAKEN_FROM = dict.fromkeys(_INSERTS, _OTHERS) | {"update": _OTHERS | {"from"}, "delete": _OTHERS | {"values"}}
"""How a statement begins whose rows can be told -> words with which it takes something from elsewhere."""
_BEFORE_NAME = frozenset({"where", "and", "or", "on", "(", ".", "set"})


def row_naming(nodes: list[Node], key: Iterable[str]) -> RowNaming:
    """How a parsed query names rows.

    key  the fields that identify the row, as paths
    """
    holes: list[_Token] = []
    text = "".join(_skeleton(nodes, holes))
    tokens = list(_tokens(text, holes))
    keys = frozenset(key)
    fields = frozenset[str]().union(*(token.fields for token in holes))
    plain = all(_is_plain(tokens, at, keys) for at, token in enumerate(tokens) if token.fields & keys)
    return RowNaming(plain and keys <= fields and _in_one_table(tokens), fields - keys, _insert(tokens))


def _skeleton(nodes: list[Node], holes: list[_Token]) -> Iterator[str]:
    """The query's text with a mark for each placeholder; a condition is one mark for all it holds."""
    for node in nodes:
        if isinstance(node, Text):
            yield node.text
        elif isinstance(node, AutoComma):
            yield ","
        elif isinstance(node, For):
            inner = list(_skeleton(node.body, holes))
            if node.items is not None:  # a list in a profile: one mark, whatever it writes
                yield _mark(holes, _computed([node.items], holes_in(inner, holes)))
            else:
                yield from inner
        elif isinstance(node, If):
            yield _condition(node, holes)
        else:
            yield _mark(holes, _placeholder(node))


def _condition(node: If, holes: list[_Token]) -> str:
    bodies = [*(body for _, body in node.branches), *([node.otherwise] if node.otherwise else [])]
    inside = [token for body in bodies for token in holes_in(list(_skeleton(body, holes)), holes)]
    return _mark(holes, _computed([condition for condition, _ in node.branches], inside))


def holes_in(pieces: list[str], holes: list[_Token]) -> list[_Token]:
    """What the marks in some text stand for."""
    return [holes[int(found[1])] for piece in pieces for found in _HOLE.finditer(piece)]


def _computed(expressions: list[Expression], inside: list[_Token]) -> _Token:
    names = {one.name for expression in expressions for one in fields_of(expression)}
    return _Token("value", fields=frozenset(names).union(*(token.fields for token in inside)), computed=True)


def _placeholder(node: Out | BatchIn) -> _Token:
    if isinstance(node, BatchIn):
        return _Token("value", fields=frozenset({node.field.name}))
    expression = node.expression
    while isinstance(expression, Call) and expression.name in _KEEP_APART:
        expression = expression.arguments[0]
    names = frozenset(one.name for one in fields_of(expression))
    return _Token("value", fields=names, computed=not isinstance(expression, Field))


def _mark(holes: list[_Token], token: _Token) -> str:
    holes.append(token)
    return f"\x00{len(holes) - 1}\x01"


def _tokens(text: str, holes: list[_Token]) -> Iterator[_Token]:
    for found in _PIECE.finditer(text):
        piece = found[0]
        if found["hole"]:
            yield holes[int(piece[1:-1])]
        elif found["quoted"]:
            yield _quoted(piece, holes)
        elif found["word"]:
            yield _Token("word", piece.lower(), written=piece)
        elif found["sign"]:
            yield _Token(piece)


def _quoted(piece: str, holes: list[_Token]) -> _Token:
    inside = holes_in([piece], holes)
    if not inside:
        return _Token("name", piece[1:-1])
    if len(inside) == 1 and _HOLE.fullmatch(piece[1:-1]):
        return inside[0]
    return _Token("mixed", fields=frozenset[str]().union(*(token.fields for token in inside)), computed=True)


def _is_plain(tokens: list[_Token], at: int, keys: frozenset[str]) -> bool:
    """Whether the key's field at this place stands as it is, beside a column or in a row of VALUES."""
    token = tokens[at]
    if token.computed or not token.fields <= keys or _sign(tokens, at + 1) not in _ENDS:
        return False
    before = _sign(tokens, at - 1)
    if before == "=":
        return _is_column(tokens, at - 2)
    if before not in ("(", ","):
        return False
    opened = _opening(tokens, at)
    if opened is None:
        return False
    if _sign(tokens, opened - 1) == "in":
        return _is_column(tokens, opened - 2)
    return _is_row(tokens, opened)


def _in_one_table(tokens: list[_Token]) -> bool:
    """Whether each statement names rows by itself: what another table, or a list of rows, gives may be anything."""
    starts = [0, *(at + 1 for at, token in enumerate(tokens) if token.kind == ";"), len(tokens)]
    return all(_is_by_itself(tokens[start:end]) for start, end in itertools.pairwise(starts))


def _is_by_itself(statement: list[_Token]) -> bool:
    words = [token.text for token in statement if token.kind == "word"]
    if not words:
        return True
    if words[0] not in _TAKEN_FROM or not _TAKEN_FROM[words[0]].isdisjoint(words):
        return False
    until = next((at for at, one in enumerate(statement) if one.text in ("where", "set")), 0)
    return words[0] in _INSERTS or all(token.kind != "," for token in statement[:until])


def _sign(tokens: list[_Token], at: int) -> str:
    if not 0 <= at < len(tokens):
        return ""
    return tokens[at].text if tokens[at].kind == "word" else tokens[at].kind


def _is_column(tokens: list[_Token], at: int) -> bool:
    """Whether a column's bare name ends here: nothing is computed with it."""
    if at < 1 or tokens[at].kind not in ("word", "name") or tokens[at].text == "not":
        return False
    while _sign(tokens, at - 1) == "." and at > 1:
        at -= 2
    return _sign(tokens, at - 1) in _BEFORE_NAME


def _opening(tokens: list[_Token], at: int) -> int | None:
    depth = 0
    for place in range(at - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(tokens[place].kind, 0)
        if depth < 0:
            return place
    return None


def _is_row(tokens: list[_Token], opened: int) -> bool:
    """Whether the bracket opens a row of VALUES."""
    while _sign(tokens, opened - 1) == ",":
        opened -= 1
    return _sign(tokens, opened - 1) in ("values", "value")


def _insert(tokens: list[_Token]) -> Insert | None:
    words = [token.text for token in tokens if token.kind == "word"]
    if not words or words[0] not in ("insert", "replace") or {"select", "where", "exists"} & {*words}:
        return None
    if words.count("into") != 1 or words.count("values") + words.count("value") < 1:
        return None
    at = next(i for i, token in enumerate(tokens) if token.kind == "word" and token.text == "into") + 1
    table: list[Name] = []
    while at < len(tokens) and tokens[at].kind in ("word", "name"):
        table.append(Name(tokens[at].written or tokens[at].text, tokens[at].kind == "name"))
        if _sign(tokens, at + 1) != ".":
            break
        at += 2
    if table and _sign(tokens, at + 1) in ("values", "value"):
        cells = _bracket(tokens, at + 2)
        return Insert(tuple(table), {}, tuple(map(_fields, cells))) if cells and all(cells) else None
    columns = _bracket(tokens, at + 1)
    values = _bracket(tokens, at + 2 * len(columns) + 3) if columns else []
    if not table or not columns or len(columns) != len(values):
        return None
    names = [cell[0].text for cell in columns if len(cell) == 1 and cell[0].kind in ("word", "name")]
    taken = [_fields(cell) for cell in values]
    return Insert(tuple(table), dict(zip(names, taken, strict=True))) if len(names) == len(values) else None


def _fields(cell: list[_Token]) -> frozenset[str]:
    return frozenset[str]().union(*(token.fields for token in cell))


def _bracket(tokens: list[_Token], at: int) -> list[list[_Token]]:
    """What stands between the commas of the bracket that opens at this place; [] where none does."""
    if _sign(tokens, at) != "(":
        return []
    cells: list[list[_Token]] = [[]]
    depth = 0
    for token in tokens[at:]:
        depth += {"(": 1, ")": -1}.get(token.kind, 0)
        if depth == 0:
            return cells
        if token.kind == "," and depth == 1:
            cells.append([])
        elif not (token.kind == "(" and depth == 1):
            cells[-1].append(token)
    return []
