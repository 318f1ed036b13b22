"""Whether the target's `segsync_position` is what `exactly_once` needs (rule 22)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.connectors.inspection import told
from workers.connectors.sql import positions

if TYPE_CHECKING:
    from workers.connectors.inspection import Examined, Table

LANE = "segsync check"
COLUMNS = frozenset(("lane", "integration", "position"))


def unfit(session: Examined, integration: str) -> list[str]:
    """What is wrong with it: that it is not there, has not its columns or its key, or may not be used; TargetError."""
    dialect = session.dialect
    statements = (positions.make(dialect, LANE, integration), positions.read(dialect, LANE), positions.move(LANE, ""))
    refused = list(dict.fromkeys(told(found.error) for each in statements if (found := session.explain(each))))
    remedy = f"expected {positions.CREATE[dialect]}; and the rights to SELECT, INSERT and UPDATE"
    if refused:
        return [f"the table segsync_position cannot be used: {'; '.join(refused)}; {remedy}"]
    table = session.table("", "segsync_position")
    return [f"{what}; {remedy}" for what in _unfit(table)] if table else []


def _unfit(table: Table) -> list[str]:
    found = []
    if not any(key.columns == ("lane",) and not key.partial for key in table.unique):
        found.append("the table segsync_position has no primary key over lane: each delivery would make a row")
    if not table.transactional:
        found.append(f"the table segsync_position is kept by {table.engine}, which has no transactions")
    others = [each.name for name, each in table.columns.items() if each.required and name not in COLUMNS]
    if others:
        found.append(f"the table segsync_position needs values for {', '.join(others)}, which segsync does not know")
    return found
