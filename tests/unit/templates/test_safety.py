"""No data becomes code: whatever stands in a profile, the statement's tokens stay the same.

The judge is sqlglot's tokenizers, which know nothing of ours: a statement with hostile values has the tokens
of the same statement with harmless ones, and the literals in it read as the values that went in.
"""

from __future__ import annotations

import re
import sqlite3

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlglot import Token, TokenType
from sqlglot.dialects.dialect import Dialect as Judge

from tests.unit.templates.rendering import SEGMENT, compiled, rows
from workers.templates import Query, QueryKind, SegmentView
from workers.templates.dialects import ORACLE

JUDGES = {
    "mysql": "mysql",
    "postgresql": "postgres",
    "sqlite": "sqlite",
    "mssql": "tsql",
    "oracle": "oracle",
    "clickhouse": "clickhouse",
}
JOINT = "'+CAST(N'' AS nvarchar(max))+N'"
"""Parts a backslash from a line's end in SQL Server; an expression, and no token of the value."""

EVERY_PLACE = (
    "INSERT INTO t VALUES {for $i, $x = $batch}"
    "({$i}, '{$x.F}', {$x.F}, 'p-{$x.F}-s', 'it''s {$x.F}{$x.F}', {$x.K}, '{$x.K}', 'k{$x.K}', {upper $x.F},"
    " {json $x.F}, '{if $x.F}{$x.F}{end}',"
    " '{for $y = $x.L}{$y}{autocomma}{end}', {segment_name}, '{segment_id}', {default $x.F 1})"
    "{autocomma}{end}"
)
LIST = 'DELETE FROM t WHERE a = {segment_id} AND b IN ({batch_in "K"})'

HOSTILE = st.text(st.sampled_from("'\"\\`\0\x1a\n\r%_-*/#;$[](){}=aN0éß\u2018\u2019\u00a0😀"), max_size=12)
ANY_TEXT = st.one_of(HOSTILE, st.text(max_size=12))
ATTACKS = [
    "' OR 1=1 -- ",
    "\\",
    "\\'",
    "x', 1), ('y",
    "'; DROP TABLE t; --",
    '"',
    "''",
    "*/",
    "$$",
    "\\\n'",
    "]]",
    "\n'",
]


def tokens(statement: str, dialect: str) -> list[Token]:
    """The tokens that the judge sees."""
    return list(Judge.get_or_raise(JUDGES[dialect]).tokenize(statement.replace(JOINT, "")))


def kinds(statement: str, dialect: str) -> list[TokenType]:
    """What kinds of tokens the judge sees."""
    return [token.token_type for token in tokens(statement, dialect)]


def texts(statement: str, dialect: str) -> list[str]:
    """The texts of a statement's literals, as the judge reads them."""
    literals = (TokenType.STRING, TokenType.NATIONAL_STRING)
    return [token.text for token in tokens(statement, dialect) if token.token_type in literals]


def profile(value: str, index: int) -> dict[str, object]:
    """A profile with that value in every field; its key is one that no other row has."""
    return {"F": value, "K": f"{index}{value}", "L": [value, value]}


def both(query: Query, values: list[str], name: str) -> tuple[str, str]:
    """The statement with these values, and with harmless ones in their places."""
    (hostile,) = query.render(rows(*(profile(v, i) for i, v in enumerate(values))), SegmentView(name, name, 0, 1))
    harmless_values = ["x" if v else "" for v in values]
    (harmless,) = query.render(
        rows(*(profile(v, i) for i, v in enumerate(harmless_values))), SegmentView("s", "s", 0, 1)
    )
    return hostile, harmless


def storable(text: str, dialect: str) -> str:
    """The text without what the dialect's databases cannot hold, and what Oracle gets in another way."""
    if dialect == "oracle":
        text = "".join(character for character in text if character not in ORACLE.lookalikes)
    return text if dialect in ("mysql", "clickhouse") else text.replace("\0", "")


@pytest.mark.parametrize("dialect", JUDGES)
@pytest.mark.parametrize("template", [EVERY_PLACE, LIST])
@settings(max_examples=80, deadline=None, database=None)
@given(values=st.lists(ANY_TEXT, min_size=1, max_size=3), name=ANY_TEXT)
@example(values=ATTACKS, name="n")
@example(values=["a"], name="' OR 1=1 -- \\")
def test_no_value_changes_a_statements_tokens(dialect: str, template: str, values: list[str], name: str) -> None:
    values = [storable(value, dialect) for value in values]
    name = storable(name, dialect)
    query = compiled(template, dialect, QueryKind.REMOVE, key=("K",))

    hostile, harmless = both(query, values, f"s{name}")

    assert kinds(hostile, dialect) == kinds(harmless, dialect)


@settings(max_examples=80, deadline=None, database=None)
@given(values=st.lists(ANY_TEXT, min_size=1, max_size=3))
@example(values=ATTACKS)
def test_in_mysqls_double_quotes_no_value_changes_the_tokens(values: list[str]) -> None:
    template = 'INSERT INTO t VALUES {for $x = $batch}("{$x.F}", "p-{$x.F}\\"s", "{$x.K}", "k{$x.K}"){autocomma}{end}'

    hostile, harmless = both(compiled(template, "mysql", key=("K",)), values, "n")

    assert kinds(hostile, "mysql") == kinds(harmless, "mysql")


@pytest.mark.parametrize("dialect", JUDGES)
@settings(max_examples=80, deadline=None, database=None)
@given(value=ANY_TEXT)
def test_a_literal_reads_as_the_value_that_went_in(dialect: str, value: str) -> None:
    value = storable(value, dialect).replace("\0", "")
    query = compiled("SELECT '{lead.F}', {lead.F}, 'p-{lead.F}-s'", dialect, batch=False)

    (statement,) = query.render(rows({"F": value}), SEGMENT)

    assert texts(statement, dialect) == [value, value, f"p-{value}-s"]


@settings(max_examples=150, deadline=None, database=None)
@given(
    text=st.text(st.sampled_from("'\\\"a0é" + ORACLE.lookalikes), max_size=12), look=st.sampled_from(ORACLE.lookalikes)
)
def test_oracle_never_sees_what_it_could_take_for_a_quote(text: str, look: str) -> None:
    """A server in an older character set translates the statement before it reads it."""
    value = look + text
    query = compiled("SELECT {lead.F}, 'p-{lead.F}-s'", "oracle", batch=False)

    (statement,) = query.render(rows({"F": value}), SEGMENT)
    first, second, *rest = re.findall(r"TO_CHAR\(UNISTR\('((?:[^']|'')*)'\)\)", statement)

    assert statement == f"SELECT TO_CHAR(UNISTR('{first}')), 'p-'||TO_CHAR(UNISTR('{second}'))||'-s'"
    assert not set(ORACLE.lookalikes) & set(statement)
    assert (first, rest) == (second, [])
    assert _read_by_unistr(first.replace("''", "'")) == value


def _read_by_unistr(text: str) -> str:
    return re.sub(r"\\(\\|[0-9A-F]{4})", lambda m: "\\" if m[1] == "\\" else chr(int(m[1], 16)), text)


def test_the_rendering_code_can_call_nothing_but_what_it_was_given() -> None:
    names = compiled(EVERY_PLACE, "mysql")._render.__globals__

    assert set(names["__builtins__"]) == {"type", "str", "len", "enumerate"}


@settings(max_examples=150, deadline=None, database=None)
@given(values=st.lists(ANY_TEXT, min_size=1, max_size=5, unique=True))
@example(values=ATTACKS)
def test_what_sqlite_stores_is_what_went_in(values: list[str]) -> None:
    """A real database, and the only one that needs no server."""
    values = list(dict.fromkeys(storable(value, "sqlite") for value in values))
    insert = compiled(
        "INSERT INTO t VALUES {for $i, $x = $batch}({$i}, '{$x.F}', {$x.F}, '-{$x.F}-'){autocomma}{end}", "sqlite"
    )
    count = compiled('SELECT COUNT(*) FROM t WHERE b IN ({batch_in "K"})', "sqlite", QueryKind.REMOVE)
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE t (n INTEGER, a TEXT, b TEXT, c TEXT)")

    for statement in insert.render(rows(*({"F": value} for value in values)), SEGMENT):
        database.execute(statement)
    stored = database.execute("SELECT a, b, c FROM t ORDER BY n").fetchall()
    full = [value for value in values if value]
    found = [database.execute(one).fetchone() for one in count.render(rows(*({"K": value} for value in full)), SEGMENT)]
    database.close()

    assert stored == [(value, value, f"-{value}-") for value in values]
    assert found == ([(len(full),)] if full else [])
