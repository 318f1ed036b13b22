"""What `segsync init` writes for SQL Server and Oracle, read by sqlglot: one witness of three, since no server is here.

Each statement is one that the dialect's parser takes, and each value stands in it whole, whatever it is made of.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import sqlglot
from sqlglot import exp

from tests.presets import HOSTILE, Ran, preset_queries
from workers.connectors.sql.vendors import VENDORS
from workers.templates import QueryKind

if TYPE_CHECKING:
    from collections.abc import Iterator

DIALECTS = ("mssql", "oracle")
STATEMENTS = {
    QueryKind.ADD: [exp.Merge],
    QueryKind.REMOVE: [exp.Delete],
    QueryKind.CLEAR: [exp.Delete],
    QueryKind.SEGMENT_UPSERT: [exp.Merge],
    QueryKind.SEGMENT_DELETE: [exp.Delete, exp.Delete],
}


def parsed(statements: list[str], dialect: str) -> list[exp.Expr]:
    reader = VENDORS[dialect].traits.reader
    return [tree for text in statements for tree in sqlglot.parse(text, dialect=reader) if tree is not None]


def texts(tree: exp.Expr) -> Iterator[str]:
    """The values that a statement's literals come to, joined where they are joined in SQL."""
    joined = [node for node in tree.find_all(exp.Add, exp.DPipe) if folded(node) is not None]
    inner = {id(part) for node in joined for part in node.walk() if part is not node}
    for node in [*joined, *tree.find_all(exp.National, exp.Literal, exp.Anonymous, exp.ToChar)]:
        if id(node) not in inner and (text := folded(node)) is not None:
            yield text


def folded(node: exp.Expr | None) -> str | None:
    """The text of a literal, of literals that are joined, or of their code points; None for anything else."""
    if isinstance(node, (exp.Add, exp.DPipe)):
        left, right = folded(node.this), folded(node.expression)
        return None if left is None or right is None else left + right
    if isinstance(node, (exp.Paren, exp.Cast, exp.ToChar)):
        return folded(node.this)
    if isinstance(node, exp.Anonymous) and node.name.upper() in ("UNISTR", "TO_CLOB", "TO_CHAR"):
        text = folded(node.expressions[0])
        return re.sub(r"\\(\\|[0-9A-F]{4})", point, text) if text and node.name.upper() == "UNISTR" else text
    if isinstance(node, exp.Unicode | exp.UnicodeString):
        return None
    if isinstance(node, exp.National) or (isinstance(node, exp.Literal) and node.is_string):
        return str(node.this)
    return None


def point(escape: re.Match[str]) -> str:
    return "\\" if escape[1] == "\\" else chr(int(escape[1], 16))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_statement_is_one_and_of_its_kind(dialect: str) -> None:
    queries = preset_queries(dialect)
    ran = Ran(queries)
    for kind, expected in STATEMENTS.items():
        trees = parsed(ran.statements(kind, HOSTILE), dialect)
        assert [type(tree) for tree in trees] == expected, kind


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", [QueryKind.ADD, QueryKind.REMOVE])
def test_every_key_is_found_unharmed(dialect: str, kind: QueryKind) -> None:
    (tree,) = parsed(Ran(preset_queries(dialect)).statements(kind, HOSTILE), dialect)
    found = set(texts(tree))
    assert [key for key in HOSTILE if key not in found] == []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_name_is_found_unharmed(dialect: str) -> None:
    ran = Ran(preset_queries(dialect))
    for name in HOSTILE:
        (tree,) = parsed(ran.statements(QueryKind.SEGMENT_UPSERT, (), name=name), dialect)
        assert name in set(texts(tree))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_batch_of_ten_thousand_is_ten_statements_in_one_transaction(dialect: str) -> None:
    ran = Ran(preset_queries(dialect))
    keys = [f"key {number}" for number in range(10_000)]
    statements = ran.statements(QueryKind.ADD, keys)
    assert len(statements) == 10
    assert [len(re.findall(r"'key \d+'", text)) for text in statements] == [2000 if dialect == "mssql" else 1000] * 10


@pytest.mark.parametrize("dialect", DIALECTS)
def test_merge_locks_what_it_looks_for_where_it_must(dialect: str) -> None:
    """SQL Server's MERGE looks, and inserts, in two steps."""
    for kind in (QueryKind.ADD, QueryKind.SEGMENT_UPSERT):
        (statement,) = Ran(preset_queries(dialect)).statements(kind, ["a"] if kind is QueryKind.ADD else [])
        assert ("WITH (HOLDLOCK)" in statement) is (dialect == "mssql")
