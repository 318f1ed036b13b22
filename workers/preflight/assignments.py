"""What a statement gives rows that are there already, read by sqlglot as in shapes.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from workers.preflight.literals import value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workers.preflight.literals import Value

    Naming = Callable[[exp.Expr | None], str]


def growing(node: exp.Expr, name: Naming) -> Iterator[str]:
    """Columns that are set to something that they themselves are a part of by + or -, or that they are joined to.

    name  how the catalogue keeps an identifier
    """
    signs = (exp.Add, exp.Sub, exp.Mul, exp.Concat, exp.DPipe)
    for column, value in _assigned(node, name):
        if any(_uses(part, column, name) for part in value.find_all(*signs)):
            yield column


def keeping(node: exp.Expr, name: Naming, target: exp.Table) -> Iterator[str]:
    """Columns whose new value comes of what the row held in any of them."""
    of_target = {"", target.name.lower(), target.alias.lower()}
    for column, value in _assigned(node, name):
        found = [each for each in value.find_all(exp.Column) if each.find_ancestor(exp.Select) is None]
        if any(each.table.lower() in of_target for each in found):
            yield column


def setting(node: exp.Expr, name: Naming) -> Iterator[str]:
    """All of them."""
    for column, _ in _assigned(node, name):
        yield column


def emptying(node: exp.Expr, name: Naming) -> Iterator[str]:
    """Columns that are set to NULL."""
    for column, value in _assigned(node, name):
        if isinstance(value, exp.Null):
            yield column


def given(node: exp.Expr, name: Naming) -> dict[str, tuple[Value, ...]]:
    """Literals that columns are set to."""
    found: dict[str, tuple[Value, ...]] = {}
    for column, expression in _assigned(node, name):
        if value := value_of(expression):
            found[column] = (*found.get(column, ()), value)
    return found


def _assigned(node: exp.Expr, name: Naming) -> Iterator[tuple[str, exp.Expr]]:
    for change in [*node.find_all(exp.Update, exp.OnConflict)]:
        for pair in change.expressions:
            if isinstance(pair, exp.EQ) and isinstance(pair.this, exp.Column):
                yield name(pair.this.this), pair.expression


def _uses(part: exp.Expr, column: str, name: Naming) -> bool:
    """Whether an old value of the column is in it; `excluded.n` is a new one, and VALUES(n) no column to sqlglot."""
    for each in part.find_all(exp.Column):
        new = each.table.lower() in ("excluded", "new")
        if name(each.this) == column and not new:
            return True
    return False
