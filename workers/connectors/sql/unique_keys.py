"""Whether a table's rows are named by the key alone, or by further unique keys that a query's text does not show.

Where `add` writes more than the key, a second unique key may make it meet the row of another profile: z gives up an
e-mail, a takes it. Then no remove may pass an add (delivery/rounds.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workers.connectors.inspection import Table, UniqueKey
    from workers.templates.row_naming import Insert


def named_by_key_alone(table: Table | None, insert: Insert, key: Iterable[str]) -> bool:
    """Whether two profiles with different keys can never be the same row of this table.

    table   as the target tells it; None where it tells nothing
    insert  what `add` writes, and from which of the profile's fields
    key     the fields that identify the row

    True only where every unique key holds nothing but what the key or the segment says, and one of them the key's.
    """
    if table is None:
        return False
    fields = {name.lower(): taken for name, taken in insert.columns.items()}
    judged = [_judge(one, table, fields, frozenset(key)) for one in table.unique]
    return all(judged) and any(_uses_key(one, fields) for one in table.unique)


def _judge(unique: UniqueKey, table: Table, fields: dict[str, frozenset[str]], key: frozenset[str]) -> bool:
    if unique.partial:
        return False
    written = [fields.get(column.lower()) for column in unique.columns]
    if all(taken is None for taken in written):
        # The target makes it by itself: a number of its own is nobody else's, what is computed may be.
        return not any(_is_computed(table, column) for column in unique.columns)
    return all(taken is not None and taken <= key for taken in written)


def _is_computed(table: Table, column: str) -> bool:
    found = table.columns.get(column) or table.columns.get(column.lower())
    return found is None or found.computed


def _uses_key(unique: UniqueKey, fields: dict[str, frozenset[str]]) -> bool:
    return any(fields.get(column.lower()) for column in unique.columns)
