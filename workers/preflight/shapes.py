"""What a statement does to which table, read by sqlglot: a look, no proof.

Importing this takes 0.15 s (sqlglot): only `check --connect` does, when it runs.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import sqlglot
from sqlglot import exp

from workers.connectors.sql.vendors import VENDORS
from workers.preflight.assignments import emptying, given, growing, keeping, setting
from workers.preflight.literals import CASTS, Computed, Value, folding, literals, value_of, values_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Verb = Literal["insert", "update", "delete", "merge"]
Conflict = Literal["", "update", "nothing", "replace", "ignore"]


class Unreadable(Exception):
    """sqlglot cannot read the statement, which need not mean that anything is wrong with it."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What one INSERT, UPDATE, DELETE or MERGE does. Names are in small letters where the target ignores case.

    listed    an INSERT's columns; None where it lists none
    inserted  its literals, by column
    compared  literals that rows are chosen by (= and IN), by column
    conflict  what is said of a row that is there already; "" nothing
    on        ON CONFLICT's columns; None where it names none, or a constraint
    computed  columns that a literal reaches through functions, or that are compared through them
    ignores   the statement says IGNORE
    guarded   inserts only what a subquery does not find (NOT EXISTS), or is no plain VALUES
    grows     columns that are computed from themselves, as in n = n + 1
    keeps     columns that are set to something that the row as it was is a part of, as in COALESCE(member.a, …)
    sets      columns that a row which is there is given a value in
    given     literals that a row which is there is given, by column
    nulls     columns that are given NULL, in a new row or in one that is there
    named     all columns of this table that are named in quotes for identifiers
    branches  what a MERGE does
    """

    verb: Verb
    schema: str
    table: str
    listed: tuple[str, ...] | None = None
    inserted: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    compared: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    computed: Mapping[str, Computed] = field(default_factory=dict)
    conflict: Conflict = ""
    ignores: bool = False
    on: tuple[str, ...] | None = None
    constraint: str = ""
    guarded: bool = False
    grows: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    given: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    nulls: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    branches: tuple[Verb, ...] = ()

    @property
    def acts(self) -> tuple[Verb, ...]:
        """What is done to rows, each of which needs a right of its own."""
        return self.branches if self.verb == "merge" else (self.verb,)


_BLANK = r"(?:\s|/\*.*?\*/|(?:--|\#)[^\n]*\n)"
# sqlglot reads IGNORE in INSERT alone, and no comment before it.
_IGNORE = re.compile(
    rf"{_BLANK}*(INSERT|UPDATE|DELETE){_BLANK}+(?:(?:LOW_PRIORITY|HIGH_PRIORITY|DELAYED|QUICK){_BLANK}+)*"
    rf"(?:OR{_BLANK}+)?IGNORE\b",
    re.IGNORECASE | re.DOTALL,
)
# sqlglot reads no REPLACE; it is an INSERT that does away with the row that is there.
_REPLACE = re.compile(
    rf"{_BLANK}*REPLACE{_BLANK}+(?:(?:LOW_PRIORITY|DELAYED){_BLANK}+)?(?:INTO{_BLANK}+)?", re.IGNORECASE | re.DOTALL
)


def read(statement: str, dialect: str) -> list[Shape]:
    """The shapes of a statement, those in its WITH too; Unreadable."""
    # What it cannot read it says on its logger, too; we say it in our own words.
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
    replaces = _REPLACE.match(statement)
    text = "INSERT INTO " + statement[replaces.end() :] if replaces else statement
    ignores = _IGNORE.match(text)
    text = f"{ignores[1]} {text[ignores.end() :]}" if ignores else text
    how = _How(replaces=bool(replaces), ignores=bool(ignores))
    try:
        tree = sqlglot.parse_one(text, dialect=VENDORS[dialect].traits.reader)
        names = _Names(keeps_case=VENDORS[dialect].traits.quoted_names_keep_case)
        shapes = [_shape(node, names, how) for node in _changes(tree)]
    except Exception as error:  # noqa: BLE001 - a parser of many dialects may trip over anything; the target judges
        raise Unreadable(type(error).__name__) from None
    found = [shape for shape in shapes if shape is not None]
    if not found and not isinstance(tree, exp.Query):
        raise Unreadable(type(tree).__name__)
    return found


@dataclass(frozen=True, slots=True)
class _Names:
    """How a dialect compares names."""

    keeps_case: bool

    def of(self, node: exp.Expr | None) -> str:
        """A name as the catalogue keeps it."""
        if node is None:
            return ""
        name, quoted = str(node.name), bool(node.args.get("quoted"))
        return name if self.keeps_case and quoted else name.lower()

    def table(self, node: exp.Expr | None) -> str:
        """A table's name: MySQL may tell upper and lower case apart there."""
        if node is None:
            return ""
        return self.of(node) if self.keeps_case else str(node.name)


def _changes(tree: exp.Expr) -> Iterator[exp.Expr]:
    for node in tree.find_all(exp.Insert, exp.Update, exp.Delete, exp.Merge):
        if node.find_ancestor(exp.When) is None:  # a MERGE's own branches
            yield node


@dataclass(frozen=True, slots=True)
class _How:
    """What the statement's first words said, which sqlglot was not shown."""

    replaces: bool
    ignores: bool


def _shape(node: exp.Expr, names: _Names, how: _How) -> Shape | None:
    target = _target(node)
    if target is None:
        return None
    place = (names.table(target.args.get("db")), names.table(target.this))
    grows, keeps = tuple(growing(node, names.of)), tuple(keeping(node, names.of, target))
    compared, computed = _compared(node, names, target)
    named = tuple(_named(node, names, target))
    nulls = (*_empty_cells(node, names), *emptying(node, names.of))
    if isinstance(node, exp.Insert):
        shape = _insert(node, names, place, how)
        sets, values = tuple(setting(node, names.of)), given(node, names.of)
        return replace(shape, grows=grows, keeps=keeps, sets=sets, given=values, nulls=nulls)
    verb: Verb = "update" if isinstance(node, exp.Update) else "delete" if isinstance(node, exp.Delete) else "merge"
    return Shape(
        verb, *place, compared=compared, computed=computed, ignores=how.ignores, grows=grows, keeps=keeps, named=named,
        given=given(node, names.of), nulls=nulls, branches=tuple(_branches(node)),
    )  # fmt: skip


def _branches(node: exp.Expr) -> Iterator[Verb]:
    for branch in node.find_all(exp.When):
        then = branch.args.get("then")
        yield "insert" if isinstance(then, exp.Insert) else "update" if isinstance(then, exp.Update) else "delete"


def _target(node: exp.Expr) -> exp.Table | None:
    """The Table that is changed; None for what is no plain table."""
    found = node.this
    if isinstance(node, exp.Delete) and node.args.get("tables"):
        (found, *others) = node.args["tables"]
        if others:
            return None
        # DELETE x FROM members AS x: the name is an alias.
        from_tables = [each for each in node.find_all(exp.Table) if each.alias == found.name]
        found = from_tables[0] if from_tables else found
    if isinstance(found, exp.Schema):
        found = found.this
    return found if isinstance(found, exp.Table) and isinstance(found.this, exp.Identifier) else None


# --- INSERT ------------------------------------------------------------------------------------------------------


def _insert(node: exp.Expr, names: _Names, place: tuple[str, str], how: _How) -> Shape:
    listed = tuple(names.of(each) for each in node.this.expressions) if isinstance(node.this, exp.Schema) else None
    clause = node.args.get("conflict")
    conflict: Conflict = "replace" if how.replaces else _conflict(node, clause) or ("ignore" if how.ignores else "")
    keys = (clause.args.get("conflict_keys") or None) if clause is not None else None
    on = tuple(names.of(_bare(key).this) for key in keys if isinstance(_bare(key), exp.Column)) if keys else None
    source = node.expression
    rows = source if listed and isinstance(source, exp.Values) else None
    inserted, computed = _inserted(rows, listed or ()) if rows is not None else ({}, {})
    guarded = isinstance(source, exp.Select) and source.args.get("where") is not None
    return Shape(
        "insert", *place, listed=listed, inserted=inserted, computed=computed, conflict=conflict, on=on,
        ignores=how.ignores, guarded=guarded, constraint=names.of(clause.args.get("constraint")) if clause else "",
    )  # fmt: skip


def _empty_cells(node: exp.Expr, names: _Names) -> Iterator[str]:
    """Columns of an INSERT's VALUES that take NULL."""
    if isinstance(node, exp.Insert) and isinstance(node.expression, exp.Values) and isinstance(node.this, exp.Schema):
        for row in node.expression.expressions:
            for column, cell in zip(node.this.expressions, row.expressions, strict=False):
                if isinstance(cell, exp.Null):
                    yield names.of(column)


def _bare(node: exp.Expr) -> exp.Expr:
    while isinstance(node, (exp.Ordered, exp.Paren, exp.Collate)):
        node = node.this
    return node


def _conflict(node: exp.Expr, clause: exp.Expr | None) -> Conflict:
    if clause is not None:
        return "nothing" if "NOTHING" in str(clause.args.get("action") or "").upper() else "update"
    other = str(node.args.get("alternative") or "").upper()
    if other == "REPLACE":
        return "replace"
    return "ignore" if other == "IGNORE" or node.args.get("ignore") else ""


def _inserted(source: exp.Expr, listed: tuple[str, ...]) -> tuple[dict[str, tuple[Value, ...]], dict[str, Computed]]:
    found: dict[str, list[Value]] = {}
    computed: dict[str, Computed] = {}
    for row in source.expressions:
        for column, cell in zip(listed, row.expressions, strict=False):
            # The reader of ClickHouse takes each value for a tuple of one.
            node = cell.expressions[0] if isinstance(cell, exp.Tuple) and len(cell.expressions) == 1 else cell
            if value := value_of(node):
                found.setdefault(column, []).append(value)
            if functions := folding(node):
                computed[column] = Computed(functions, literals(node))
    return {column: tuple(values) for column, values in found.items()}, computed


# --- What rows are chosen by -------------------------------------------------------------------------------------


def _compared(
    node: exp.Expr, names: _Names, target: exp.Table
) -> tuple[dict[str, tuple[Value, ...]], dict[str, Computed]]:
    found: dict[str, list[Value]] = {}
    computed: dict[str, Computed] = {}
    for test in node.find_all(exp.EQ, exp.NullSafeEQ, exp.In):
        if not _chooses(test, node):
            continue
        sides = [test.this, *(test.expressions if isinstance(test, exp.In) else [test.expression])]
        columns = [column for side in sides for column in _columns(side) if _is_of(column, node, target)]
        if len(columns) != 1:
            continue
        column = names.of(columns[0].this)
        functions = tuple(dict.fromkeys(name for side in sides for name in folding(side)))
        if functions:
            computed[column] = Computed(functions, tuple(value for side in sides for value in literals(side)))
        if functions in ((), CASTS):
            found.setdefault(column, []).extend(value for side in sides for value in values_of(side))
    return {column: tuple(values) for column, values in found.items()}, computed


def _columns(side: exp.Expr | None) -> list[exp.Expr]:
    """The columns of one side of a comparison, those in subqueries left out."""
    if side is None or isinstance(side, exp.Query) or side.find(exp.Query):
        return []
    return [side] if isinstance(side, exp.Column) else list(side.find_all(exp.Column))


def _chooses(test: exp.Expr, node: exp.Expr) -> bool:
    """Whether a comparison stands in this statement's WHERE or ON, and in no subquery's."""
    owner = test.find_ancestor(exp.Select, exp.Insert, exp.Update, exp.Delete, exp.Merge)
    return owner is node and (test.find_ancestor(exp.Where) is not None or isinstance(node, exp.Merge))


def _is_of(side: exp.Expr, node: exp.Expr, target: exp.Table) -> bool:
    """Whether a column belongs to the changed table: by its name or alias, or because there is no other."""
    if not isinstance(side, exp.Column):
        return False
    if side.table:
        return side.table.lower() in {target.name.lower(), target.alias.lower()}
    return (
        not any(node.args.get(more) for more in ("using", "from_"))
        and not target.args.get("joins")
        and not (node.this.args.get("joins"))
    )


def _named(node: exp.Expr, names: _Names, target: exp.Table) -> Iterator[str]:
    for column in node.find_all(exp.Column):
        owner = column.find_ancestor(exp.Select, exp.Insert, exp.Update, exp.Delete, exp.Merge)
        if owner is node and column.this.args.get("quoted") and _is_of(column, node, target):
            yield names.of(column.this)
