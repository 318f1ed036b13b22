"""Who has left and whom the platform did not take out: told again, not for ever in vain, and never forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.connectors.audiences.accounts import Account, changes, on
from workers.connectors.audiences.store.removals import MOST_IN_A_ROW

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.fakes.server import FakePlatform
    from tests.integration.connectors.audiences.conftest import MakeRig
    from tests.integration.connectors.audiences.rig import Profile, Rig


@pytest.fixture
def rig(make_rig: MakeRig, account: Account, fake: FakePlatform) -> Rig:
    """With eight members."""
    made = make_rig(account.name, fake)
    made.deliver(("add", people(range(8))))
    made.run()
    return made


def people(numbers: Iterable[int]) -> list[Profile]:
    return [{"id": str(n), "email": f"p{n}@example.com", "phone": f"{1000 + n}"} for n in numbers]


@on()
def test_a_removal_that_is_done_in_part_is_told_again(account: Account, rig: Rig, fake: FakePlatform) -> None:
    fake.fails = ["half", "half"]
    rig.deliver(("remove", people(range(4))))
    rig.run(hours=72, step_s=900)
    assert account.members(fake) == account.wanted(people(range(4, 8)))
    assert (rig.standing().waits, rig.standing().owed) == ("", 0)


@on(long=("vk", "google"))
def test_a_removal_that_is_never_done_is_tried_once_a_day_and_needs_someone(
    account: Account, rig: Rig, fake: FakePlatform
) -> None:
    fake.fails = ["half"] * 100
    before = changes(fake)
    rig.deliver(("remove", people(range(2))))
    rig.run(hours=72, step_s=900)
    told = [(each.waits, each.code) for each in rig.connector.standings()]
    assert {("someone", "ads still there")} == set(told)
    lists = len(told)
    assert changes(fake) - before <= lists * (MOST_IN_A_ROW + 3)
    fake.heal()
    rig.deliver(("add", people([1])))
    rig.run(hours=72, step_s=900)
    assert account.members(fake) == account.wanted(people(range(1, 8)))
    assert {each.waits for each in rig.connector.standings()} == {""}


@on("vk", "google")
def test_who_is_refused_by_name_when_taken_out_is_not_taken_for_gone(
    account: Account, rig: Rig, fake: FakePlatform
) -> None:
    fake.refuses = {value for _, value in account.wanted(people([0]))}
    rig.deliver(("remove", people(range(3))))
    rig.run(hours=72, step_s=900)
    assert account.members(fake) == account.wanted(people([0, *range(3, 8)]))
    assert {each.waits for each in rig.connector.standings()} == {"someone"}
    fake.refuses = set()
    assert rig.connector.resend(None) > 0
    rig.run(hours=72, step_s=900)
    assert account.members(fake) == account.wanted(people(range(3, 8)))
    assert {each.waits for each in rig.connector.standings()} == {""}
