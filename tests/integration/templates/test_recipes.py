"""The recipes of docs/recipes.md are run: what is read is what the page says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.templates.writing import serving
from tests.repository import ROOT
from tests.servers.clickhouse import ClickhouseEngine
from workers.events.profiles import profile
from workers.templates import QueryKind, Row, SegmentView
from workers.templates.query import compile_query

if TYPE_CHECKING:
    from workers.connectors.contract import Target

PAGE = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
BLOCKS = {
    (dialect, kind): text
    for dialect, kind, text in re.findall(r"^```sql (\w+) (\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
}
EXPECTED = dict(re.findall(r"^```sql (\w+) read\n.*?^```\n```\n(.*?)\n^```", PAGE, re.DOTALL | re.MULTILINE))


def profiles() -> list[dict[str, Any]]:
    """The page's own."""
    found = re.search(r"^```json\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None
    objects = re.split(r"\n(?=\{)", found[1].strip())
    return [profile(text.encode()) for text in objects]


def statements(dialect: str, *given: dict[str, Any]) -> list[str]:
    """What the recipe makes of these profiles; it gives no warning."""
    query = compile_query(
        BLOCKS[dialect, "add"], dialect=dialect, kind=QueryKind.ADD, batch=True, key=("CustomID",), timezone="UTC"
    )
    assert query.warnings == []
    rows = [Row(each, 0, number + 1) for number, each in enumerate(given)]
    return query.render(rows, SegmentView("7", "n", 0, 1))


def shown(rows: list[tuple[Any, ...]]) -> str:
    return "\n".join(" | ".join(map(str, row)) for row in rows)


@pytest.mark.parametrize("dialect", ["postgresql", "mysql", "sqlite"])
def test_what_is_written_is_read_as_the_page_says(dialect: str, request: pytest.FixtureRequest) -> None:
    fixture = {"mysql": "mariadb"}.get(dialect, dialect)
    target: Target = request.getfixturevalue(f"{fixture}_target")
    for server in serving(target, BLOCKS[dialect, "table"]):
        for _ in range(2):  # a repeated batch changes nothing
            server.transact(*statements(dialect, *profiles()))
        assert shown(server.database.rows(BLOCKS[dialect, "read"])) == EXPECTED[dialect]


def test_clickhouse_reads_what_the_page_says() -> None:
    engine = ClickhouseEngine()
    try:
        written = statements("clickhouse", *profiles())
        engine.run(BLOCKS["clickhouse", "table"], *written, *written)
        read = shown([tuple(row) for row in engine.rows(BLOCKS["clickhouse", "read"])])
        assert read.replace("ᴺᵁᴸᴸ", "None") == EXPECTED["clickhouse"]
    finally:
        engine.close()


@pytest.mark.parametrize("dialect", ["mssql", "oracle"])
def test_where_no_server_is_the_recipe_is_rendered(dialect: str) -> None:
    (statement,) = statements(dialect, *profiles())
    assert statement.count("A-17") == statement.count("A-18") == 1
    assert "O''Brien" in statement
    assert "{" not in statement.replace('{"city":"Köln","zip":50667}', "")


def test_each_database_has_its_recipe() -> None:
    assert {dialect for dialect, kind in BLOCKS if kind == "add"} == {
        *("postgresql", "mysql", "sqlite", "clickhouse", "mssql", "oracle")
    }
