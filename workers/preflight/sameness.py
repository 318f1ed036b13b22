"""Which different keys a column or a query takes for one, and which literals for other rows. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.preflight.literals import CASTS, Value
from workers.preflight.samples import A_NUMBER, OTHER_TYPES, SEGMENT, fields_in
from workers.preflight.seen import Remark, Seen, fields, joined, warning

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workers.connectors.inspection import Column, Table
    from workers.preflight.shapes import Shape


def merged(seen: Seen, shape: Shape, table: Table) -> Iterator[Remark]:
    """Keys that are two for segsync (rule 15), and one for the column or for the statement."""
    if not seen.kind.has_profiles:
        return
    for column, values in (*shape.compared.items(), *shape.inserted.items()):
        if column in table.columns:
            yield from _by_column(seen, shape, table.columns[column], values)
    for column, computed in shape.computed.items():
        if computed.functions == CASTS and column in table.columns and table.columns[column].merges:
            continue  # the column itself says so already
        yield from _by_functions(seen, shape, column, computed.functions, computed.values)


def _by_column(seen: Seen, shape: Shape, column: Column, values: Sequence[Value]) -> Iterator[Remark]:
    keys = _keys(seen, values)
    if not keys or not column.merges:
        return
    kept = f"collation {column.collation}" if column.collation else f"type {column.type}"
    exact = seen.traits.exact_text if column.family == "text" else "keys that are written in one way, or a text column"
    yield seen.merging(
        f"column {column.name!r} of {shape.table!r}, which takes the key {keys[0]!r}, ignores "
        f"{joined(column.merges)} ({kept}), while segsync keeps such keys apart: two profiles would "
        f"share one row, and removing one removes both; expected {exact}"
    )


def _by_functions(
    seen: Seen, shape: Shape, column: str, functions: Sequence[str], values: Sequence[Value]
) -> Iterator[Remark]:
    keys = _keys(seen, values)
    if keys and functions:
        yield seen.merging(
            f"the key {keys[0]!r} reaches column {column!r} of {shape.table!r} through {joined(functions)}: "
            "two profiles for whom that comes out the same share one row, and removing one removes both"
        )


def rendered_alike(seen: Seen, alike: dict[str, list[str]]) -> Iterator[Remark]:
    """Keys whose statements are the same, since the query's own tags make them so; `alike` is of `Samples`."""
    for key, differences in alike.items():
        yield seen.merging(
            f"keys {key!r} that differ only in {joined(differences)} come out as one, by the query's own functions: "
            "two such profiles share one row, and removing one removes both"
        )


def _keys(seen: Seen, values: Sequence[Value]) -> list[str]:
    return [name for name in fields(seen, values) if name in seen.integration.key_fields]


def types(seen: Seen, shape: Shape, table: Table) -> Iterator[Remark]:
    """Where a number and a text that are compared do not mean what they say."""
    if not (seen.traits.text_beside_number or seen.traits.number_beside_text):
        return
    for column, value in ((column, value) for column, values in shape.compared.items() for value in values):
        if column in table.columns:
            yield from _type(seen, shape, table.columns[column], value)


def _type(seen: Seen, shape: Shape, column: Column, value: Value) -> Iterator[Remark]:
    for name in fields_in(value.text, seen.values):
        if column.family == "number" and value.quoted and name != SEGMENT:
            yield warning(_text_beside_number(seen, shape, column, name))
        elif column.family == "text" and not value.quoted:
            yield warning(_number_beside_text(seen, shape, column, name))


def _text_beside_number(seen: Seen, shape: Shape, column: Column, name: str) -> str:
    number = f'{{batch_in number "{name}"}} or ' if seen.integration.batched else ""
    variable = f"{{number $lead.{name}}}" if seen.integration.batched else f"{{number lead.{name}}}"
    return (
        f"compares {column.name!r} of {shape.table!r}, which is {column.type}, with the text of {name!r}: "
        f"{seen.traits.text_beside_number}; expected {number}{variable} (what is no number then goes to quarantine), "
        "or a text column"
    )


def _number_beside_text(seen: Seen, shape: Shape, column: Column, name: str) -> str:
    quoted = "'{segment_id}'" if name == SEGMENT else "the value in quotes"
    return (
        f"compares {column.name!r} of {shape.table!r}, which is {column.type}, with a number: "
        f"{seen.traits.number_beside_text}; expected {quoted}"
    )


_EIGHT = Value(str(OTHER_TYPES[A_NUMBER]), quoted=False)


def digits(seen: Seen, shape: Shape, table: Table) -> Iterator[Remark]:
    """Where a number that stands without quotes loses digits in a text."""
    if not seen.traits.number_in_text:
        return
    for name, shapes in seen.numbers.items():
        alike = [one for one in shapes if (one.schema, one.table) == (shape.schema, shape.table)]
        bare = dict.fromkeys(each for one in alike for each in _bare_columns(one) if each not in _bare_columns(shape))
        for column in (table.columns[each] for each in bare if each in table.columns):
            if column.family == "text":
                yield warning(
                    f"{name!r} stands without quotes beside {column.name!r} of {shape.table!r}, which is "
                    f"{column.type}: {seen.traits.number_in_text}; expected it in quotes"
                )


def _bare_columns(shape: Shape) -> list[str]:
    parts = (shape.inserted, shape.given, shape.compared)
    return [column for part in parts for column, values in part.items() if _EIGHT in values]
