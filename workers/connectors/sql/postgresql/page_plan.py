"""How PostgreSQL would find a page, read from EXPLAIN's text.

Each line is a node with its estimates, or a condition of the node above it:
https://www.postgresql.org/docs/current/using-explain.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from workers.connectors.sql.page_plan import UNKNOWN, PagePlan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.connectors.sql.page_plan import AskedPage

_SORT = re.compile(r"\bSort  \(cost=\S+ rows=(\d+)")
_BY_INDEX = ("Index Cond:", "Recheck Cond:")


def page_plan(lines: Sequence[str], asked: AskedPage) -> PagePlan:
    """From the plan's lines."""
    by_index = [line for line in lines if line.strip().startswith(_BY_INDEX)]
    filters = [line for line in lines if line.strip().startswith("Filter:")]
    finds = [line for line in by_index if asked.equals.search(line)]
    if not finds:
        return next((PagePlan("foreign", line) for line in filters if asked.equals.search(line)), UNKNOWN)
    # As many rows as a page at the most are all that is left.
    for line in lines:
        if (found := _SORT.search(line)) and int(found[1]) > asked.rows:
            return PagePlan("sorts", line)
    begins = [line for line in by_index if asked.above.search(line)]
    if not set(begins) & set(finds):
        return PagePlan("again", finds[0])
    return _merged(lines, asked) or PagePlan("begins", finds[0])


def _merged(lines: Sequence[str], asked: AskedPage) -> PagePlan | None:
    """A merge reads both of its sides in order: one that does not begin at the place is read from its beginning."""
    if not any("Merge Join" in line for line in lines):
        return None
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if " Scan using " in line and not asked.above.search(below):
            return PagePlan("again", line)
    return None
