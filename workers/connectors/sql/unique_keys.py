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

    from workers.connectors.inspection import Column, Examined, Table, UniqueKey
    from workers.templates.row_naming import Insert


def names_rows_by_key(session: Examined, insert: Insert, key: Iterable[str]) -> bool:
    """As `contract.Connector.names_rows_by_key`, by what the target says of the table now."""
    return not why_keys_meet(session, insert, key)


def why_keys_meet(session: Examined, insert: Insert, key: Iterable[str], *, types: bool = True) -> str:
    """Why two profiles with different keys may be one row there, as a clause; "" where they never are.

    types  whether what columns take for equal counts, too
    """
    schema, name = place_of(insert, session.dialect)
    table = session.table(schema, name) if name else None
    why = why_not_by_key(table, insert, key, types=types)
    return why or (_bent(table, insert, session.dialect, key) if table and types else "")


def _bent(table: Table, insert: Insert, dialect: str, key: Iterable[str]) -> str:
    """Where this database reads what a text begins with as a number (`Insert.bends`)."""
    traits = VENDORS[dialect].traits
    wrong = {"number": traits.text_beside_number, "text": traits.number_beside_text}
    written = {"number": "a text", "text": "a number"}
    for column in _meeting(table, insert, frozenset(key)):
        if column.family in insert.bends and wrong.get(column.family):
            how = f"column {column.name!r} ({column.type}) meets the key written as {written[column.family]}"
            return f"{how}: {wrong[column.family]}"
    return ""


def _meeting(table: Table, insert: Insert, key: frozenset[str]) -> list[Column]:
    """The columns that take the key, or that it is compared with."""
    taken = {column for column, fields in (_taken(insert, table) or {}).items() if fields & key}
    names = taken | {one.column for one in insert.found_by}
    return [column for name, column in table.columns.items() if name.lower() in names]


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
    return not why_not_by_key(table, insert, key)


def why_not_by_key(table: Table | None, insert: Insert, key: Iterable[str], *, types: bool = True) -> str:
    """As `named_by_key_alone`: what is in its way, as a clause; "" where nothing is. `types` as in `why_keys_meet`."""
    if table is None:
        return f"the target shows no table {'.'.join(part.text for part in insert.table)!r}"
    fields = _taken(insert, table)
    if fields is None:
        return f"INSERT lists no columns of {table.name!r}, and their places do not tell which of them takes the key"
    if table.triggers:
        return f"a trigger or rule of {table.name!r} may change a key, or other rows"
    if table.followers:
        followers = ", ".join(map(repr, table.followers))
        return f"rows of {followers} are deleted or emptied with those of {table.name!r}, by a foreign key"
    found = _why_not_found(table, insert, fields, types=types)
    return found or _why_not_unique(table, insert, fields, frozenset(key), types=types)


def _why_not_found(table: Table, insert: Insert, fields: dict[str, frozenset[str]], *, types: bool) -> str:
    takes = {Meeting(field, column) for column, taken in fields.items() for field in taken}
    for one in sorted(insert.found_by):
        if one not in takes:
            return f"remove looks for {one.field!r} in column {one.column!r}, which add does not write it to"
        if types and not _is_folded(table, one.column):
            return _spelled(table, one.column)
        if one.column in insert.changed:
            return f"a query gives column {one.column!r} another value, by which remove finds the row"
    return ""


def _why_not_unique(
    table: Table, insert: Insert, fields: dict[str, frozenset[str]], key: frozenset[str], *, types: bool
) -> str:
    for one in table.unique:
        if insert.changed & _names(one):
            return f"a query gives a row other values in the unique key {_called(one)}"
        if why := _judge(one, table, fields, key, types=types):
            return why
    if not any(_uses_key(one, fields) for one in table.unique):
        return f"no unique key of {table.name!r} is over what takes the key"
    return ""


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


def _called(unique: UniqueKey) -> str:
    return f"{unique.name} ({', '.join(unique.columns)})"


def _judge(
    unique: UniqueKey, table: Table, fields: dict[str, frozenset[str]], key: frozenset[str], *, types: bool
) -> str:
    """Why different keys may meet by this unique key; "" where they never do."""
    if unique.partial or unique.beginnings or unique.computed:
        how = "holds for some rows only" if unique.partial else "is computed"
        how = "counts only the beginning of a column" if unique.beginnings else how
        return f"the unique key {_called(unique)} {how}"
    if unique.collated:
        return f"the unique key {_called(unique)} compares {unique.collated[0]!r} by a collation of its own"
    written = [fields.get(column.lower()) for column in unique.columns]
    if all(taken is None for taken in written):
        # The target makes it by itself: a number of its own is nobody else's, what is computed may be.
        own = all(_is_its_own(table, column) for column in unique.columns)
        return "" if own else f"the unique key {_called(unique)} is filled by the target, and may come out alike"
    found = frozenset[str]().union(*(taken or () for taken in written))
    if found - key:
        others = ", ".join(map(repr, sorted(found - key)))
        return f"by the unique key {_called(unique)}, which takes {others}, a profile can meet another's row"
    if None in written or found != key:
        # As in (segment_id, updated).
        return f"the unique key {_called(unique)} is not over the whole key, so different profiles can share its row"
    blurred = (column for column in unique.columns if types and not _is_folded(table, column))
    return next((_spelled(table, column) for column in blurred), "")


_FOLDED = re.compile(
    r"(?:(?:tiny|medium|long|n)?(?:text|clob)|(?:n|national )?(?:var)?char(?:acter)?(?: varying)?|n?varchar2"
    r"|string|citext|(?:tiny|small|medium|big)?int(?:eger)?|number|numeric|decimal|uuid|uniqueidentifier|(?:var)?binary"
    r")\b(?!.* collate )(?!\(\d+, ?(?!0\)))(?![.\[])|\Z"
)
"""Types of which folding (delivery/key_folding.py) knows what they take for equal. Others know more spellings (inet,
interval, jsonb, boolean, year, and days, where 261128 is one, and so is today), follow a collation that may be of the
user's own, keep the beginning (name), a few digits of a number (real), or round it elsewhere than at the point
(numeric(9,2) takes 7.495 for 7.5)."""


def _spelled(table: Table, column: str) -> str:
    called = _called_so(table, column)
    shown = f"{called[0].name!r} ({called[0].type})" if called else repr(column)
    return f"column {shown} may take keys for one that segsync tells apart"


def _is_folded(table: Table, column: str) -> bool:
    """Whether keys that fold apart are surely different there."""
    called = _called_so(table, column)
    return bool(called) and all(_FOLDED.match(one.type.lower()) and not one.type.endswith("[]") for one in called)


def _called_so(table: Table, column: str) -> list[Column]:
    """The columns of this name, which a query may write in other letters: several, where the target keeps case."""
    return [each for name, each in table.columns.items() if name.lower() == column.lower()]


def _is_its_own(table: Table, column: str) -> bool:
    """Whether a column that nobody writes numbers its rows; a text may be what a trigger makes of another column."""
    called = _called_so(table, column)
    return bool(called) and all(not one.computed and (one.family == "number" or one.type == "uuid") for one in called)


def _uses_key(unique: UniqueKey, fields: dict[str, frozenset[str]]) -> bool:
    return any(fields.get(column.lower()) for column in unique.columns)
