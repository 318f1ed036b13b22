"""How many profiles one statement of a query can hold, where the database itself sets a limit.

Beyond it every full batch fails, is halved and sent again, for ever: better said when the file is checked.

    SQL Server  1,000 rows in INSERT … VALUES (error 10738); a derived table, as in MERGE … USING (VALUES …) or in
                FROM (VALUES …), has no limit (learn.microsoft.com, "Table Value Constructor (Transact-SQL)")
    Oracle      1,000 expressions in an IN list (ORA-01795, docs.oracle.com/error-help/db/ora-01795), in 23ai 65,535;
                a list of sets, as in (a, b) IN ((1, 'x'), …), may have any number ("SQL Language Reference",
                Expression Lists)

Its 2,100 parameters are no limit here: values are literals (docs/architecture.md).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from workers.templates.nodes import BatchIn, For, Node, Text, walk
from workers.templates.parser import parse
from workers.templates.scanner import Source

if TYPE_CHECKING:
    from workers.templates.model import QueryKind

# A derived table's VALUES stands directly behind its bracket.
_ROWS = re.compile(r"(?<![\w$@#])(?<!\()values\s*\Z", re.IGNORECASE)
_BRACKETED = re.compile(r"\(\s+values\s*\Z", re.IGNORECASE)


class Capacity(NamedTuple):
    """A limit.

    profiles  at most, in one batch
    why       what sets it, and what to write instead, as the end of a sentence
    """

    profiles: int
    why: str


_VALUES_LIST = Capacity(
    1000,
    "INSERT … VALUES takes no more rows (error 10738); lower it, or write "
    "INSERT INTO … SELECT * FROM (VALUES {for …}…{end}) AS batch (…)",
)
_IN_LIST = Capacity(
    1000,
    "an IN list takes no more values (ORA-01795); lower it, or write a list of pairs, which has no limit: "
    "(segment_id, F) IN ({for $lead = $batch}({segment_id}, '{$lead.F}'){autocomma}{end})",
)


def capacity(source: str, kind: QueryKind, dialect: str) -> Capacity | None:
    """The limit of a query for batches, which need not be free of mistakes; None where there is none."""
    if dialect not in ("mssql", "oracle"):
        return None
    nodes = parse(Source(source, ""), kind, batch=True).nodes
    if dialect == "oracle":
        return _IN_LIST if any(isinstance(node, BatchIn) for node in walk(nodes)) else None
    return _VALUES_LIST if _fills_a_values_list(nodes) else None


def _fills_a_values_list(nodes: list[Node]) -> bool:
    before = ""
    for node in walk(nodes):
        if isinstance(node, Text):
            before += node.text
        elif isinstance(node, For) and node.items is None and _ROWS.search(before) and not _BRACKETED.search(before):
            return True
    return False
