"""What a query's conditions compare fields with: which values choose which of its branches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.templates.nodes import Compare, Const, expressions_in, fields_of, inside

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.templates.nodes import Expression, Node

_ORDERS = frozenset({"<", "<=", ">", ">="})


def choices(nodes: list[Node]) -> dict[str, tuple[object, ...]]:
    """By field the constants that it is compared with, each once; of a whole number that is a bound its neighbours."""
    found: dict[str, dict[tuple[type, object], object]] = {}
    for whole in expressions_in(nodes):
        for each in inside(whole):
            if isinstance(each, Compare):
                for field, value in _compared(each):
                    found.setdefault(field, {})[type(value), value] = value
    return {field: tuple(values.values()) for field, values in found.items()}


def _compared(compare: Compare) -> Iterator[tuple[str, object]]:
    for one, other in ((compare.left, compare.right), (compare.right, compare.left)):
        field = _field(one)
        if field and isinstance(other, Const) and other.value is not None:
            yield field, other.value
            if compare.operator in _ORDERS and type(other.value) is int:
                yield from ((field, other.value - 1), (field, other.value + 1))


def _field(value: Expression) -> str:
    """The field whose value, or what functions make of it, an expression is; "" where it is no single one's."""
    names = {one.name for one in fields_of(value)}
    return names.pop() if len(names) == 1 else ""
