"""Rendering costs little more than joining text by hand."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.unit.templates.rendering import ADD, REMOVE, SEGMENT, compiled, rows
from workers.templates import QueryKind

if TYPE_CHECKING:
    from collections.abc import Callable

ALLOWED = 2.5


def ratio(one: Callable[[], object], other: Callable[[], object]) -> float:
    """How much longer `one` takes; the best of many short runs, taken in turn, so that noise meets both."""
    best = [float("inf"), float("inf")]
    for _ in range(200):
        for index, run in enumerate((one, other)):
            started = time.perf_counter()
            run()
            best[index] = min(best[index], time.perf_counter() - started)
    return best[0] / best[1]


@pytest.mark.parametrize("key", [(), ("CustomID",)])
@pytest.mark.parametrize("dialect", ["mysql", "postgresql"])
def test_the_documented_insert_costs_at_most_two_and_a_half_times_a_join(dialect: str, key: tuple[str, ...]) -> None:
    profiles = [{"_id": f"61f0{i:04d}", "CustomID": f"A-{i:06d}", "email": f"user{i}@example.com"} for i in range(1000)]
    query = compiled(ADD if dialect == "mysql" else ADD.replace('"', "'"), dialect, key=key)
    batch = rows(*profiles)
    q, qq = "'", "''"

    slower = ratio(
        lambda: query.render(batch, SEGMENT),
        lambda: ",".join([f"(7, '{p['CustomID'].replace(q, qq)}', NOW())" for p in profiles]),
    )

    assert slower <= ALLOWED


def test_the_documented_remove_costs_at_most_two_and_a_half_times_a_join() -> None:
    profiles = [{"CustomID": f"A-{i:06d}"} for i in range(1000)]
    query = compiled(REMOVE, kind=QueryKind.REMOVE, key=("CustomID",))
    batch = rows(*profiles)
    q, qq = "'", "''"

    slower = ratio(
        lambda: query.render(batch, SEGMENT),
        lambda: ",".join([f"'{p['CustomID'].replace(q, qq)}'" for p in profiles]),
    )

    assert slower <= ALLOWED
