"""What follows from a query's shapes and the target's catalogue. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from workers.connectors.sql.vendors import VENDORS
from workers.preflight.samples import SEGMENT, fields_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from workers.connectors.inspection import Column, Table, UniqueKey
    from workers.connectors.sql.vendor import Reading
    from workers.integrations import Integration
    from workers.preflight.shapes import Shape, Value
    from workers.templates import QueryKind

Level = Literal["warning", "mistake"]
Remark = tuple[Level, str]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or probably not meant.

    level   "mistake" where deliveries will fail
    where   key path, as in "integrations.crm.queries.add"
    what    what was found, what was expected, and the remedy
    line    1-based, within the query's text, where the place is known; with `column`
    """

    level: Level
    where: str
    what: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = f":{self.line}:{self.column}" if self.line is not None else ""
        return f"{self.where}{place}: {self.what}"


@dataclass(frozen=True, slots=True)
class Seen:
    """One query as it was looked at.

    changes  its shapes in order, each with its table; None for a table that the target does not show
    values   what each field of the sample had, so that a literal tells its field
    """

    integration: Integration
    kind: QueryKind
    dialect: str
    changes: Sequence[tuple[Shape, Table | None]]
    values: Mapping[str, object]

    @property
    def where(self) -> str:
        """The query's key path."""
        return f"integrations.{self.integration.key}.queries.{self.kind}"

    @property
    def reading(self) -> Reading:
        """How the target's dialect is read."""
        return VENDORS[self.dialect].reading

    @property
    def identity(self) -> tuple[str, ...]:
        """The fields that name one row: the segment's id, and the key where profiles come with the event."""
        return (SEGMENT, *self.integration.key_fields) if self.kind.has_profiles else (SEGMENT,)


def judge(seen: Seen) -> list[Finding]:
    """All findings of one query, each once; those about the key's column stand at `key`."""
    found: list[Finding] = []
    for at, (shape, table) in enumerate(seen.changes):
        found += [Finding(level, seen.where, what) for level, what in _of_query(seen, at, shape, table)]
        if table is not None:
            where = f"integrations.{seen.integration.key}.key"
            found += [Finding(level, where, what) for level, what in _of_key(seen, shape, table)]
    return list(dict.fromkeys(found))


def _of_query(seen: Seen, at: int, shape: Shape, table: Table | None) -> Iterator[Remark]:
    yield from _growing(seen, shape)
    yield from _plain_insert(seen, at, shape)
    if table is not None:
        yield from _required(seen, shape, table)
        yield from _unique(seen, shape, table)
        yield from _transactions(seen, shape, table)
        yield from _quoted_names(seen, shape, table)
        yield from _types(seen, shape, table)


def _of_key(seen: Seen, shape: Shape, table: Table) -> Iterator[Remark]:
    for column, values in (*shape.compared.items(), *shape.inserted.items()):
        if column in table.columns:
            yield from _merging(seen, shape, table.columns[column], values)


# --- Repeating ---------------------------------------------------------------------------------------------------

_REPEATED = "delivery is at least once, so after a crash the same batch comes again"


def _growing(seen: Seen, shape: Shape) -> Iterator[Remark]:
    if shape.grows and not seen.integration.exactly_once:
        columns = _names(shape.grows)
        yield _warning(
            f"sets {columns} of {shape.table!r} from what is there, which counts twice when it is repeated: "
            f"{_REPEATED}; expected exactly_once = true, or a value that does not depend on the old one"
        )


def _plain_insert(seen: Seen, at: int, shape: Shape) -> Iterator[Remark]:
    if shape.verb != "insert" or shape.conflict or shape.guarded or seen.integration.exactly_once:
        return
    cleared = any(
        before.verb == "delete" and (before.schema, before.table) == (shape.schema, shape.table)
        for before, _ in seen.changes[:at]
    )
    if not cleared:
        yield _warning(
            f"inserts into {shape.table!r} and does not say what happens to a row that is there already: "
            f"{_REPEATED}, and a member added again is inserted again; expected {seen.reading.upsert_whole}, or "
            "exactly_once"
        )


# --- The table ---------------------------------------------------------------------------------------------------


def _required(seen: Seen, shape: Shape, table: Table) -> Iterator[Remark]:
    if shape.verb != "insert" or shape.listed is None:
        return
    missing = [name for name, each in table.columns.items() if each.required and name not in shape.listed]
    if not missing:
        return
    what = f"gives no value for {_spelled(table, missing)} of {table.name!r}, which may not be null and has no default"
    if seen.reading.triggers_may_be_hidden:
        yield _warning(f"{what}: every insert would fail, unless a trigger fills it in")
    else:
        yield _mistake(f"{what}: every insert would fail")


def _unique(seen: Seen, shape: Shape, table: Table) -> Iterator[Remark]:
    """An upsert meets the row that is there only by a unique key of what names the row."""
    if shape.verb != "insert" or not shape.conflict:
        return
    listed, wanted = shape.listed or tuple(table.columns), _wanted(seen, shape)
    useful = [key for key in table.unique if not key.partial and set(key.columns) <= set(listed)]
    if shape.on is not None:
        useful = [key for key in useful if set(key.columns) == set(shape.on)]
        if not useful:
            return  # a partial one, or the target itself says that there is none
    named = _spelled(table, wanted or listed)
    clause = seen.reading.upsert if shape.conflict == "update" else _CLAUSES[shape.conflict]
    if not useful:
        yield _warning(
            f"{clause} never meets a row that is there: {table.name!r} has no unique key within "
            f"{_spelled(table, listed)}{_existing(table)}; every repetition inserts the same rows again; "
            f"expected a primary or unique key over {named}"
        )
    elif wanted and not any(set(key.columns) == set(wanted) for key in useful):
        yield _warning(
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


def _consequence(useful: Sequence[UniqueKey], wanted: Sequence[str]) -> str:
    if any(set(key.columns) < set(wanted) for key in useful):
        return "rows of different members or segments overwrite each other"
    return "a row that is there is not met when another column of the key differs"


def _existing(table: Table) -> str:
    return f" (it has {_keys(table.unique)})" if table.unique else " (it has none)"


def _keys(keys: Sequence[UniqueKey]) -> str:
    return " and ".join(f"{key.name} ({', '.join(key.columns)})" for key in keys)


def _transactions(seen: Seen, shape: Shape, table: Table) -> Iterator[Remark]:
    if table.transactional:
        return
    found = f"{table.name!r} is kept by {table.engine}, which has no transactions: a batch that fails stays half done"
    remedy = f"expected ALTER TABLE {shape.table} ENGINE=InnoDB"
    if seen.integration.exactly_once:
        yield _mistake(f"{found}, so exactly_once cannot hold; {remedy}")
    else:
        yield _warning(f"{found}, and comes again as a whole; {remedy}")


def _quoted_names(seen: Seen, shape: Shape, table: Table) -> Iterator[Remark]:
    """Where a quoted name that is no column is taken for a text, without a word."""
    unknown = [name for name in dict.fromkeys(shape.named) if name not in table.columns]
    if seen.reading.names_may_be_texts and unknown:
        yield _mistake(
            f'"{unknown[0]}" is no column of {table.name!r}, and {VENDORS[seen.dialect].name} silently takes it for a '
            f"text; expected one of {_names([each.name for each in table.columns.values()])}"
        )


# --- Columns -----------------------------------------------------------------------------------------------------


def _merging(seen: Seen, shape: Shape, column: Column, values: Sequence[Value]) -> Iterator[Remark]:
    """Rule 15: keys that differ in case or blanks are two for segsync, and must be two for the column."""
    keys = [name for name in _fields(seen, values) if name in seen.integration.key_fields]
    if not keys or not column.merges or not seen.kind.has_profiles:
        return
    kept = f"collation {column.collation}" if column.collation else f"type {column.type}"
    yield _warning(
        f"column {column.name!r} of {shape.table!r}, which takes the key {keys[0]!r}, ignores "
        f"{_and(column.merges)} ({kept}), while segsync keeps such keys apart: two profiles would "
        f"share one row, and removing one removes both; expected {seen.reading.exact_text}"
    )


def _types(seen: Seen, shape: Shape, table: Table) -> Iterator[Remark]:
    """MySQL compares a number and a text as numbers; other databases refuse, or convert the literal."""
    if not seen.reading.texts_may_be_numbers:
        return
    for column, value in ((column, value) for column, values in shape.compared.items() for value in values):
        if column in table.columns:
            yield from _type(seen, shape, table.columns[column], value)


def _type(seen: Seen, shape: Shape, column: Column, value: Value) -> Iterator[Remark]:
    for name in fields_in(value.text, seen.values):
        if column.family == "number" and value.quoted and name != SEGMENT:
            yield _warning(_text_beside_number(seen, shape, column, name))
        elif column.family == "text" and not value.quoted:
            yield _warning(_number_beside_text(shape, column, name))


def _text_beside_number(seen: Seen, shape: Shape, column: Column, name: str) -> str:
    number = f'{{batch_in number "{name}"}} or ' if seen.integration.batched else ""
    variable = f"{{number $lead.{name}}}" if seen.integration.batched else f"{{number lead.{name}}}"
    return (
        f"compares {column.name!r} of {shape.table!r}, which is {column.type}, with the text of {name!r}: MySQL reads "
        f"'x' as 0 and '17 x' as 17, and so takes other rows; expected {number}{variable} (what is no number then "
        "goes to quarantine), or a text column"
    )


def _number_beside_text(shape: Shape, column: Column, name: str) -> str:
    quoted = "'{segment_id}'" if name == SEGMENT else "the value in quotes"
    return (
        f"compares {column.name!r} of {shape.table!r}, which is {column.type}, with a number: MySQL then compares as "
        f"numbers, so 7 is also '07', '7.0' and '7 x', and no index serves; expected {quoted}"
    )


def _fields(seen: Seen, values: Sequence[Value]) -> list[str]:
    return list(dict.fromkeys(name for value in values for name in fields_in(value.text, seen.values)))


def _spelled(table: Table, columns: Sequence[str]) -> str:
    return _names([table.columns[name].name if name in table.columns else name for name in columns])


def _warning(what: str) -> Remark:
    return "warning", what


def _mistake(what: str) -> Remark:
    return "mistake", what


def _and(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _names(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))
