"""The queries in docs/templates.md are queries."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.templates.rendering import SEGMENT, compiled, one, rows
from workers.templates import QueryKind
from workers.templates.dates import DIRECTIVES
from workers.templates.functions import FUNCTIONS

PAGE = (Path(__file__).parents[3] / "docs" / "templates.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```sql (\w+) (\w+)( single)?\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(("dialect", "kind", "single", "query"), EXAMPLES, ids=[" ".join(e[:3]) for e in EXAMPLES])
def test_an_example_renders_without_a_warning(dialect: str, kind: str, single: str, query: str) -> None:
    made = compiled(query, dialect, QueryKind(kind), batch=not single, key=("CustomID",))

    (statement,) = made.render(rows({"CustomID": "A-17", "vip": True, "email": "Ann@example.com"}), SEGMENT)

    assert made.warnings == []
    assert "A-17" in statement


def test_there_are_examples_of_every_database() -> None:
    assert {example[0] for example in EXAMPLES} == {"mysql", "postgresql", "sqlite", "mssql", "oracle", "clickhouse"}


def test_the_first_example_gives_what_the_page_prints() -> None:
    query = compiled(EXAMPLES[0][3], key=("CustomID",))
    printed = re.search(r"the database gets:\n```\n(.*?)\n```", PAGE, re.DOTALL)

    assert printed is not None
    assert query.render(rows({"CustomID": "A-17"}, {"CustomID": 'O"Brien'}), SEGMENT) == [printed[1]]


def test_every_function_and_directive_is_on_the_page() -> None:
    table = PAGE.partition("## Functions")[2].partition("## Statements")[0]

    assert set(re.findall(r"`(\w+) x", table)) == set(FUNCTIONS)
    assert re.findall(r"%(.)", table.partition("`date` knows `")[2].partition("`: ")[0]) == list(DIRECTIVES)


@pytest.mark.parametrize("example", [function.example for function in FUNCTIONS.values()])
def test_the_examples_in_messages_compile(example: str) -> None:
    assert one(example.replace("$lead", "lead"), {}) in ("NULL", "'unknown'")
