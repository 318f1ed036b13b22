"""Takes a line away that holds nothing but {for …}, {if …}, {else} or {end}, so that statements read well.

Of two line breaks, before and after the tag, the second goes. What is left is still parted by white space,
so nothing that was checked before changes. Only outside of literals: in them, each blank is data.
"""

from __future__ import annotations

import re

from workers.templates.nodes import For, If, Node, Text

_STARTS = re.compile(r"[ \t]*\n")
_ENDS = re.compile(r"\n[ \t]*\Z")


def tidy(node: For | If, previous: Node | None, following: Node | None) -> None:
    """Tidies the lines of a block's tags, where all of them have lines of their own."""
    bodies = [node.body] if isinstance(node, For) else [body for _, body in node.branches]
    if isinstance(node, If) and node.otherwise is not None:
        bodies.append(node.otherwise)
    if not (isinstance(previous, Text) and _ENDS.search(previous.text) and all(map(_has_lines, bodies))):
        return
    for text in (*(body[0] for body in bodies), following):
        if isinstance(text, Text) and (match := _STARTS.match(text.text)):
            text.cut_left = match.end()


def _has_lines(body: list[Node]) -> bool:
    if not body:
        return False
    first, last = body[0], body[-1]
    starts = isinstance(first, Text) and _STARTS.match(first.text)
    return bool(starts and isinstance(last, Text) and _ENDS.search(last.text))
