"""Any text is a query or a list of mistakes with places, in bounded time; and a query that compiles is safe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot.errors import TokenError

from tests.unit.templates.rendering import compiled, rows
from tests.unit.templates.test_safety import ATTACKS, JUDGES, kinds
from workers.templates import BadRows, Query, QueryKind, SegmentView, TemplateErrors, compile_query

if TYPE_CHECKING:
    from sqlglot import TokenType

SQL = [
    *(
        "'",
        '"',
        "`",
        "[",
        "]",
        "''",
        "\\",
        "--",
        "-- ",
        "-",
        "/*",
        "*/",
        "/",
        "*",
        "/*!",
        "#",
        "$$",
        "$t$",
        "$",
        "q'[",
        "]'",
    ),
    *("\n", " ", "a", "N", "E", "x", "_utf8", "U&", "&", "0", "=", ",", "(", ")", ".", "@", ":", "||", ";", "DATE "),
]
TAGS = [
    *("{lead.F}", "'{lead.F}'", "'a{lead.F}b'", '"{lead.F}"', "{lead.N}", "{segment_id}", "{lower lead.F}", "{$x}"),
    *("{autocomma}", "{* ' *}", "{literal}{'{end}", '{default lead.M "\'"}'),
]


def _block(inside: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("{{if lead.G}}{}{{end}}".format, inside),
        st.builds("{{if lead.G}}{}{{else}}{}{{end}}".format, inside, inside),
        st.builds("{{for $x = lead.L}}{}{{end}}".format, inside),
        st.builds("{}{}{}".format, inside, inside, inside),
    )


PIECE = st.one_of(st.sampled_from(SQL), st.sampled_from(TAGS), st.sampled_from(TAGS).map(" {} ".format))
TEMPLATE = st.recursive(PIECE, _block, max_leaves=12).map("SELECT {}".format)
SOUP = st.text(st.sampled_from("{}$*ablendfori '\"\\/-#;.,[]()=\n\t\0\u2028é0"), max_size=60)


def attempt(source: str, dialect: str, *, batch: bool = False) -> Query | None:
    """The query, or None where the text has mistakes; all of them must have places within it."""
    try:
        return compiled(source, dialect, batch=batch)
    except TemplateErrors as errors:
        lines = source.split("\n")
        for mistake in errors.mistakes:
            assert mistake.line is not None
            assert mistake.column is not None
            assert 1 <= mistake.line <= len(lines)
            assert 1 <= mistake.column <= len(lines[mistake.line - 1]) + 1
        return None


def rendered(query: Query, value: str, given_: object, items: int) -> list[str] | None:
    """The statements for a profile with that value everywhere; None where it cannot be rendered."""
    profile = {"F": value, "N": value, "G": given_, "L": [value] * items}
    try:
        return query.render(rows(profile), SegmentView("s", None, 0, 1))
    except BadRows:
        return None


@pytest.mark.parametrize("dialect", JUDGES)
@given(source=TEMPLATE, value=st.one_of(st.sampled_from(ATTACKS), st.text("'\"\\$-/*#\n]", min_size=1, max_size=4)))
def test_a_query_that_compiles_is_safe(dialect: str, source: str, value: str) -> None:
    """However odd its SQL: with hostile values it has the tokens that it has with harmless ones."""
    query = attempt(source, dialect)
    if query is None:
        return
    for given_ in (None, 1):
        for items in (0, 1, 3):
            hostile, harmless = rendered(query, value, given_, items), rendered(query, "x", given_, items)
            assert _kinds(hostile, dialect) == _kinds(harmless, dialect), (hostile, harmless)


def _kinds(statements: list[str] | None, dialect: str) -> list[list[TokenType]] | None:
    """The kinds of all tokens; None where there is nothing to read, or the judge finds it unreadable."""
    if statements is None:
        return None
    try:
        return [kinds(statement, dialect) for statement in statements]
    except TokenError:
        return None


@pytest.mark.parametrize("dialect", JUDGES)
@given(source=st.one_of(SOUP, st.text(max_size=40), TEMPLATE), batch=st.booleans())
def test_any_text_compiles_or_has_mistakes_with_places(dialect: str, source: str, *, batch: bool) -> None:
    attempt(source, dialect, batch=batch)


@pytest.mark.parametrize(
    "source",
    [
        "SELECT " + "{lead.F}, " * 4_990 + "1",
        "SELECT '" + "{lead.F}-" * 4_990 + "'",
        "SELECT " + "{if lead.F} a {else} b {end}" * 1_600,
        "SELECT " + "{for $x = lead.L}" * 4 + "{if lead.F} a {else} b {end}, " * 1_200 + "{end}" * 4,
        "SELECT " + "{if lead.F}" * 4_000,
        "SELECT {if " + "not " * 24_000 + "lead.F}1{end}",
        "SELECT {if " + "lead.F and " * 9_000 + "lead.F}1{end}",
        "SELECT {if " + "(" * 90_000,
        "SELECT {" + "lower(" * 15_000 + "lead.F" + ")" * 900 + "}",
        "SELECT {lead" + ".a" * 45_000 + "}",
        "SELECT " + "'" * 99_000,
        "SELECT " + "$a" * 45_000,
        "SELECT " + "/*+" * 30_000,
        "SELECT " + "//" * 45_000,
        "SELECT " + "{$" * 45_000,
        "SELECT " + "{$a ~}" * 15_000,
        "SELECT 1" + "{* *}x" * 4_999,
        "SELECT '" + "\\" * 99_000,
        ";" * 99_000,
        "{" * 99_000,
        "x" * 10_000_000,
    ],
    ids=lambda source: source[:30],
)
def test_no_text_takes_for_ever(source: str) -> None:
    """A second at most; an exponent would not end before the test is ended."""
    attempt(source, "mysql")


def test_a_query_of_the_largest_size_renders() -> None:
    query = compile_query(
        "SELECT " + "{lead.F}, " * 4_990 + "1", dialect="mysql", kind=QueryKind.ADD, batch=False, key=("F",)
    )

    (statement,) = query.render(rows({"F": "a"}), SegmentView("7", None, 0, 1))

    assert statement == "SELECT " + "'a', " * 4_990 + "1"
