"""What a login may still write: counted for all, a fifth kept for removals, and turns for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.connectors.audiences.budgets import RedisBudget
from workers.connectors.audiences.records import BudgetWindow

if TYPE_CHECKING:
    import redis


class Counter:
    """A budget with a clock, and every write that it gave."""

    def __init__(self, redis_client: redis.Redis, namespace: str, windows: tuple[BudgetWindow, ...]) -> None:
        self.now = 1_790_000_000_000
        self.given: list[int] = []
        self.budget = RedisBudget(redis_client, f"{namespace}:b", f"{namespace}:nothing", windows, lambda: self.now)

    def take(self, *, removes: bool = False) -> int:
        wait = self.budget.take(removes=removes)
        self.given += [] if wait else [self.now]
        return wait

    def most_in(self, seconds: int) -> int:
        return max(sum(at <= each < at + seconds * 1000 for each in self.given) for at in self.given)


def test_no_window_of_any_kind_holds_more_than_the_platform_allows(redis_client: redis.Redis, namespace: str) -> None:
    windows = (BudgetWindow(60, 10), BudgetWindow(300, 20))
    counter = Counter(redis_client, namespace, windows)
    while len(counter.given) < 45:
        counter.take(removes=True)
        counter.now += 2_000
    assert [counter.most_in(window.seconds) for window in windows] == [10, 20]


def test_a_fifth_is_kept_for_removals(redis_client: redis.Redis, namespace: str) -> None:
    counter = Counter(redis_client, namespace, (BudgetWindow(3600, 10),))
    given = [counter.take() for _ in range(12)]
    assert given.count(0) == 8
    assert [counter.take(removes=True) for _ in range(3)].count(0) == 2


def test_who_is_told_to_wait_waits_as_long_as_it_was_told(redis_client: redis.Redis, namespace: str) -> None:
    counter = Counter(redis_client, namespace, (BudgetWindow(60, 10),))
    counter.budget.block(90_000)
    assert counter.take() == counter.take(removes=True) == 90_000
    counter.now += 90_000
    assert counter.take() == 0
