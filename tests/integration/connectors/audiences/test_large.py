"""A large segment on each platform: some here, and a hundred thousand in `make proof`; and many segments at once."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.integration.connectors.audiences.accounts import ACCOUNTS, Account, on, owes_nothing
from tests.proof import draws
from workers.connectors.audiences.platforms import PLATFORMS
from workers.connectors.audiences.records import BudgetWindow

if TYPE_CHECKING:
    from tests.fakes.server import FakePlatform
    from tests.fakes.yandex import FakeYandex
    from tests.integration.connectors.audiences.conftest import MakeRig
    from tests.integration.connectors.audiences.rig import Profile, Rig

BATCH = 10_000
DAY = 86_400
CALLS = "SELECT count(*) FROM ads_call"


def people(numbers: range, mark: str = "") -> list[Profile]:
    return [{"id": str(n), "email": f"p{n}{mark}@example.com", "phone": f"7999{n:07}"} for n in numbers]


def tell(rig: Rig, kind: str, numbers: range, mark: str = "") -> None:
    for first in range(numbers.start, numbers.stop, BATCH):
        rig.deliver((kind, people(range(first, min(numbers.stop, first + BATCH)), mark)))


@pytest.mark.proof
@pytest.mark.parametrize("name", ACCOUNTS)
def test_a_large_segment_changes_within_the_budget(make_rig: MakeRig, name: str) -> None:
    """All come, a tenth leaves, a hundredth changes its address; the platform refuses nothing for its quotas.

    What it took is printed (`pytest -rP`); of a process's time the fake's work and the test's own are a part.
    """
    account = ACCOUNTS[name]
    fake = account.fake(1)
    rig = make_rig(name, fake)
    size = draws(2_500 if name == "vk" else 400, 100_000)
    began, worked = fake.now, time.process_time()
    tell(rig, "add", range(size))
    rig.run(hours=48, step_s=600)
    assert account.members(fake) == account.wanted(people(range(size)))
    came, writes = (fake.written[-1] - began) / 3_600_000, rig.number(CALLS)
    began = fake.now
    tell(rig, "remove", range(size // 10))
    changed = range(size // 2, size // 2 + size // 100)
    tell(rig, "add", changed, " new")
    rig.run(hours=72, step_s=600)
    stayed = [each for each in people(range(size // 10, size)) if int(each["id"]) not in changed]
    assert account.members(fake) == account.wanted([*stayed, *people(changed, " new")])
    assert not [each for each in rig.connector.standings() if each.code or each.owed or each.pending]
    assert fake.refused_calls == 0
    changed_in = (fake.written[-1] - began) / 3_600_000
    print(  # noqa: T201 - what was measured
        f"{name}: {size} people in {writes} calls and {came:.1f} h of its clock, the change in "
        f"{rig.number(CALLS) - writes} calls and {changed_in:.1f} h; {time.process_time() - worked:.0f} s of processor"
    )
    fake.close()


@pytest.mark.proof
@on(long=("google", "facebook"))
def test_many_segments_share_the_budget_of_a_login_and_all_are_right(
    make_rig: MakeRig, account: Account, fake: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In `make proof` 300 segments on 500 writes a day: removals first, and nobody twice while another waits."""
    count = draws(6, 300)
    writes = count * 5 // 3
    account.shrink(monkeypatch, largest_call=1_000, budget=(BudgetWindow(DAY, writes),))
    fake.quotas = ((DAY, writes),)
    rig = make_rig(account.name, fake)
    segments = [str(number) for number in range(count)]
    for segment in segments:
        rig.deliver(("add", mails(range(4))), segment=segment, name=f"S{segment}")
    rig.run(hours=72, step_s=600)
    assert wrong(account, fake, segments, mails(range(4))) == []

    rig.budget_is_used_up()
    before = rig.number("SELECT max(id) FROM ads_call")
    for segment in segments:
        rig.deliver(("add", mails(range(4, 7))), ("remove", mails(range(2))), segment=segment, name=f"S{segment}")
    rig.tend()
    made = f"SELECT audience, action FROM ads_call WHERE id > {before} ORDER BY id"
    assert [row.action for row in rig.rows(made)] == ["remove"] * (writes // 5), (
        "what is kept for those who leave, and no more"
    )
    rig.run(hours=24 * 6, step_s=600)
    assert wrong(account, fake, segments, mails(range(2, 7))) == []
    turns = [(row.audience, row.action) for row in rig.rows(made)]
    assert set(Counter(turns).values()) == {1}, "an addition and a removal each"
    # Where a row stands for a person, who is told again follows within the same turn.
    if not PLATFORMS[account.platform].whole_rows:
        assert len({audience for audience, _ in turns[:count]}) == count, "all had one turn before anybody had two"
    assert not [each for each in rig.connector.standings() if each.code or each.owed or each.pending]
    assert fake.refused_calls == 0


MOST_CALLS = {"yandex": 3, "facebook": 4, "vk": 3, "google": 4}
"""For one segment that begins, takes some in and lets some go; Facebook's and Google's begin empty."""


@pytest.mark.proof
@on()
def test_many_segments_end_within_a_platform_s_own_budget(
    make_rig: MakeRig, account: Account, fake: FakePlatform
) -> None:
    """In `make proof` 300 segments of one login on each platform's own numbers, from the first call to the last.

    How long it took by the platform's clock is printed (`pytest -rP`).
    """
    count = draws(2, 300)
    rig = make_rig(account.name, fake)
    began = fake.now
    segments = [str(number) for number in range(count)]
    for segment in segments:
        rig.deliver(("add", mails(range(4))), segment=segment, name=f"S{segment}")
    until_told(rig)
    assert wrong(account, fake, segments, mails(range(4))) == []
    came, calls = (fake.written[-1] - began) / 3_600_000, rig.number(CALLS)
    changed = fake.now
    for segment in segments:
        rig.deliver(("add", mails(range(4, 7))), ("remove", mails(range(2))), segment=segment, name=f"S{segment}")
    until_told(rig)
    assert wrong(account, fake, segments, mails(range(2, 7))) == []
    assert not [each for each in rig.connector.standings() if each.code or each.owed or each.pending]
    assert fake.refused_calls == 0
    print(  # noqa: T201 - what was measured
        f"{account.name}: {count} segments in {calls} calls and {came:.1f} h of its clock, their change in "
        f"{rig.number(CALLS) - calls} calls and {(fake.written[-1] - changed) / 3_600_000:.1f} h"
    )
    each = Counter(row.audience for row in rig.rows("SELECT audience FROM ads_call"))
    assert max(each.values()) <= MOST_CALLS[account.name]


def until_told(rig: Rig) -> None:
    """Two weeks at most. In half hours: each look at hundreds that wait for the budget is a look at all of them."""
    for _ in range(14 * 4):
        rig.run(hours=6, step_s=1_800)
        if owes_nothing(rig):
            return


def test_slow_jobs_of_many_segments_cost_few_looks(rig: Rig, yandex: FakeYandex) -> None:
    """Yandex answers with all segments at once, and 5,000 times a day: one answer does for all that wait."""
    count = 3
    for segment in range(count):
        rig.deliver(("add", mails(range(100))), segment=str(segment), name=f"S{segment}")
        rig.tend()
        yandex.advance(70)
    before = len(yandex.looked)
    rig.run(hours=4, work=False)
    looks = len(yandex.looked) - before
    assert len(rig.rows("SELECT id FROM ads_call WHERE state = 'pending'")) == count
    assert looks < 24, "twelve for each segment alone"
    yandex.work()
    rig.run(hours=2)
    assert wrong(ACCOUNTS["yandex"], yandex, [str(each) for each in range(count)], mails(range(100))) == []


@pytest.mark.parametrize(
    "account", ["vk", *(pytest.param(name, marks=pytest.mark.long) for name in ("yandex", "google"))], indirect=True
)
def test_looks_grow_with_the_segments_and_not_with_their_square(
    make_rig: MakeRig, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an hour in which all calls are on their way, and in that in which all are done; lists have many pages."""
    monkeypatch.setattr("workers.connectors.audiences.vk.PAGE", 2)
    counted = []
    for count in (4, 8):
        fake = account.fake(0)
        rig = make_rig(account.name, fake)
        for segment in range(count):
            rig.deliver(("add", mails(range(4))), segment=str(segment), name=f"S{segment}")
        rig.run(hours=4, step_s=300, work=False)
        assert len(rig.rows("SELECT id FROM ads_call WHERE state = 'pending'")) == count
        waiting = looks_in_an_hour(rig, work=False)
        counted.append((waiting, looks_in_an_hour(rig, work=True)))
        assert owes_nothing(rig)
        fake.close()
    assert all(more <= 2 * few + 2 for few, more in zip(*counted, strict=True)), counted


def looks_in_an_hour(rig: Rig, *, work: bool) -> int:
    before = [method for method, _ in rig.fake.calls].count("GET")
    rig.run(hours=1, step_s=300, work=work)
    return [method for method, _ in rig.fake.calls].count("GET") - before


@pytest.mark.proof
@on("yandex", "vk")
def test_looks_that_are_used_up_stop_nothing_else(
    make_rig: MakeRig, account: Account, fake: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They wait until the platform allows them, and it is asked for none beyond."""
    account.shrink(monkeypatch, looks=(BudgetWindow(3_600, 3),))
    fake.look_quotas = ((3_600, 3),)
    rig = make_rig(account.name, fake)
    rig.deliver(("add", mails(range(4))))
    rig.run(hours=12, work=False)
    fake.work()
    fake.work()
    rig.run(hours=12)
    rig.deliver(("remove", mails(range(2))))
    rig.run(hours=30)
    assert account.members(fake) == account.wanted(mails(range(2, 4)))
    assert fake.refused_calls == 0
    assert rig.standing().code == ""


class NoLooks:
    """A budget of looks that is used up for an hour."""

    def take(self, *, removes: bool = False) -> int:  # noqa: ARG002 - the protocol's
        return 3_600_000

    def block(self, wait_ms: int) -> None:
        """Nothing."""


@on("vk", "google")
def test_a_look_that_is_not_allowed_now_keeps_nobody_from_leaving(
    rig: Rig, fake: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.deliver(("add", mails(range(4))))
    rig.run()
    monkeypatch.setattr(rig.connector.way.http, "_looks", NoLooks())
    fake.advance(3_600)
    rig.deliver(("add", mails(range(4, 6))))
    rig.tend()
    fake.advance(2_000)
    rig.deliver(("remove", mails(range(2))))
    rig.tend()
    states = {row.action: row.state for row in rig.rows("SELECT action, state FROM ads_call ORDER BY id")}
    assert (states["add"], states["remove"]) == ("pending", "pending")


@on("vk", "google")
def test_a_look_that_the_platform_refuses_for_its_limit_keeps_nobody_from_leaving(
    account: Account, rig: Rig, fake: FakePlatform
) -> None:
    """By its own count, or since others use the login, too; it counts looks and changes apart."""
    rig.deliver(("add", mails(range(4))))
    rig.run()
    fake.advance(3_600)
    rig.deliver(("add", mails(range(4, 6))))
    rig.tend()
    fake.advance(2_000)
    fake.fail("GET", account.too_many, times=2)
    rig.deliver(("remove", mails(range(2))))
    rig.tend()
    states = {row.action: row.state for row in rig.rows("SELECT action, state FROM ads_call ORDER BY id")}
    assert (states["add"], states["remove"]) == ("pending", "pending")
    assert (rig.connector.budget.left_in(), rig.standing().code) == (0, "")
    fake.heal()
    rig.run()
    assert account.members(fake) == account.wanted(mails(range(2, 6)))


@pytest.mark.proof
def test_yandex_s_own_windows_and_late_jobs_let_many_segments_be_right(rig: Rig, yandex: FakeYandex) -> None:
    """By the minute, the hour and the day; each job takes six hours. All that is asked for is asked for in time."""
    segments = [str(number) for number in range(draws(6, 100))]
    for segment in segments:
        rig.deliver(("add", mails(range(100))), segment=segment, name=f"S{segment}")
    for _ in range(8):
        rig.run(hours=6, step_s=600, work=False)
        yandex.work()
    for segment in segments:
        rig.deliver(("add", mails(range(100, 103))), ("remove", mails(range(2))), segment=segment, name=f"S{segment}")
    for _ in range(16):
        rig.run(hours=6, step_s=600, work=False)
        yandex.work()
    assert wrong(ACCOUNTS["yandex"], yandex, segments, mails(range(2, 103))) == []
    assert yandex.refused_calls == 0


def mails(numbers: range) -> list[Profile]:
    return [{"id": str(n), "email": f"p{n}@example.com"} for n in numbers]


def wrong(account: Account, fake: FakePlatform, segments: list[str], profiles: list[Profile]) -> list[str]:
    wanted = account.wanted(profiles)
    return [each for each in segments if account.members(fake, f"S{each}") != wanted]


def test_the_real_numbers_are_what_the_fakes_allow() -> None:
    """A budget that is counted beyond what a platform gives would be refused there, again and again."""
    for account in ACCOUNTS.values():
        fake = account.fake(0)
        counted = tuple((each.seconds, each.writes) for each in PLATFORMS[account.platform].budget)
        assert counted == fake.quotas
        looks = dict(fake.look_quotas)
        assert all(each.writes <= looks[each.seconds] for each in PLATFORMS[account.platform].looks)
        fake.close()
