"""What a page costs, read from plans as servers have told them (shortened)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from workers.connectors.sql.page_plan import AskedPage
from workers.connectors.sql.vendors import VENDORS

ASKED = AskedPage("7", "5000", 500)
ROWS = "(cost=0.29..68.83 rows=9713 width=10)"


def cost(dialect: str, *lines: str, asked: AskedPage = ASKED) -> str:
    explain = VENDORS[dialect].explain
    assert explain is not None
    return explain.read(lines, asked).cost


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["->  Index Scan using i on m", "Index Cond: ((segment_id = 7) AND (id > 5000))"], "begins"),
        (
            ["->  Index Scan using i on m", "Index Cond: ((segment_id = '7'::bigint) AND (id > '5000'::bigint))"],
            "begins",
        ),
        (["->  Index Scan using i on m", "Index Cond: (((segment_id)::text = '7'::text) AND (id > 5000))"], "begins"),
        (["->  Index Scan using i on m", "Index Cond: (id > 5000)", "Filter: (segment_id = 7)"], "foreign"),
        (["->  Seq Scan on m", "Filter: ((id > 5000) AND (segment_id = 7))"], "foreign"),
        (["->  Index Scan using i on m", "Index Cond: (segment_id = 7)", "Filter: (id > 5000)"], "again"),
        (["->  Index Scan using i on m", "Index Cond: (segment_id = 70)", "Filter: (id > 5000)"], "unknown"),
        ([f"->  Sort  {ROWS}", "Sort Key: id", "->  Bitmap Heap Scan on m", "Recheck Cond: (segment_id = 7)"], "sorts"),
        (
            # So few are left that they are one page.
            ["->  Sort  (cost=1.00..2.00 rows=40 width=8)", "->  Index Scan", "Index Cond: ((s = 7) AND (id > 5000))"],
            "begins",
        ),
        (
            [
                *("->  Merge Join", "Merge Cond: (m.id = p.id)"),
                *("->  Index Only Scan using i on m", "Index Cond: ((segment_id = 7) AND (id > 5000))"),
                *("->  Index Scan using profile_pkey on profile p", "Index Cond: (id > 5000)"),
            ],
            "begins",
        ),
        (
            [
                *("->  Merge Join", "Merge Cond: (m.id = p.id)"),
                *("->  Index Only Scan using i on m", "Index Cond: ((segment_id = 7) AND (id > 5000))"),
                "->  Index Scan using profile_pkey on profile p",
            ],
            "again",
        ),
        (["->  Function Scan on members"], "unknown"),
    ],
)
def test_postgresql(lines: list[str], found: str) -> None:
    assert cost("postgresql", *lines) == found


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["5 0 0 SEARCH m USING INDEX i (segment_id=? AND id>?)"], "begins"),
        (["5 0 0 SEARCH m USING INTEGER PRIMARY KEY (rowid>?)"], "foreign"),
        (["5 0 0 SCAN m"], "foreign"),
        (["5 0 0 SEARCH m USING INDEX i (segment_id=?)"], "again"),
        (["7 0 0 SEARCH m USING INDEX i (segment_id=?)", "32 0 0 USE TEMP B-TREE FOR ORDER BY"], "sorts"),
        (["6 0 0 SEARCH m USING INDEX i (segment_id=? AND id>?)", "3 0 0 USE TEMP B-TREE FOR ORDER BY"], "sorts"),
        (["7 0 0 SEARCH p USING INDEX j (id>?)", "11 0 0 SEARCH m USING INDEX i (segment_id=? AND id=?)"], "foreign"),
        ([], "unknown"),
    ],
)
def test_sqlite(lines: list[str], found: str) -> None:
    assert cost("sqlite", *lines) == found


def table(parts: list[str], attached: str = "", index: str = "") -> dict[str, Any]:
    return {
        "table_name": "m",
        "key": "i",
        "used_key_parts": parts,
        "attached_condition": attached,
        "index_condition": index,
    }


@pytest.mark.parametrize(
    ("block", "found"),
    [
        ({"table": table(["segment_id", "id"], "m.segment_id = 7 and m.`id` > 5000")}, "begins"),
        ({"table": table(["segment_id", "id"], "((`d`.`m`.`segment_id` = 7) and (`d`.`m`.`id` > 5000))")}, "begins"),
        # It begins with the segment where nearly all is behind the place, and with the place later.
        ({"table": table(["segment_id"], "m.segment_id <=> 7", "m.`id` > 5000")}, "begins"),
        ({"table": table(["segment_id"], "m.`id` > 5000")}, "again"),
        ({"table": table(["id"], "m.segment_id = 7", "m.`id` > 5000")}, "foreign"),
        ({"read_sorted_file": {"filesort": {"table": table([], "m.segment_id = 7 and m.id > 5000")}}}, "foreign"),
        ({"read_sorted_file": {"filesort": {"table": table(["segment_id"], "m.id > 5000")}}}, "sorts"),
        (
            {"ordering_operation": {"using_filesort": True, "table": table(["segment_id"], "m.id > 5000")}},
            "sorts",
        ),
        (
            {"ordering_operation": {"using_filesort": False, "table": table(["segment_id", "id"], "m.id > 5000")}},
            "begins",
        ),
        ({"message": "no rows"}, "unknown"),
    ],
)
def test_mysql_and_mariadb(block: dict[str, Any], found: str) -> None:
    assert cost("mysql", *json.dumps({"query_block": block}, indent=2).splitlines()) == found


def ranged(ranges: str, **more: Any) -> dict[str, Any]:
    return {"table_name": "m", "access_type": "index", "operation": f"range {ranges}", "ranges": [ranges], **more}


@pytest.mark.parametrize(
    ("plan", "found"),
    [
        (ranged("(segment_id = 7 AND 5000 < id)"), "begins"),
        (ranged("(5000 < id)") | {"condition": "((m.segment_id = 7) and (m.id > 5000))"}, "foreign"),
        ({"table_name": "m", "lookup_condition": "segment_id = 7", "operation": "lookup"}, "again"),
        (
            {"table_name": "m", "lookup_condition": "segment_id = 7", "pushed_index_condition": "(m.id > 5000)"},
            "begins",
        ),
        ({"access_type": "sort", "inputs": [{"table_name": "m", "lookup_condition": "segment_id = 7"}]}, "sorts"),
        ({"operation": "Zero rows"}, "unknown"),
    ],
)
def test_newer_mysql(plan: dict[str, Any], found: str) -> None:
    assert cost("mysql", *json.dumps({"query_plan": {"inputs": [plan]}}, indent=2).splitlines()) == found


def test_what_is_no_plan_tells_nothing() -> None:
    assert cost("mysql", "not JSON") == "unknown"


def test_a_place_below_zero_is_found() -> None:
    line = "Index Cond: ((segment_id = 7) AND (id > '-5'::integer))"
    assert cost("postgresql", line, asked=AskedPage("7", "-5", 500)) == "begins"
