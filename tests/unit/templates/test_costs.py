"""Rendering runs a little code for each profile, and no more for the last than for the first."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.unit.templates.rendering import ADD, REMOVE, SEGMENT, compiled, rows
from workers.templates import QueryKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.templates import Query


def calls(query: Query, count: int, key: Callable[[int], str | int] = "A-{:06d}".format) -> int:
    """How many functions, ours and Python's own, are called to render so many profiles."""
    batch = rows(*({"CustomID": key(i)} for i in range(count)))
    size = 40 * count  # a delivery knows it from what it has read
    called = 0

    def profile(_frame: object, what: str, _argument: object) -> None:
        nonlocal called
        called += what in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        query.render(batch, SEGMENT, size)
    finally:
        sys.setprofile(before)
    return called


@pytest.mark.parametrize("dialect", ["mysql", "postgresql"])
@pytest.mark.parametrize("kind", [QueryKind.ADD, QueryKind.REMOVE])
def test_each_profile_of_the_documented_queries_costs_few_calls(dialect: str, kind: QueryKind) -> None:
    text = ADD.replace('"', "'") if kind is QueryKind.ADD else REMOVE
    query = compiled(text, dialect, kind=kind)
    few, more, many = (calls(query, count) for count in (100, 200, 1000))

    assert more - few <= 100 * 3
    assert many - more == 8 * (more - few)


@pytest.mark.parametrize(
    "text",
    [
        ADD.replace('"', "'"),
        ADD.replace('"', "'").replace("NOW()", "{if $lead.CustomID}NOW(){else}NULL{end}", 1),
        REMOVE,
    ],
    ids=["add", "add with a condition", "remove"],
)
def test_an_integer_key_costs_few_more_calls_than_a_text(text: str) -> None:
    """None but the one that makes its text, where that is needed more than once."""
    kind = QueryKind.REMOVE if text is REMOVE else QueryKind.ADD
    query = compiled(text, kind=kind, key=("CustomID",))

    assert calls(query, 500, int) <= calls(query, 500, str) + 500
