"""No query takes more than its length to read: steps are counted."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.lines import lines
from tests.unit.templates.rendering import compiled
from tests.unit.templates.test_bounds import ALLOWED
from workers.templates import TemplateErrors

if TYPE_CHECKING:
    from collections.abc import Callable

UNITS = [
    *("{lead.F}, ", "'{lead.F}', ", "'-{lead.F}-', ", "{lower lead.F}, ", "{unknown}, ", "{lead.a.b}, ", "{* c *}x "),
    *("{if lead.F} a {else} b {end}", "{for $x = lead.L}a,{end} ", "{if lead.F}'{lead.F}'{else}'b'{end}, ", "{"),
    *("a ", "(a ", "f(", "like ", "regexp_like(a, ", "; ", ";SELECT 1", "é ", "\u2019", "1e", "$t$ ", "[a] ", "`a` "),
    *("'", "'a' ", "''", "\\", "-- \n", "a --a ", "a #a ", "a /* ", "a /*b*/ ", "/*+ ", "// ", "a\n", "$a"),
    *("{if lead.F}", "{end}"),
]
"""What a query may be a long row of."""

OTHERS = [("postgresql", "a #a "), ("postgresql", "$t$ "), ("clickhouse", "// "), ("oracle", "q'["), ("sqlite", ":a ")]

LOOPED = [
    *("{if lead.F} a {else} b {end}", "{if lead.F}(a{elseif lead.G})b{else}x,{end} ", "{if lead.F} like {else}){end} "),
    *("{if lead.F}({else} regexp_like( {end}", "{lead.F}, ", "'{if lead.F}a{end}', "),
]
"""What loops in one another may hold many of."""

OPENING = "{for $a = lead.L}{for $b = lead.L}{for $c = lead.L}{for $d = lead.L}"
MOST_LINES = 3_000_000
"""Lines that reading any query may take: some of these took hundreds of millions."""


def reading(source: str, dialect: str) -> Callable[[], None]:
    def read() -> None:
        with contextlib.suppress(TemplateErrors):
            compiled(source, dialect, batch=False)

    return read


@pytest.mark.parametrize(("dialect", "unit"), [*(("mysql", unit) for unit in UNITS), *OTHERS])
def test_a_query_four_times_as_long_takes_at_most_about_four_times_the_work(dialect: str, unit: str) -> None:
    short, long = (reading("SELECT " + unit * times, dialect) for times in (10, 40))
    long()  # what is made once for a dialect
    assert lines(long) <= ALLOWED * lines(short) + 1000

    few, many = (reading("SELECT " + unit * (length // len(unit)), dialect) for length in (1_000, 4_000))
    assert lines(many) <= ALLOWED * lines(few) + 1000


@pytest.mark.parametrize("unit", LOOPED)
def test_loops_and_conditions_do_not_multiply_what_is_to_be_read(unit: str) -> None:
    source = f"SELECT {OPENING}{unit * 25}{'{end}' * 4}"

    assert lines(reading(source, "postgresql")) < MOST_LINES


def test_brackets_that_a_loop_opens_in_several_ways_do_not_multiply_it() -> None:
    """Found by random templates: each round of the walk ended at other depths of its brackets and patterns."""
    source = (
        "SELECT 1, {for $a = lead.L}{if $a.G}{json $a.J}# e{elseif $a.H}{literal}{{end}q'[/*!{else}"
        "{if $a.G}\u2028{elseif $a.H} LIKE {end}('a{$a.F}b'{json $a.J}{end}$${$a.F}$$ , '{$a.F}', {$a.F}{autocomma}"
        "{end}"
    )
    reading(source, "postgresql")()  # what is made once for a dialect

    assert lines(reading(source, "postgresql")) < MOST_LINES // 2
