"""A segment in which somebody joins and somebody leaves all the time: neither waits until the other ends."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.integration.connectors.audiences.accounts import Account, on
from tests.integration.connectors.audiences.rig import people
from workers.connectors.audiences.platforms import PLATFORMS
from workers.connectors.audiences.records import BudgetWindow

if TYPE_CHECKING:
    import pytest

    from tests.fakes.server import FakePlatform
    from tests.integration.connectors.audiences.conftest import MakeRig

FEW = (BudgetWindow(3_600, 10),)
"""So few changes that somebody comes, and somebody leaves, between two of them."""


@on(long=("vk", "google"))
def test_who_leaves_and_who_joins_take_turns_however_busy_a_segment_is(
    account: Account, make_rig: MakeRig, fake: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of each every four minutes, for two hours; a change is free every seven and a half."""
    monkeypatch.setitem(PLATFORMS, account.platform, replace(PLATFORMS[account.platform], budget=FEW))
    fake.quotas = ((3_600, 10),)
    rig = make_rig(account.name, fake)
    rig.deliver(("add", people(range(60))))
    rig.run()
    fake.advance(7_200)
    for told in range(0, 60, 2):
        rig.deliver(("remove", people([told, told + 1])), ("add", people([60 + told, 61 + told])))
        rig.tend()
        fake.advance(250)
        fake.work()
    there = account.members(fake)
    assert not account.wanted(people(range(20))) & there, "who left long ago is there yet"
    assert account.wanted(people(range(60, 80))) <= there, "who joined long ago is missing"
    rig.run(hours=48)
    assert account.members(fake) == account.wanted(people(range(60, 120)))
    assert fake.refused_calls == 0
