"""Whether a table's rows are named by the key alone, or by further unique keys that a query's text does not show.

Where `add` writes more than the key, a second unique key may make it meet the row of another profile: z gives up an
e-mail, a takes it. A trigger may turn one key into another, and `remove` may look for it in a column that takes some
other field. Then no remove may pass an add (delivery/rounds.py).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from workers.connectors.sql.vendors import VENDORS
from workers.templates.row_naming import Meeting

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workers.connectors.inspection import Examined, Table, UniqueKey
    from workers.templates.row_naming import Insert


def names_rows_by_key(session: Examined, insert: Insert, key: Iterable[str]) -> bool:
    """As `contract.Connector.names_rows_by_key`, by what the target says of the table now."""
    schema, name = place_of(insert, session.dialect)
    table = session.table(schema, name) if name else None
    if table is None or not named_by_key_alone(table, insert, key):
        return False
    return _reads_otherwise(session.dialect).isdisjoint(insert.bends & _families(table, insert, frozenset(key)))


def _reads_otherwise(dialect: str) -> frozenset[str]:
    """Families of columns beside which this database reads what a text begins with as a number (`Insert.bends`)."""
    traits = VENDORS[dialect].traits
    found = {"number": traits.text_beside_number, "text": traits.number_beside_text}
    return frozenset(family for family, what in found.items() if what)


def _families(table: Table, insert: Insert, key: frozenset[str]) -> frozenset[str]:
    """Of the columns that take the key, or that it is compared with."""
    taken = {column for column, fields in (_taken(insert, table) or {}).items() if fields & key}
    names = taken | {one.column for one in insert.found_by}
    return frozenset(column.family for name, column in table.columns.items() if name.lower() in names)


def place_of(insert: Insert, dialect: str) -> tuple[str, str]:
    """Schema ("" where none is written) and name of the table as the target keeps them; ("", "") for longer names."""
    lowers = VENDORS[dialect].traits.quoted_names_keep_case
    parts = [part.text if part.quoted or not lowers else part.text.lower() for part in insert.table]
    match parts:
        case [name]:
            return "", name
        case [schema, name]:
            return schema, name
    return "", ""


def named_by_key_alone(table: Table | None, insert: Insert, key: Iterable[str]) -> bool:
    """Whether two profiles with different keys can never be the same row of this table.

    table   as the target tells it; None where it tells nothing
    insert  what `add` writes, and from which of the profile's fields
    key     the fields that identify the row

    True only where every unique key holds nothing but what the key or the segment says, and one of them the key's,
    where `remove` looks for the key in columns that take it, which nothing changes on its way or later, and where no
    other rows go along with one that is deleted, by a foreign key that leads back to this table.
    """
    fields = None if table is None else _taken(insert, table)
    if table is None or fields is None or table.triggers or table.followers:
        return False
    takes = {Meeting(field, column) for column, taken in fields.items() for field in taken}
    found_by = {one.column for one in insert.found_by}
    if not insert.found_by <= takes or not all(_is_folded(table, column) for column in found_by):
        return False
    if insert.changed & found_by or any(insert.changed & _names(unique) for unique in table.unique):
        return False
    judged = [_judge(one, table, fields, frozenset(key)) for one in table.unique]
    return all(judged) and any(_uses_key(one, fields) for one in table.unique)


def _taken(insert: Insert, table: Table) -> dict[str, frozenset[str]] | None:
    """What each column takes, by its name in small letters; None where it cannot be told.

    Without a list of columns VALUES go by their places. Databases differ in whether computed columns have one, and
    some leave out columns that they do not show here.
    """
    if not insert.values:
        return {name.lower(): taken for name, taken in insert.columns.items()}
    columns = list(table.columns)
    if len(columns) != len(insert.values) or any(column.computed for column in table.columns.values()):
        return None
    return {name.lower(): taken for name, taken in zip(columns, insert.values, strict=True)}


def _names(unique: UniqueKey) -> frozenset[str]:
    return frozenset(column.lower() for column in unique.columns)


def _judge(unique: UniqueKey, table: Table, fields: dict[str, frozenset[str]], key: frozenset[str]) -> bool:
    if unique.partial or unique.beginnings or unique.computed:
        return False
    written = [fields.get(column.lower()) for column in unique.columns]
    if all(taken is None for taken in written):
        # The target makes it by itself: a number of its own is nobody else's, what is computed may be.
        return all(_is_its_own(table, column) for column in unique.columns)
    if not all(_is_folded(table, column) for column in unique.columns):
        return False
    # Less than the whole key, as in (segment_id, updated), is a row that different profiles share.
    return None not in written and frozenset[str]().union(*(taken or () for taken in written)) == key


_FOLDED = re.compile(
    r"(?:(?:tiny|medium|long|n)?(?:text|clob)|(?:n|national )?(?:var)?char(?:acter)?(?: varying)?|n?varchar2"
    r"|string|citext|(?:tiny|small|medium|big)?int(?:eger)?|number|numeric|decimal|uuid|uniqueidentifier|(?:var)?binary"
    r")\b(?!.* collate )(?!\(\d+, ?(?!0\)))(?![.\[])|\Z"
)
"""Types of which folding (delivery/key_folding.py) knows what they take for equal. Others know more spellings (inet,
interval, jsonb, boolean, year, and days, where 261128 is one, and so is today), follow a collation that may be of the
user's own, keep the beginning (name), a few digits of a number (real), or round it elsewhere than at the point
(numeric(9,2) takes 7.495 for 7.5)."""


def _is_folded(table: Table, column: str) -> bool:
    """Whether keys that fold apart are surely different there."""
    found = table.columns.get(column) or table.columns.get(column.lower())
    return found is not None and _FOLDED.match(found.type.lower()) is not None and not found.type.endswith("[]")


def _is_its_own(table: Table, column: str) -> bool:
    """Whether a column that nobody writes numbers its rows; a text may be what a trigger makes of another column."""
    found = table.columns.get(column) or table.columns.get(column.lower())
    return found is not None and not found.computed and (found.family == "number" or found.type == "uuid")


def _uses_key(unique: UniqueKey, fields: dict[str, frozenset[str]]) -> bool:
    return any(fields.get(column.lower()) for column in unique.columns)
