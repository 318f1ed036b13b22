"""How SQLite would find a page, read from EXPLAIN QUERY PLAN: https://www.sqlite.org/eqp.html."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.connectors.sql.page_plan import UNKNOWN, PagePlan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.connectors.sql.page_plan import AskedPage


def page_plan(lines: Sequence[str], _asked: AskedPage) -> PagePlan:
    """From the plan's lines, which show conditions without their values.

    The first loop is the outermost one: what it compares with `=` can only be the segment.
    """
    loops = [line for line in lines if " SEARCH " in line or " SCAN " in line]
    if not loops:
        return UNKNOWN
    begins = [line for line in loops if "=?" in line and ">?" in line]
    if not begins and (" SCAN " in loops[0] or "=?" not in loops[0]):
        return PagePlan("foreign", loops[0])
    if sorts := [line for line in lines if "TEMP B-TREE FOR" in line and "ORDER BY" in line]:
        return PagePlan("sorts", sorts[0])
    return PagePlan("begins", begins[0]) if begins else PagePlan("again", loops[0])
