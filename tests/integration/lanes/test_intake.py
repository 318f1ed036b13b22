"""The beginning of the intake, as the router reads it: by the script, and by pages behind it (rule 3)."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from workers.lanes import intake
from workers.lanes.intake import FIRST, GREATEST, PAGE

if TYPE_CHECKING:
    from tests.integration.desk import Desk


def put(desk: Desk, fields: list[bytes], entry_id: str | bytes = "*") -> None:
    desk.redis.execute_command("XADD", desk.keys.events, entry_id, *fields)


def by_script(desk: Desk, most: int, budget: int, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    with monkeypatch.context() as patch:
        patch.setattr("workers.lanes.store.FIRST", most + 1)
        return desk.router()._lanes.read(most, budget).entries


@pytest.mark.parametrize("seed", range(6))
def test_pages_bring_what_the_script_would_have_brought(desk: Desk, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry's fields as they are, each as often as it stands there."""
    dice = Random(seed)
    for n in range(dice.choice([FIRST - 1, FIRST, FIRST + 1, 300, 900])):
        event = [b"event", b"%d" % n * dice.randint(1, 20)]
        put(desk, event if dice.random() < 0.9 else dice.choice([[b"mark", b"m"], [*event, b"x", b"y"], event * 2]))
    for most in (FIRST, FIRST + 1, 500, 10_000):
        assert desk.router()._lanes.read(most).entries == by_script(desk, most, 2**22, monkeypatch)


def test_a_budget_of_bytes_ends_the_pages_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(1_000):
        put(desk, [b"event", b"x" * 100])
    for budget in (12_000, 20_000, 60_000):
        wanted = by_script(desk, 10_000, budget, monkeypatch)
        assert len(wanted) <= len(desk.router()._lanes.read(10_000, budget).entries) <= budget // 100 + 1


def test_giants_behind_small_entries_are_not_all_taken(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page's length goes by what came before it: of its entries those are kept that fit."""
    for _ in range(FIRST):
        put(desk, [b"event", b"x"])
    for _ in range(PAGE):
        put(desk, [b"event", b"x" * 100_000])
    lanes = desk.router()._lanes
    read: list[int] = []
    execute: Any = lanes.redis.execute_command

    def counted(*given: object) -> object:
        answer = execute(*given)
        read.append(len(answer) if given[0] == b"XRANGE" else 0)
        return answer

    monkeypatch.setattr(lanes.redis, "execute_command", counted)
    assert len(lanes.read(10_000, 1_000_000).entries) == FIRST + 10
    assert sum(read) <= PAGE <= 64


def test_entries_that_are_small_come_in_few_calls(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = desk.redis.pipeline(transaction=False)
    for n in range(FIRST + 6 * PAGE - 1):
        pipe.xadd(desk.keys.events, {"event": str(n)})
    pipe.execute()
    lanes = desk.router()._lanes
    calls: list[object] = []
    execute: Any = lanes.redis.execute_command

    def counted(*given: object) -> object:
        calls.append(given[0])
        return execute(*given)

    monkeypatch.setattr(lanes.redis, "execute_command", counted)
    assert len(lanes.read(10_000).entries) == FIRST + 6 * PAGE - 1
    assert calls.count(b"XRANGE") == 6


def test_nothing_is_looked_for_behind_the_greatest_id(desk: Desk) -> None:
    """Redis refuses to look there."""
    for _ in range(FIRST - 1):
        put(desk, [b"event", b"x"])
    put(desk, [b"event", b"x"], GREATEST)
    assert len(desk.router()._lanes.read(10_000).entries) == FIRST
    assert desk.router()._lanes.read(10_000).entries[-1][0] == intake.GREATEST
