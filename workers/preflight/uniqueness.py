"""Which row an upsert meets: what follows from a table's unique keys. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workers.preflight.samples import SEGMENT, fields_in
from workers.preflight.seen import Remark, Seen, fields, joined, mistake, spelled, warning

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workers.connectors.inspection import Table, UniqueKey
    from workers.preflight.literals import Value
    from workers.preflight.shapes import Shape


def unique(seen: Seen, shape: Shape, table: Table) -> Iterator[Remark]:
    """An upsert meets the row that is there only by a unique key of what names the row."""
    if shape.verb != "insert" or not shape.conflict or table.is_view:
        return
    listed, wanted = shape.listed or tuple(table.columns), _wanted(seen, shape)
    keys = [_Key(key, table) for key in table.unique if not key.partial]
    keys = [key for key in keys if key.sources <= set(listed) and not key.hidden]
    useful = [key for key in keys if _goes_by(shape, key.key)]
    if late := [key for key in useful if key.key.deferrable]:
        yield mistake(
            f"{seen.traits.upsert} goes by the unique key {_keys(late)} of {table.name!r}, which is DEFERRABLE: the "
            "database refuses every such statement; expected one that is NOT DEFERRABLE"
        )
    if not useful:
        # Else a partial or computed one, or one by its name, or the target itself says that there is none.
        if shape.on is None and not shape.constraint:
            yield warning(_nothing_met(seen, shape, table, wanted or listed))
        return
    names = _Names(seen, shape)
    naming = [key for key in useful if not wanted or names.row_by(key.sources)]
    if not naming:
        yield warning(_other_rows(table, useful, wanted))
        return
    yield from _blurred(seen, table, naming)
    if wanted:
        yield from _second(seen, shape, table, [key for key in keys if not names.row_within(key.sources)])


def _goes_by(shape: Shape, key: UniqueKey) -> bool:
    """Whether what the upsert says of a row that is there is about this unique key."""
    if shape.constraint:
        return key.name == shape.constraint
    return shape.on is None or set(key.columns) == set(shape.on)


@dataclass(frozen=True, slots=True)
class _Names:
    """Which columns name the row: those that take a field of its identity, or change with it as a hash does."""

    seen: Seen
    shape: Shape

    def row_by(self, columns: set[str]) -> bool:
        """Whether these name the row, and nothing else is among them but the elements of lists, which are rows."""
        rest = columns - self._lists()
        return self.row_within(columns) and all(any(each in taking for taking in self._taking()) for each in rest)

    def row_within(self, columns: set[str]) -> bool:
        """Whether all that names the row is among these."""
        return all(taking & columns for taking in self._taking())

    def _taking(self) -> list[set[str]]:
        moving, inserted = self.seen.moving, self.shape.inserted
        return [
            {*moving.get(name, ()), *(column for column, values in inserted.items() if _holds(values, name, self.seen))}
            for name in self.seen.identity
        ]

    def _lists(self) -> set[str]:
        lists = [name for name, value in self.seen.values.items() if isinstance(value, list)]
        inserted = self.shape.inserted.items()
        return {column for column, values in inserted if any(_holds(values, name, self.seen) for name in lists)}


@dataclass(frozen=True, slots=True)
class _Key:
    """A unique key with the columns that it comes down to, generated ones replaced by what they are computed from."""

    key: UniqueKey
    table: Table

    @property
    def sources(self) -> set[str]:
        found: set[str] = set()
        for name in self.key.columns:
            column = self.table.columns.get(name)
            found |= self._within(column.computed) if column is not None and column.computed else {name}
        return found.union(*map(self._within, self.key.expressions))

    @property
    def expressions(self) -> list[str]:
        """What it, or its columns, are computed by."""
        columns = [self.table.columns[name] for name in self.key.columns if name in self.table.columns]
        return [*(column.computed for column in columns if column.computed), *self.key.expressions]

    @property
    def merging(self) -> list[tuple[str, tuple[str, ...]]]:
        """Its generated columns that take different values for one, and in what these differ."""
        columns = [self.table.columns[name] for name in self.key.columns if name in self.table.columns]
        return [(column.name, column.merges) for column in columns if column.computed and column.merges]

    @property
    def hidden(self) -> bool:
        """Whether it is computed in a way that the target does not tell."""
        return self.key.computed and not self.key.expressions

    def _within(self, expression: str) -> set[str]:
        words = {word.lower() for word in _WORD.findall(expression)}
        return {name for name in self.table.columns if name.lower() in words}


_WORD = re.compile(r"\w+")
_KEEPING = frozenset({"sha", "sha1", "sha2", "sha224", "sha256", "sha384", "sha512", "md5", "digest", "hex", "unhex"})
_KEEPING |= {"concat", "concat_ws", "encode", "decode", "convert", "convert_to", "cast"}
"""Functions that give different values for different ones."""
_CALL = re.compile(r"(\w+)\s*\(")


def _blurred(seen: Seen, table: Table, keys: Sequence[_Key]) -> Iterator[Remark]:
    """Keys that take different members for one."""
    for key in keys:
        if key.key.beginnings:
            yield seen.merging(
                f"the unique key {_keys([key])} of {table.name!r} counts only the beginning of "
                f"{spelled(table, key.key.beginnings)}: two members who begin alike are one row, and overwrite each "
                "other; expected a unique key over the whole columns"
            )
        if key.key.collated:
            yield seen.merging(
                f"the unique key {_keys([key])} of {table.name!r} compares {spelled(table, key.key.collated)} by a "
                "collation of its own, which takes more for equal than the column's: two members who differ only in "
                "that are one row; expected a unique key by the column's"
            )
        folding = [name for text in key.expressions for name in _CALL.findall(text) if name.lower() not in _KEEPING]
        for column, merges in key.merging:
            yield seen.merging(
                f"the unique key {_keys([key])} of {table.name!r} is over {column!r}, which ignores {joined(merges)}: "
                "two members who differ only in that are one row"
            )
        if folding or key.key.computed:
            how = f" by {joined(folding)}" if folding else ""
            yield seen.merging(
                f"the unique key {_keys([key])} of {table.name!r} is computed{how}: two members for whom it comes out "
                "the same are one row"
            )


def _second(seen: Seen, shape: Shape, table: Table, keys: Sequence[_Key]) -> Iterator[Remark]:
    """Another unique key that a member's other fields may meet: a freed e-mail address, taken by someone else."""
    fields = [key for key in keys if _from_profile(seen, shape, key)]
    if not fields or not seen.kind.has_profiles:
        return
    if shape.on is None and shape.conflict in ("update", "replace"):
        what = f"{seen.traits.upsert if shape.conflict == 'update' else 'REPLACE'} then changes that one's row"
    else:
        what = "the database then refuses the row, until the other has given it up"
    yield seen.merging(
        f"{table.name!r} has another unique key, {_keys(fields)}: a profile can meet another member's row by it, and "
        f"{what}"
    )


def _from_profile(seen: Seen, shape: Shape, key: _Key) -> bool:
    values = [value for column in key.sources for value in shape.inserted.get(column, ())]
    return any(name != SEGMENT for name in fields(seen, values))


def _nothing_met(seen: Seen, shape: Shape, table: Table, named: Sequence[str]) -> str:
    clause = seen.traits.upsert if shape.conflict == "update" else _CLAUSES.get(shape.conflict, "")
    return (
        f"{clause} never meets a row that is there: {table.name!r} has no unique key within "
        f"{spelled(table, shape.listed or tuple(table.columns))}{_existing(table)}; every repetition inserts the same "
        f"rows again; expected a primary or unique key over {spelled(table, named)}"
    )


def _other_rows(table: Table, useful: Sequence[_Key], wanted: Sequence[str]) -> str:
    named = spelled(table, wanted)
    return (
        f"the unique key {_keys(useful)} of {table.name!r} is not over {named}, which name the row here: "
        f"{_consequence(useful, wanted)}; expected a unique key over {named}"
    )


_CLAUSES = {"nothing": "DO NOTHING", "replace": "REPLACE", "ignore": "IGNORE"}


def _wanted(seen: Seen, shape: Shape) -> tuple[str, ...]:
    """The inserted columns that take the row's identity; () where they cannot all be told."""
    columns: list[str] = []
    for name in seen.identity:
        taking = [column for column, values in shape.inserted.items() if _holds(values, name, seen)]
        if len(taking) != 1:
            return ()
        columns += taking
    return tuple(dict.fromkeys(columns))


def _holds(values: Sequence[Value], name: str, seen: Seen) -> bool:
    return any(name in fields_in(value.text, seen.values) for value in values)


def _consequence(useful: Sequence[_Key], wanted: Sequence[str]) -> str:
    if any(key.sources < set(wanted) for key in useful):
        return "rows of different members or segments overwrite each other"
    return "a row that is there is not met when another column of the key differs"


def _existing(table: Table) -> str:
    return f" (it has {_keys([_Key(key, table) for key in table.unique])})" if table.unique else " (it has none)"


def _keys(keys: Sequence[_Key]) -> str:
    return " and ".join(f"{each.key.name} ({', '.join(each.key.columns)})" for each in keys)
