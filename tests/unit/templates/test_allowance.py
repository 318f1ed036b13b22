"""What one profile may cost: a query makes no more of it than a worker can bear, and says whose fault it is."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest

from tests.lines import lines
from tests.unit.templates.rendering import SEGMENT, bad_rows, compiled, rows
from tests.unit.templates.test_bounds import MEGABYTE
from workers.templates import BadRows, allowance

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
