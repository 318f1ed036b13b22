"""What a login may still write: counted for all, a fifth kept for removals, and turns for each."""

from __future__ import annotations

import collections
from dataclasses import replace
from email.utils import formatdate
from typing import TYPE_CHECKING

from tests.fakes.server import Reply
from tests.integration.connectors.audiences.accounts import ACCOUNTS, Account, on
from tests.integration.connectors.audiences.rig import hashes, people
from workers.connectors.audiences import rounds
from workers.connectors.audiences.budgets import RedisBudget
from workers.connectors.audiences.platforms import PLATFORMS
from workers.connectors.audiences.records import BudgetWindow

if TYPE_CHECKING:
    import pytest
    import redis

    from tests.fakes.server import FakePlatform
    from tests.integration.connectors.audiences.rig import Rig


class Counter:
    """A budget with a clock, and every write that it gave."""

    def __init__(self, redis_client: redis.Redis, namespace: str, windows: tuple[BudgetWindow, ...]) -> None:
        self.now = 1_790_000_000_000
        self.given: list[int] = []
        self.budget = RedisBudget(redis_client, f"{namespace}:b", f"{namespace}:nothing", windows, lambda: self.now)

    def take(self, *, removes: bool = False, ahead: int = 0) -> int:
        wait = self.budget.take(removes=removes, ahead=ahead)
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


def test_who_stands_in_line_is_told_when_its_own_turn_comes(redis_client: redis.Redis, namespace: str) -> None:
    """All at the same moment, in which one call comes free, would ask again at each such moment."""
    windows = (BudgetWindow(60, 10), BudgetWindow(600, 30))
    counter = Counter(redis_client, namespace, windows)
    due = dict.fromkeys(range(100), counter.now)
    asked = 0
    while due:
        counter.now = max(counter.now, min(due.values()))
        refused = 0
        for each in [one for one, at in due.items() if at <= counter.now]:
            asked += 1
            wait = counter.take(ahead=refused)
            if wait:
                refused += 1
                due[each] = counter.now + wait
            else:
                del due[each]
    assert len(counter.given) == 100
    assert counter.given[-1] - counter.given[0] <= 4 * 660_000, "no call that was free was left unused for long"
    assert asked <= 400
    assert [counter.most_in(window.seconds) for window in windows] == [8, 24]


def test_who_waits_behind_others_takes_what_is_free_now(redis_client: redis.Redis, namespace: str) -> None:
    counter = Counter(redis_client, namespace, (BudgetWindow(3_600, 10),))
    assert [counter.take(ahead=9) for _ in range(8)] == [0] * 8
    first = counter.take()
    assert counter.take(ahead=3) >= counter.take() == first > 0
    assert counter.take(removes=True, ahead=9) == 0
    waits = [counter.take(ahead=ahead) for ahead in range(0, 300, 8)]
    assert waits == sorted(waits)
    assert waits[1] > 3_600_000
    assert waits[-1] == 86_400_000, "nobody waits for longer than a day"
    counter.now += first
    assert counter.take(ahead=300) == 0


def test_who_leaves_waits_in_no_line_of_those_who_join(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left at all; what comes free next is theirs, however many additions stand before."""
    windows = (BudgetWindow(3_600, 10),)
    monkeypatch.setattr(rig.connector, "platform", replace(PLATFORMS["yandex-audiences"], budget=windows))
    monkeypatch.setattr(rig.connector.budget, "_windows", windows)
    rig.deliver(("add", people(range(120))))
    rig.run()
    rig.fake.advance(7_200)
    while not rig.connector.budget.take(removes=True):
        pass
    monkeypatch.setattr(rounds, "Counter", {bool: lambda: collections.Counter({False: 100})})
    rig.deliver(("remove", people(range(2))), ("add", people(range(120, 123))))
    rig.tend()
    assert rig.standing().waits == "budget"
    assert (rig.standing().due_ms or 0) - rig.fake.now <= 3_780_000 < rig.connector.budget.take(ahead=100)
    rig.run(hours=30)
    assert ACCOUNTS["yandex"].members(rig.fake) == hashes(people(range(2, 123)))


def test_who_is_told_to_wait_for_less_by_a_call_that_was_on_its_way_waits_on(
    redis_client: redis.Redis, namespace: str
) -> None:
    """Two calls of one login are answered at once: the day's are used up, and the hour's."""
    counter = Counter(redis_client, namespace, (BudgetWindow(60, 10),))
    counter.budget.block(86_400_000)
    counter.budget.block(60_000)
    assert counter.take() == 86_400_000
    counter.now += 86_400_000
    counter.budget.block(60_000)
    assert counter.take() == 60_000


@on()
def test_until_when_a_platform_wants_to_be_left_alone_may_be_a_date(
    account: Account, rig: Rig, fake: FakePlatform
) -> None:
    rig.deliver(("add", people(range(3))))
    rig.run()
    fake.advance(90_000)
    calls = {"yandex": "modify_data", "facebook": "/users", "vk": "users_lists.json", "google": "ingest"}
    until = formatdate(fake.now / 1000 + 5_000, usegmt=True)
    fake.fail(calls[account.name], Reply(429, {}, {"Retry-After": until}))
    rig.deliver(("add", people([3, 4])))
    rig.tend()
    assert rig.standing().waits == "budget"
    assert 4_999_000 <= (rig.standing().due_ms or 0) - fake.now <= 5_000_000
    assert 4_999_000 <= rig.connector.budget.left_in() <= 5_000_000
    rig.run()
    assert account.members(fake) == account.wanted(people(range(5)))
