"""A query cut where its statements end."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from workers.templates.codegen import Statement
from workers.templates.nodes import Node, Text

if TYPE_CHECKING:
    from workers.templates.layout import Layout


def statements_of(nodes: list[Node], layout: Layout) -> list[Statement]:
    """The nodes cut at each `;`, without statements that hold nothing but comments."""
    filled = [*(layout.ends[place] for place in sorted(layout.ends)), layout.last]
    parts: list[list[Node]] = [[]]
    for node in nodes:
        if isinstance(node, Text) and id(node) in layout.cuts:
            first, *others = _cut(node, sorted(layout.cuts[id(node)]))
            parts[-1].append(first)
            parts += [[other] for other in others]
        else:
            parts[-1].append(node)
    return [
        Statement(part, optional=ways != {True}, place=_start(part))
        for part, ways in zip(parts, filled, strict=False)
        if True in ways
    ]


def _start(nodes: list[Node]) -> int:
    first = nodes[0]
    if isinstance(first, Text):
        return first.place(len(first.text) - len(first.text.lstrip()))
    return first.place


def _cut(node: Text, places: list[int]) -> list[Node]:
    text = node.text[: len(node.text) - node.cut_right]
    bounds = [node.cut_left - 1, *places, len(text)]
    return [_piece(node, text, start + 1, end) for start, end in pairwise(bounds)]


def _piece(node: Text, text: str, start: int, end: int) -> Text:
    inserts = {index - start: more for index, more in node.inserts.items() if start <= index < end}
    return Text(text[start:end], [(0, node.place(start))], inserts=inserts)
