"""What follows from a query's shapes and the target's catalogue. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workers.connectors.sql.vendors import VENDORS
from workers.preflight.repeating import repeated, told_once, verbs
from workers.preflight.sameness import digits, merged, rendered_alike, types
from workers.preflight.samples import SEGMENT
from workers.preflight.seen import fields, joined, mistake, names, spelled, warning
from workers.preflight.uniqueness import unique

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.connectors.inspection import Table
    from workers.preflight.seen import Level, Remark, Seen
    from workers.preflight.shapes import Shape


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


def judge(seen: Seen) -> list[Finding]:
    """All findings of one query, each once; those about the key's column stand at `key`."""
    found: list[Finding] = []
    key = f"integrations.{seen.integration.key}.key"
    for at, (shape, table) in enumerate(seen.changes):
        found += [Finding(level, seen.where, what) for level, what in _of_query(seen, at, shape, table)]
        if table is not None:
            found += [Finding(level, key, what) for level, what in merged(seen, shape, table)]
    found += [Finding(level, key, what) for level, what in rendered_alike(seen, seen.alike)]
    return list(dict.fromkeys(found))


def _of_query(seen: Seen, at: int, shape: Shape, table: Table | None) -> Iterator[Remark]:
    yield from repeated(seen, at, shape)
    yield from told_once(seen, shape)
    yield from verbs(seen, shape, table)
    yield from _rights(seen, shape, table)
    if table is not None:
        yield from _required(seen, shape, table)
        yield from _barred(shape, table)
        yield from _filled(seen, shape, table)
        yield from _numbered(seen, shape, table)
        yield from unique(seen, shape, table)
        yield from _transactions(seen, shape, table)
        yield from _quoted_names(seen, shape, table)
        yield from types(seen, shape, table)
        yield from digits(seen, shape, table)


def _rights(seen: Seen, shape: Shape, table: Table | None) -> Iterator[Remark]:
    """Where only running a statement would tell that a right is missing."""
    if not seen.traits.rights_are_not_explained:
        return
    if table is None:
        yield warning(
            f"{shape.table!r} is not shown to this user, who may have no right on it: that would hold the integration; "
            "expected GRANT SELECT, INSERT, UPDATE, DELETE, or a table of this database and no synonym"
        )
        return
    # Whoever changes rows that are there reads them, too.
    reads = () if shape.verb == "insert" else ("SELECT",)
    needed = dict.fromkeys((*reads, *(act.upper() for act in shape.acts)))
    if missing := [right for right in needed if right in table.lacks]:
        yield mistake(
            f"this user may not {joined(missing)} on {table.name!r}: every such statement would fail; expected "
            f"GRANT {', '.join(missing)} ON {shape.table}"
        )


def _required(seen: Seen, shape: Shape, table: Table) -> Iterator[Remark]:
    if shape.verb != "insert" or shape.listed is None:
        return
    missing = [name for name, each in table.columns.items() if each.required and name not in shape.listed]
    if not missing:
        return
    what = f"gives no value for {spelled(table, missing)} of {table.name!r}, which may not be null and has no default"
    if seen.traits.triggers_may_be_hidden:
        yield warning(f"{what}: every insert would fail, unless a trigger fills it in")
    else:
        yield mistake(f"{what}: every insert would fail")


def _barred(shape: Shape, table: Table) -> Iterator[Remark]:
    """Columns that the target fills from what this user has no right to, which no EXPLAIN tells."""
    for name, sequence in table.barred.items():
        if shape.verb == "insert" and shape.listed is not None and name not in shape.listed:
            yield mistake(
                f"{table.columns[name].name!r} of {table.name!r} takes its numbers of the sequence {sequence}, which "
                f"this user may not use: every insert would fail; expected GRANT USAGE ON SEQUENCE {sequence}"
            )


def _filled(seen: Seen, shape: Shape, table: Table) -> Iterator[Remark]:
    """What a profile lacks is NULL, where the query says nothing else."""
    alike = [one for one in seen.sparse if (one.schema, one.table) == (shape.schema, shape.table)]
    for name in dict.fromkeys(name for one in alike for name in one.nulls):
        column = table.columns.get(name)
        if column is not None and column.null_becomes and name not in shape.nulls:
            yield warning(
                f"a profile may lack what goes to {column.name!r} of {table.name!r} ({column.type}), and a missing "
                f"value becomes {column.null_becomes} there, without a word; expected a column that may be null, one "
                "of another type, which refuses it, or {default …} in the query"
            )


def _numbered(seen: Seen, shape: Shape, table: Table) -> Iterator[Remark]:
    """Columns in which a text of digits is read as a number of another kind."""
    for name, values in dict.fromkeys((*shape.inserted.items(), *shape.given.items())):
        column = table.columns.get(name)
        taken = [each for each in fields(seen, [one for one in values if one.quoted]) if each != SEGMENT]
        if column is not None and column.digits_become and taken:
            yield warning(
                f"{column.name!r} of {table.name!r} is {column.type}, where a text of digits becomes "
                f"{column.digits_become}, without a word, and {taken[0]!r} may be one; expected "
                + (f"{{number …{taken[0]}}} without quotes" if column.family == "number" else "a text column")
            )


def _transactions(seen: Seen, shape: Shape, table: Table) -> Iterator[Remark]:
    if table.transactional:
        return
    found = f"{table.name!r} is kept by {table.engine}, which has no transactions: a batch that fails stays half done"
    remedy = f"expected ALTER TABLE {shape.table} ENGINE=InnoDB"
    if seen.integration.exactly_once:
        yield mistake(f"{found}, so exactly_once cannot hold; {remedy}")
    else:
        yield warning(f"{found}, and comes again as a whole; {remedy}")


def _quoted_names(seen: Seen, shape: Shape, table: Table) -> Iterator[Remark]:
    """Where a quoted name that is no column is taken for a text, without a word."""
    unknown = [name for name in dict.fromkeys(shape.named) if name not in table.columns]
    if seen.traits.names_may_be_texts and unknown:
        yield mistake(
            f'"{unknown[0]}" is no column of {table.name!r}, and {VENDORS[seen.dialect].name} silently takes it for a '
            f"text; expected one of {names([each.name for each in table.columns.values()])}"
        )
