"""What one profile may cost: a query makes no more of it than a worker can bear, and says whose fault it is."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.lines import lines
from tests.unit.templates.rendering import SEGMENT, bad_rows, compiled, rows
from tests.unit.templates.test_bounds import MEGABYTE
from workers.templates import BadRows, Oversized, allowance
from workers.templates.allowance import LARGE

if TYPE_CHECKING:
    from workers.templates import Query

MOST_MEMORY = 100 * MEGABYTE

ITEMS = [str(number) for number in range(2_000)]
LONG = "x" * MEGABYTE
WIDE = "\u0390" * (MEGABYTE // 2)
"""Each of its letters is three in capitals."""

LOOPS = [
    "{for $x = lead.v}{for $y = lead.v}{if $x = $y} +1 {end}{end}{end}",
    "{for $x = lead.v}{for $y = lead.v}{for $z = lead.v}{for $w = lead.v} {end}{end}{end}{end}",
    "{for $x = lead.v}{if $x in lead.v} +1 {end}{end}",
    "{for $x = lead.v}{if md5 lead.v} +1 {end}{end}",
    "{for $x = lead.v}{if lead.v = 'x'} +1 {end}{end}",
    "{for $x = lead.v}, {json lead.v}{end}",
    "{for $x = lead.v}, '{lead.v}'{end}",
    '{for $x = lead.v}, {jsonpath lead.v "$..a" "array"}{end}',
]
TAGS = [", {lead.v}", ", '{lead.v}{lead.v}'", ", {upper lead.v}", ", '{lead.v}' {if lead.v}{end}"]


def cost(query: Query, value: object) -> int:
    """Lines of Python for a profile with that value, which cannot be rendered."""
    batch = rows({"v": value})

    def run() -> None:
        with pytest.raises(BadRows):
            query.render(batch, SEGMENT)

    return lines(run)


@pytest.mark.parametrize("loop", LOOPS)
def test_loops_that_multiply_a_list_are_a_data_error(loop: str) -> None:
    query = compiled(f"SELECT 1{loop}", "mysql", batch=False)

    (error,) = bad_rows(query, {"v": ITEMS})

    assert (error.code, error.reason) == (
        "bad value",
        "expected lists and texts of which the query's loops and tags make less",
    )


def test_what_is_too_much_takes_no_longer_for_being_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allowance, "ALL", 1_000_000)
    query = compiled("SELECT 1{for $x = lead.v}{for $y = lead.v}{if $x = $y} +1 {end}{end}{end}", "mysql", batch=False)

    assert cost(query, ITEMS * 2) < 1.5 * cost(query, ITEMS)


@pytest.mark.parametrize("tags", TAGS)
@pytest.mark.parametrize("value", [LONG, WIDE], ids=["long", "wide"])
def test_many_tags_make_no_more_of_a_long_text_than_fits(tags: str, value: str) -> None:
    query = compiled(f"SELECT 1{tags * 500}", "mysql", batch=False)
    tracemalloc.start()
    try:
        bad_rows(query, {"v": value})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < MOST_MEMORY


LONGEST = 15 * MEGABYTE // 2
"""Characters of a text that still comes in one event."""
TEXTS = {"plain": "x" * LONGEST, "quotes": "'" * LONGEST, "wide": "x" * LONGEST + "\U0001f600"}
ROW = ", '{$l.v}'"
PLACES = {"value": ", '{lead.v}'", "bare": ", {lead.v}", "part": ", '-{lead.v}-'", "called": ", '{trim lead.v}'"}


def peak_of(query: Query, *profiles: dict[str, object]) -> int:
    """Bytes that rendering takes at the most, whatever comes of it."""
    batch = rows(*profiles)
    tracemalloc.start()
    try:
        with suppress(BadRows, Oversized):
            query.render(batch, SEGMENT)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("text", "place", "dialect", "tags"),
    [
        *((text, "value", "postgresql", tags) for text in TEXTS for tags in (2, 4, 12)),
        *(("quotes", place, "mysql", 4) for place in ("bare", "part", "called")),
        ("wide", "value", "mssql", 12),
    ],
)
def test_few_tags_make_no_more_of_the_longest_text_than_fits(text: str, place: str, dialect: str, tags: int) -> None:
    query = compiled(f"\nINSERT INTO t VALUES (1{PLACES[place] * tags})\n", dialect, batch=False)

    assert peak_of(query, {"v": TEXTS[text]}) < MOST_MEMORY


@pytest.mark.parametrize("text", TEXTS)
def test_the_longest_text_is_written_once(text: str) -> None:
    query = compiled("INSERT INTO t VALUES ('{lead.v}', {if lead.v}1{end})", batch=False)

    assert query.render(rows({"v": TEXTS[text]}), SEGMENT)


def test_many_long_texts_are_too_much_together_and_none_of_them_alone() -> None:
    query = compiled(f"INSERT INTO t VALUES {{for $l = $batch}}(1{ROW * 12}){{autocomma}}{{end}}", "mysql")
    profiles: list[dict[str, object]] = [{"v": "'" * (MEGABYTE // 4) + "\U0001f600"} for _ in range(32)]

    assert peak_of(query, *profiles) < MOST_MEMORY
    with pytest.raises(Oversized):
        query.render(rows(*profiles), SEGMENT)
    assert query.render(rows(profiles[0]), SEGMENT)


def test_what_counts_writes_the_same_as_what_does_not() -> None:
    query = compiled(f"INSERT INTO t VALUES {{for $l = $batch}}({(ROW + ', {$l.v}') * 3}){{autocomma}}{{end}}")
    batch = rows(*[{"v": value} for value in ("x", "it's", 7, None, True, ["a", "'"], "\U0001f600\\")])

    assert query.render(batch, SEGMENT, 0) == query.render(batch, SEGMENT, LARGE + 1)


@pytest.mark.parametrize(
    ("source", "times"),
    [
        ("SELECT 1", 0),
        ("SELECT '{lead.a}', '{lead.b}'", 1),
        ("SELECT '{lead.a}', '{lead.a.b}-{upper lead.a}'", 3),
        ("SELECT '{lead.a}', '{json lead}'", 2),
        ("SELECT {if lead.a}'{lead.b}'{else}'{lead.b}'{end}", 2),
    ],
)
def test_it_is_known_how_often_a_profile_may_be_written(source: str, times: int) -> None:
    assert compiled(source, batch=False)._code._times == times


def test_a_condition_of_many_parts_reads_no_long_list_for_each_of_them() -> None:
    asked = " and ".join(["lead.v != 'x'"] * 150)

    assert bad_rows(compiled(f"SELECT 1 {{if {asked}}}+ 1{{end}}", batch=False), {"v": ITEMS * 20})


def test_each_profile_of_a_batch_has_an_allowance_of_its_own() -> None:
    query = compiled("INSERT INTO t VALUES {for $l = $batch}('{for $x = $l.v}{$x}{autocomma}{end}'){autocomma}{end}")
    good = {"v": ["a"] * 20_000}

    assert query.render(rows(*[good] * 20), SEGMENT)
    assert [error.index for error in bad_rows(query, good, {"v": ["a"] * 200_000}, good)] == [1]


def test_what_a_long_profile_needs_is_there() -> None:
    """One of the longest an event can hold, in a query with a loop."""
    query = compiled("INSERT INTO t VALUES ('{lead.v}', '{for $x = lead.tags}{$x}{autocomma}{end}')", batch=False)

    assert query.render(rows({"v": LONG * 7, "tags": ITEMS}), SEGMENT)
