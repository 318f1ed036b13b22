"""What an operator who is told of a wrong name probably meant. Pure."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.connectors.inspection import Table
    from workers.preflight.shapes import Shape

    Changes = Sequence[tuple[Shape, Table | None]]


def word(statement: str, position: int | None) -> str:
    """What stands at a place of a statement, counted from 1; "" without one."""
    rest = statement[position - 1 :].lstrip('"`[') if position else ""
    return "".join(c if c.isalnum() or c == "_" else " " for c in rest[:100]).split(" ")[0]


def hint(name: str, changes: Changes) -> str:
    """The columns there are, and the one that was probably meant; "" where it is a table that is missing."""
    tables = {"", *(shape.table.lower() for shape, _ in changes)}
    for table in {table.name: table for _, table in changes if table}.values():
        names = {each.name.lower(): each.name for each in table.columns.values()}
        if name in table.columns or name.lower() in table.columns or name.rpartition(".")[2].lower() in tables:
            continue
        near = difflib.get_close_matches(name.lower(), names, 1, 0.5)
        meant = f"did you mean {names[near[0]]!r}? " if near else ""
        return f"; {meant}{table.name!r} has {', '.join(map(repr, names.values()))}"
    return ""
