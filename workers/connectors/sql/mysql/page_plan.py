"""How MySQL and MariaDB would find a page, read from EXPLAIN FORMAT=JSON, which has two forms.

MariaDB, and MySQL up to 9.4 unless told otherwise, nest tables in a `query_block`: a table names the parts of its index
that are used, and what is looked at beside. Newer MySQL nests operations in a `query_plan`, and writes out the ranges:
https://mariadb.com/kb/en/explain-format-json/, https://dev.mysql.com/doc/refman/9.5/en/explain.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from workers.connectors.sql.page_plan import UNKNOWN, PagePlan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workers.connectors.sql.page_plan import AskedPage

Node = dict[str, Any]


def page_plan(lines: Sequence[str], asked: AskedPage) -> PagePlan:
    """From the plan, which is one JSON object."""
    try:
        found = json.loads("\n".join(lines))
    except ValueError:
        return UNKNOWN
    nodes = list(_nodes(found))
    tables = [node for node in nodes if "table_name" in node]
    return _of_operations(nodes, tables, asked) if "query_plan" in found else _of_tables(nodes, tables, asked)


def _nodes(found: Any) -> Iterator[Node]:  # noqa: ANN401 - whatever JSON has
    if isinstance(found, dict):
        yield found
    for each in found.values() if isinstance(found, dict) else found if isinstance(found, list) else ():
        yield from _nodes(each)


def _of_tables(nodes: list[Node], tables: list[Node], asked: AskedPage) -> PagePlan:
    for table in tables:
        if any(found[1] not in _parts(table) for found in asked.equals.finditer(_conditions(table))):
            return PagePlan("foreign", _told(table, _parts(table)))
    if any("filesort" in node or node.get("using_filesort") is True for node in nodes):
        return PagePlan("sorts", next((_told(table, _parts(table)) for table in tables), ""))
    for table in tables:
        looked_at = {found[1] for found in asked.above.finditer(_conditions(table))}
        # What an index is asked in passing is in it: further on, where much lies before the place, it leads there.
        in_passing = {found[1] for found in asked.above.finditer(str(table.get("index_condition", "")))}
        if in_passing or looked_at & _parts(table):
            return PagePlan("begins", _told(table, _parts(table)))
        if looked_at:
            return PagePlan("again", _told(table, _parts(table)))
    return UNKNOWN


def _parts(table: Node) -> set[str]:
    return set(table.get("used_key_parts", ()))


def _conditions(table: Node) -> str:
    return f"{table.get('attached_condition', '')} {table.get('index_condition', '')}"


def _of_operations(nodes: list[Node], tables: list[Node], asked: AskedPage) -> PagePlan:
    finds = [table for table in tables if asked.equals.search(_led(table))]
    if not finds:
        filters = [node for node in nodes if asked.equals.search(str(node.get("condition", "")))]
        return PagePlan("foreign", str(filters[0].get("operation", ""))) if filters else UNKNOWN
    if sorts := [node for node in nodes if node.get("access_type") == "sort"]:
        return PagePlan("sorts", str(sorts[0].get("operation", "")))
    begins = [each for each in finds if asked.above.search(f"{_led(each)} {each.get('pushed_index_condition', '')}")]
    return PagePlan("begins" if begins else "again", str((begins or finds)[0].get("operation", "")))


def _led(table: Node) -> str:
    """What an index leads to, its ranges as conditions are written everywhere else."""
    return f"{table.get('lookup_condition', '')} {' '.join(map(_turned, table.get('ranges', ())))}"


def _turned(range_: str) -> str:
    """`(7 = a AND 5 < id)` as `7 = a AND id > 5`, as far as that is one comparison for each AND."""
    parts = [part.strip("() ").split(" < ") for part in str(range_).split(" AND ")]
    return " AND ".join(" > ".join(reversed(part)) if len(part) == len("ab") else part[0] for part in parts)


def _told(table: Node, parts: set[str]) -> str:
    return f"{table['table_name']} by {table.get('key', 'no index')} ({', '.join(sorted(parts))})"
