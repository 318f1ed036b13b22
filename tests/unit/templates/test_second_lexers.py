"""Random templates and data: a lexer written a second time sees each value whole, in a literal and nowhere else.

Some hundred templates that compile by default, a million in `make proof`, whose end says how many were drawn for them
and what the costliest took. A failure says its template, data and seed.
"""

from __future__ import annotations

import json
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tests.proof import draws, seeded
from tests.unit.templates.costliest import Costliest
from tests.unit.templates.first_reading import FirstReading, Span, marking, unmarked
from tests.unit.templates.lexers import LEXERS, Token, tokens
from tests.unit.templates.odd_templates import JSON_MARK, MARK, odd_batch, odd_template, odd_value, storable
from tests.unit.templates.rendering import compiled, rows
from workers.templates import BadRows, Query, SegmentView, TemplateErrors

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.proof import Recorder

PARTS = max(1, draws(1, 10))
"""Processes can share them; a part is some minutes."""
TEMPLATES = draws(70, 170_000) // PARTS
"""That compile, for each of six dialects; about four are drawn for one."""
BATCHES = 0.3
"""Of the templates, are for many profiles at once."""

VALUES = draws(500, 100_000)

JOINT = [token.text for token in tokens("+CAST(N'' AS nvarchar(max))+", "mssql")]
"""What parts a backslash from a line's end in SQL Server: an expression, and no token of the value."""


def rendered(query: Query, profiles: int, text: str, given: object, items: int) -> list[str] | None:
    """The statements for so many profiles with that text everywhere; None where there is none."""
    profile = {"F": text, "G": given, "L": [text] * items, "N": -5, "D": "2026-01-02"}
    profile["J"] = JSON_MARK if text == MARK else text
    try:
        return query.render(rows(*[profile] * profiles), SegmentView("s", text, 0, 1))
    except BadRows:
        return None


def read(statement: str, dialect: str) -> list[Token]:
    """The statement's tokens; the parts of a literal that SQL Server gets in several are one."""
    found: list[Token] = []
    for token in tokens(statement, dialect):
        found.append(token)
        texts = [one.text for one in found[-len(JOINT) - 1 : -1]]
        if dialect == "mssql" and token.kind == "literal" and texts == JOINT:
            first = found[-len(JOINT) - 2]
            del found[-len(JOINT) - 2 :]
            found.append(Token(first.kind, first.text + token.text))
    return found


KINDS = {"name": "name", "variable": "name", "comment": "comment", "broken": "broken", "parameter": "broken"}
"""What the second lexer calls a token -> what the first does; all others are literals."""


def trimmed(kind: str, start: int, end: int, statement: str) -> Span:
    """Without a prefix and without the line's end, which one of the two counts in and the other does not."""
    while kind != "comment" and (statement[start].isalnum() or statement[start] in "&@"):
        start += 1
    return Span(kind, start, start + len(statement[start:end].rstrip("\n")))


def compare(marked: str, dialect: str) -> None:
    """Both see the same literals, names and comments, and no literal with a value in it is joined to another."""
    statement, first = unmarked(marked), FirstReading(marked, dialect).spans
    second = LEXERS[dialect](statement, whole=False)
    second.tokens()
    seen = [
        trimmed(KINDS.get(kind, "literal"), start, end, statement)
        for kind, start, end in second.spans
        if kind not in ("word", "sign")
    ]
    assert [trimmed(*one[:3], statement) for one in first] == seen
    kinds = [(KINDS.get(one.kind, one.kind), MARK in one.text) for one in second.found if one.kind != "comment"]
    for (kind, holds), (next_kind, next_holds) in pairwise(kinds):
        apart = {kind, next_kind} & {"name", "word", "sign"} or not (holds or next_holds)
        assert apart, "a literal beside one that holds a value"


def with_data(harmless: str, text: str) -> str:
    """What a literal holds in the place of what it has for harmless data."""
    return harmless.replace(json.dumps(JSON_MARK), json.dumps(text, ensure_ascii=False)).replace(MARK, text)


def check(query: Query, text: str, dialect: str, rendering: Costliest, *, most: int) -> None:
    """Only literals hold data, each of them what the template says, and all else is the same whatever the data."""
    for profiles, given, items in ((1, None, 1), (1, None, 0), (most, 1, 3)):
        statements = rendered(query, profiles, MARK, given, items)
        if statements is None:
            continue
        for statement in statements:
            compare(statement, dialect)
        harmless = [token for one in statements for token in read(unmarked(one), dialect)]
        assert not [token for token in harmless if MARK in token.text and token.kind != "literal"], harmless
        expected = [Token(kind, with_data(what, text)) for kind, what in harmless]
        hostile = rendering.run(partial(rendered, query, profiles, text, given, items), repr(text))
        assert hostile is not None
        assert [token for one in hostile for token in read(unmarked(one), dialect)] == expected


@pytest.mark.proof
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("dialect", LEXERS)
def test_the_second_lexer_sees_what_the_first_one_promised(dialect: str, part: int, record_property: Recorder) -> None:
    """Whatever stands around a tag and whatever is in the data; and nothing that is read or written costs much."""
    (dice, seed), drawn, safe = seeded(7 + part), 0, 0
    compiling, rendering = Costliest(), Costliest()
    compiled("SELECT {lead.F}", dialect, batch=False)  # what is made once for a dialect
    while safe < TEMPLATES:
        drawn += 1
        batch = dice.random() < BATCHES
        source = (odd_batch if batch else odd_template)(dice)
        text = storable(odd_value(dice), dialect) or "-" * batch  # no list takes an empty text
        try:
            with marking():
                query = compiling.run(partial(compiled, source, dialect, batch=batch), repr(source))
        except TemplateErrors:
            assert drawn < 100 * TEMPLATES, "too few templates compile to show anything"
            continue
        safe += 1
        try:
            check(query, text, dialect, rendering, most=1 + batch)
        except AssertionError as error:
            raise AssertionError(f"{source!r} with {text!r} ({drawn} of seed {seed}): {error}") from None

    record_property("drew", f"{drawn:,} templates, of which {safe:,} compile (seed {seed})")
    record_property("costliest to compile", compiling.judge())
    record_property("costliest to render", rendering.judge())


@pytest.mark.proof
@pytest.mark.parametrize("dialect", LEXERS)
def test_the_second_lexer_reads_the_values_that_went_in(dialect: str, record_property: Recorder) -> None:
    dice, seed = seeded(7)
    query = compiled(
        "SELECT {lead.F}, '{lead.F}', 'a-{lead.F}-{lead.F}', 'it''s {lead.F}''' FROM t", dialect, batch=False
    )
    for number in range(VALUES):
        text = storable(odd_value(dice) + odd_value(dice), dialect)
        (statement,) = query.render(rows({"F": text}), SegmentView("s", None, 0, 1))
        literals = [token.text for token in read(statement, dialect) if token.kind == "literal"]
        assert literals == [text, text, f"a-{text}-{text}", f"it's {text}'"], (number, seed, statement)
    record_property("drew", f"{VALUES:,} values (seed {seed})")


def unsafe(source: str, dialect: str, change: Callable[[str], str]) -> None:
    """What the judge says to a compiler that writes values with `change` and no more."""
    harmless = tokens(source.replace("{}", MARK), dialect)
    expected = [Token(kind, what.replace(MARK, "a'b\\")) for kind, what in harmless]
    assert tokens(source.replace("{}", change("a'b\\")), dialect) != expected


@pytest.mark.parametrize("dialect", LEXERS)
def test_the_judge_finds_what_is_not_escaped(dialect: str) -> None:
    prefix = "N" if dialect == "mssql" else ""
    unsafe(f"SELECT {prefix}'{{}}', 1", dialect, lambda text: text)
    unsafe(f"SELECT {prefix}'{{}}', 1", dialect, lambda text: text.replace("'", "\\'") if prefix else text + "'")
    unsafe("SELECT /* {} */ 1", dialect, lambda _: "*/")


def test_the_costliest_of_all_is_found_and_judged() -> None:
    runs = Costliest()
    for length in (10, 20_000, 10):
        assert len(runs.run(partial(list, map(str, range(length))), str(length))) == length
    assert runs.judge()
    runs.run(lambda: [str(n) for n in range(20_000)], "many")

    with pytest.raises(AssertionError, match="many"):
        runs.judge(most_bytes=100_000)
    with pytest.raises(AssertionError, match="many"):
        runs.judge(most_lines=10_000)
