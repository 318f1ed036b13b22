"""Any text is a query or a list of mistakes with places, in bounded time; and a query that compiles is safe."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot.errors import TokenError

from tests.lines import lines
from tests.proof import draws
from tests.unit.templates.rendering import compiled, rows
from tests.unit.templates.test_bounds import MEGABYTE
from tests.unit.templates.test_safety import ATTACKS, JUDGES, kinds
from workers.templates import BadRows, Query, QueryKind, SegmentView, TemplateErrors, compile_query

if TYPE_CHECKING:
    from collections.abc import Callable

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
    *("{autocomma}", "{* ' *}", "{literal}{'{end}", '{default lead.M "\'"}', "{number lead.N}", "{json lead.F}"),
    *("'{json lead}'", '{date lead.F "%Y"}', "-{number lead.F}"),
]


def _block(inside: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("{{if lead.G}}{}{{end}}".format, inside),
        st.builds("{{if lead.G}}{}{{else}}{}{{end}}".format, inside, inside),
        st.builds("{{if lead.G}}{}{{elseif lead.L}}{}{{end}}".format, inside, inside),
        st.builds("{{for $x = lead.L}}{}{{end}}".format, inside),
        st.builds("{}{}{}".format, inside, inside, inside),
    )


PIECE = st.one_of(st.sampled_from(SQL), st.sampled_from(TAGS), st.sampled_from(TAGS).map(" {} ".format))
WHOLE = ["a", "(1)", "'b'", "'it''s'", "/* ' */", "-- '\n", "'--'", "'/*'", "f(a, 'b')", "1e5", "\n", "a.b"]
"""What stands between a template's tags most often: it ends where it began."""
FITTING = [
    *(
        " {lead.F} ",
        "'{lead.F}'",
        "'a{lead.F}b'",
        "'it''s {lead.F}'",
        "{number lead.N}",
        "{json lead.F}",
        "'{json lead}'",
    ),
    *("{lower lead.F}", '{default lead.M "\'"}', "{segment_id}", "'{* \" *}{lead.F}{lead.F}'"),
]
CALM = st.lists(
    st.sampled_from(WHOLE) | st.sampled_from(FITTING) | st.sampled_from(FITTING).map("'b', {}, a".format)
    | st.builds("{{if lead.G}}{}{{elseif lead.L}}'x'{{else}}{}{{end}}".format, *[st.sampled_from(FITTING)] * 2)
    | st.builds("'{{for $x = lead.L}}{{$x}}{{autocomma}}{{end}}{}'".format, st.sampled_from(["", "''", "-- ", "/*"])),
    min_size=1,
    max_size=4,
).map(" , ".join)  # fmt: skip
ANY = st.recursive(PIECE, _block, max_leaves=12) | CALM
TEMPLATE = ANY.map("SELECT {}".format)
BATCH = st.builds(
    "SELECT {{for $b = $batch}}{}{{autocomma}}{{end}}{}".format,
    ANY.map(lambda template: template.replace("lead", "$b")),
    st.sampled_from(["", ' WHERE a IN ({batch_in "F"})', ', {batch_in "F"}', "'{batch_in \"F\"}'"]),
)
SOUP = st.text(st.sampled_from("{}$*ablendfori '\"\\/-#;.,[]()=\n\t\0\u2028é0"), max_size=60)


def attempt(source: str, dialect: str, *, batch: bool = False) -> Query | None:
    """The query, or None where the text has mistakes; all of them must have places within it."""
    try:
        return compiled(source, dialect, batch=batch)
    except TemplateErrors as errors:
        written = source.split("\n")
        for mistake in errors.mistakes:
            assert mistake.line is not None
            assert mistake.column is not None
            assert 1 <= mistake.line <= len(written)
            assert 1 <= mistake.column <= len(written[mistake.line - 1]) + 1
        return None


def rendered(query: Query, value: str, given_: object, items: int) -> list[str] | None:
    """The statements for a profile with that value everywhere; None where it cannot be rendered."""
    profile = {"F": value, "N": value, "G": given_, "L": [value] * items}
    try:
        return query.render(rows(profile), SegmentView("s", None, 0, 1))
    except BadRows:
        return None


VALUE = st.sampled_from(ATTACKS) | st.text("'\"\\$-/*#\n]", min_size=1, max_size=4)
COMPILED = draws(5, 200)
"""Of the templates for each dialect, at least: the others show nothing."""


@pytest.mark.parametrize("dialect", JUDGES)
def test_a_query_that_compiles_is_safe(dialect: str) -> None:
    """However odd its SQL: with hostile values it has the tokens that it has with harmless ones."""
    safe = 0

    @given(source=TEMPLATE.map(lambda text: (text, False)) | BATCH.map(lambda text: (text, True)), value=VALUE)
    def one(source: tuple[str, bool], value: str) -> None:
        nonlocal safe
        query = attempt(source[0], dialect, batch=source[1])
        if query is None:
            return
        safe += 1
        for given_ in (None, 1):
            for items in (0, 1, 3):
                hostile, harmless = rendered(query, value, given_, items), rendered(query, "x", given_, items)
                assert _kinds(hostile, dialect) == _kinds(harmless, dialect), (hostile, harmless)

    one()
    assert safe >= COMPILED, "too few templates compile to show anything"


def _kinds(statements: list[str] | None, dialect: str) -> list[list[TokenType]] | None:
    """The kinds of all tokens; None where there is nothing to read, or the judge finds it unreadable."""
    if statements is None:
        return None
    try:
        return [kinds(statement, dialect) for statement in statements]
    except TokenError:
        return None


@pytest.mark.parametrize("dialect", JUDGES)
@given(source=st.one_of(SOUP, st.text(max_size=40), TEMPLATE, BATCH), batch=st.booleans())
def test_any_text_compiles_or_has_mistakes_with_places(dialect: str, source: str, *, batch: bool) -> None:
    attempt(source, dialect, batch=batch)


PART = 1 if draws(0, 1_000) else 12
"""Of the longest texts that are read at all, in `make test` a twelfth: to count steps takes long."""
LONG: list[Callable[[int], str]] = [
    lambda n: "SELECT " + "{lead.F}, " * (n // 20) + "1",
    lambda n: "SELECT '" + "{lead.F}-" * (n // 20) + "'",
    lambda n: "SELECT " + "{if lead.F} a {else} b {end}" * (n // 60),
    lambda n: "SELECT " + "{for $x = lead.L}" * 4 + "{if lead.F} a {else} b {end}, " * (n // 80) + "{end}" * 4,
    lambda n: "SELECT " + "{if lead.F}" * (n // 25),
    lambda n: "SELECT {if " + "not " * (n // 4) + "lead.F}1{end}",
    lambda n: "SELECT {if " + "lead.F and " * (n // 11) + "lead.F}1{end}",
    lambda n: "SELECT {if " + "(" * n,
    lambda n: "SELECT {" + "lower(" * (n // 7) + "lead.F" + ")" * (n // 100) + "}",
    lambda n: "SELECT {lead" + ".a" * (n // 2) + "}",
    lambda n: "SELECT " + "'" * n,
    lambda n: "SELECT " + "$a" * (n // 2),
    lambda n: "SELECT " + "/*+" * (n // 3),
    lambda n: "SELECT " + "//" * (n // 2),
    lambda n: "SELECT " + "{$" * (n // 2),
    lambda n: "SELECT " + "{$a ~}" * (n // 6),
    lambda n: "SELECT {for $b = $batch}" + "{$b.F}, " * (n // 20) + "1{autocomma}{end}",
    lambda n: "SELECT " + '{batch_in "F"}, ' * (n // 20) + "1",
    lambda n: "SELECT " + "{if lead.F}a" + "{elseif lead.G}b" * (n // 25) + "{end}",
    lambda n: "SELECT 1" + "{* *}x" * (n // 20),
    lambda n: "SELECT '" + "\\" * n,
    lambda n: ";" * n,
    lambda n: "{" * n,
    lambda n: "x" * (100 * n),
]
LONGEST = 99_000
LINES_EACH, BYTES_EACH = 300, 5_000
"""What a character may cost; in a loop over the batch that is full of tags 3,600 bytes, 130 MB for the longest."""
AT_LEAST = (100_000, 4 * MEGABYTE)
"""What any text may cost, however short."""


@pytest.mark.proof
@pytest.mark.parametrize("text", LONG, ids=lambda text: text(60)[:30])
def test_no_text_takes_for_ever(text: Callable[[int], str]) -> None:
    """Steps and memory are counted: neither grows faster than the text."""
    source = text(LONGEST // PART)
    batch = "batch" in source[:40]
    steps = lines(lambda: _read(source, batch=batch))
    tracemalloc.start()
    try:
        _read(source, batch=batch)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert steps <= AT_LEAST[0] + LINES_EACH * len(source)
    assert peak <= AT_LEAST[1] + BYTES_EACH * len(source)


def _read(source: str, *, batch: bool) -> None:
    attempt(source, "mysql", batch=batch)


def test_a_query_of_the_largest_size_renders() -> None:
    query = compile_query(
        "SELECT " + "{lead.F}, " * 4_990 + "1", dialect="mysql", kind=QueryKind.ADD, batch=False, key=("F",)
    )

    (statement,) = query.render(rows({"F": "a"}), SegmentView("7", None, 0, 1))

    assert statement == "SELECT " + "'a', " * 4_990 + "1"
