"""Where a loop needs no look ahead for its {autocomma}, and where an item of it may come out empty."""

from __future__ import annotations

from workers.templates.nodes import AutoComma, For, Node, Out, Text, walk


def comma_tail(body: list[Node]) -> str | None:
    """The comma and what follows it, where the loop is simple: one {autocomma}, in every round, then only text.

    "" for a loop without, None for one that is not so simple.
    """
    commas = [node for node in walk(body, into_loops=False) if isinstance(node, AutoComma)]
    if not commas:
        return ""
    if commas[0] not in body:
        return None
    rest = body[body.index(commas[0]) + 1 :]
    texts = [node.sql() for node in rest if isinstance(node, Text)]
    return "," + "".join(texts) if len(texts) == len(rest) else None


def may_be_blank(node: For) -> bool:
    """Whether an item of the loop can come out empty, and so needs no comma: its last part is the {autocomma}."""
    if node.in_literal:
        return False
    commas = [index for index, part in enumerate(node.body) if isinstance(part, AutoComma)]
    if len(commas) != 1 or always_writes(node.body[: commas[0]]):
        return False
    rest = node.body[commas[0] + 1 :]
    return not any(isinstance(part, Out) for part in node.body) and all(
        isinstance(part, Text) and not part.sql().strip() for part in rest
    )


def always_writes(body: list[Node]) -> bool:
    """Whether text of the template stands in every round."""
    return any(isinstance(node, Text) and node.sql().strip() for node in body)
