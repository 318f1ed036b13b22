"""What a query may say and probably does not mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.templates.model import QueryKind
from workers.templates.nodes import (
    BatchIn,
    Builtin,
    Expression,
    For,
    If,
    Node,
    Out,
    Text,
    expressions_in,
    fields_of,
    inside,
    walk,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.templates.codegen import Statement
    from workers.templates.parser import Parsed
    from workers.templates.scanner import Source

_NOT_SENT = "where this {for} has nothing to go over, the statement is not sent, and the event counts as delivered"

_NONE_SENT = (
    "where this {for} has nothing to go over for any profile of a batch, the statement is not sent, and they count as "
    "delivered"
)

_HARM = {
    QueryKind.ADD: "profiles that differ in nothing else would be one row",
    QueryKind.REMOVE: "it may take other rows away than add wrote",
}


def warn(
    source: Source, parsed: Parsed, statements: list[Statement], kind: QueryKind, key: tuple[str, ...], *, batch: bool
) -> None:
    """Adds warnings to `source`."""
    _warn_of_nothing(source, statements)
    if not kind.has_profiles:
        return
    if not any(part == Builtin("segment_id") for part in _values(parsed.nodes)):
        source.warn(
            0, "nothing in it depends on {segment_id}: segments would share rows, and order holds per segment only"
        )
    used = [one.name for one in parsed.fields]
    if "" in used:  # the whole profile, its key included
        used += key
    if not used:
        source.warn(0, f"it uses no profile field: every {kind} of any profile does the same")
    unused = [name for name in key if name not in used]
    if used and unused:
        source.warn(0, f"it does not use {', '.join(map(repr, unused))} of the key: {_HARM[kind]}")
    if batch:
        _warn_of_mixture(source, statements)
        for one in statements:
            _warn_of_combinations(source, one.nodes, frozenset(key))


def _warn_of_nothing(source: Source, statements: list[Statement]) -> None:
    """Which loops take their statement with them where they come out empty."""
    found = [node for one in statements for node in walk(one.nodes, into_loops=False) if isinstance(node, For)]
    for node in (each for each in found if each.is_needed):
        if node.items is not None:
            source.warn(node.place, _NOT_SENT)
        elif not any(map(_always_writes, node.body)):
            for one in (each for each in walk(node.body, into_loops=False) if isinstance(each, For)):
                source.warn(one.place, _NONE_SENT)


def _warn_of_mixture(source: Source, statements: list[Statement]) -> None:
    """Halving a batch and setting a bad profile apart run the whole query again, on a part of the batch."""
    over_batch = [any(_is_over_batch(node) for node in walk(one.nodes)) for one in statements]
    if any(over_batch) and not all(over_batch):
        source.warn(
            0,
            "a statement without $batch beside one with it: it runs once for each part into which a batch is cut; "
            "make sure that running it again does no harm",
        )


def _warn_of_combinations(source: Source, nodes: list[Node], key: frozenset[str]) -> None:
    """`a IN (…) AND b IN (…)` of two profiles takes four rows: two of them are others'."""
    lists = [node for node in walk(nodes) if isinstance(node, (BatchIn, For)) and _is_over_batch(node)]
    found = [(node, _fields_over_batch(node)) for node in lists]
    parts = [(node, fields & key) for node, fields in found if fields & key and not key <= fields and "" not in fields]
    if len({fields for _, fields in parts}) > 1:
        source.warn(
            parts[1][0].place,
            "lists of its own for each part of the key meet every combination of their values, rows of other profiles "
            "among them; write whole keys, as in (a, b) IN ({for $l = $batch}({$l.a}, {$l.b}){autocomma}{end})",
        )


def _fields_over_batch(node: BatchIn | For) -> frozenset[str]:
    if isinstance(node, BatchIn):
        return frozenset({node.field.name})
    return frozenset(field.name for value in expressions_in([node]) for field in fields_of(value))


def _always_writes(node: Node) -> bool:
    """Whether something stands in the statement because of a node, whatever a profile holds."""
    if isinstance(node, If):
        ways = [body for _, body in node.branches] + [node.otherwise or []]
        return all(any(map(_always_writes, way)) for way in ways)
    return isinstance(node, (Out, BatchIn)) or (isinstance(node, Text) and bool(node.sql().strip()))


def _is_over_batch(node: Node) -> bool:
    return isinstance(node, BatchIn) or (isinstance(node, For) and node.items is None)


def _values(nodes: list[Node]) -> Iterator[Expression]:
    for node in walk(nodes):
        if isinstance(node, Out):
            yield from inside(node.expression)
