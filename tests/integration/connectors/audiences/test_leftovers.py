"""What a call of which nobody heard leaves on a platform, and nothing leads to: it goes, with the people in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.server import Reply
from tests.fakes.vk import FakeVk
from tests.integration.connectors.audiences.accounts import Account, on
from tests.integration.connectors.audiences.rig import hashes, people

if TYPE_CHECKING:
    from tests.fakes.server import FakePlatform
    from tests.fakes.yandex import FakeYandex
    from tests.integration.connectors.audiences.rig import Rig

LOST = Reply(cut=True)


def test_an_upload_that_nobody_heard_of_goes_and_nobody_else_s(rig: Rig, yandex: FakeYandex) -> None:
    """It has no name, and so is known by its time; what others upload is made real within the hour."""
    rig.connector.way.wire.create(rig.connector, [])  # type: ignore[arg-type] # before our call: another one's
    yandex.advance(7_200)
    theirs = yandex.unconfirmed
    yandex.fail("upload_csv_file", LOST, applied=True)
    rig.deliver(("add", people(range(120))))
    rig.run(hours=0.5)
    assert yandex.members("VIP") == hashes(people(range(120)))
    assert len(yandex.unconfirmed) == 2
    rig.run(hours=2)
    yandex.advance(86_400)
    rig.run(hours=26)
    assert yandex.unconfirmed == theirs
    looks = len(yandex.writes())
    yandex.advance(86_400)
    rig.run(hours=26)
    assert len(yandex.writes()) == looks, "it is looked for once"
    assert yandex.members("VIP") == hashes(people(range(120)))


def test_an_upload_that_is_gone_before_it_is_real_is_begun_once_more(rig: Rig, yandex: FakeYandex) -> None:
    """Nobody could mend it: there is nothing to bring back, and nothing that a campaign aims at."""
    yandex.fail("confirm", Reply(503, {}))
    rig.deliver(("add", people(range(120))))
    rig.run(hours=0.02)
    assert rig.standing().state == "begun"
    yandex.segments.clear()
    rig.deliver(("remove", people(range(10))))
    rig.run(hours=2)
    assert yandex.members("VIP") == hashes(people(range(10, 120)))
    assert (rig.standing().waits, rig.standing().pending, rig.standing().owed) == ("", 0, 0)


def test_of_an_upload_that_is_gone_nobody_else_s_goes(rig: Rig, yandex: FakeYandex) -> None:
    """What others upload in the hours until it is known to be gone is not from its call, which took minutes at most."""
    yandex.fail("confirm", Reply(503, {}), times=99)
    rig.deliver(("add", people(range(120))))
    rig.run(hours=1)
    rig.connector.way.wire.create(rig.connector, [])  # type: ignore[arg-type] # another one's
    theirs = yandex.unconfirmed[-1:]
    rig.run(hours=2)
    yandex.heal()
    for each in [each for each in yandex.unconfirmed if each not in theirs]:
        del yandex.segments[each]
    rig.run(hours=48)
    assert yandex.members("VIP") == hashes(people(range(120)))
    assert yandex.unconfirmed == theirs


def test_a_call_took_no_longer_than_it_may_however_late_that_is_known(rig: Rig, yandex: FakeYandex) -> None:
    """All workers were away for hours: that is no time in which it may have uploaded anything."""
    yandex.fail("upload_csv_file", LOST, applied=True)
    rig.deliver(("add", people(range(120))))
    rig.tend()
    yandex.advance(3_600)
    rig.connector.way.wire.create(rig.connector, [])  # type: ignore[arg-type] # another one's
    theirs = yandex.unconfirmed[-1:]
    yandex.advance(3_600)
    rig.run(hours=48)
    assert yandex.members("VIP") == hashes(people(range(120)))
    assert yandex.unconfirmed == theirs


def test_uploads_that_are_gone_each_time_take_no_calls_from_others(rig: Rig, yandex: FakeYandex) -> None:
    """Four an hour with whoever is in the segment, and more than half of all that a login may change in a day."""
    yandex.fail("confirm", Reply(404, {"errors": [{"error_type": "not_found"}]}), times=999)
    rig.deliver(("add", people(range(120))))
    rig.run(hours=24)
    uploads = [path for _, path in yandex.calls if path.endswith("upload_csv_file")]
    assert len(uploads) <= 8
    assert len(yandex.writes()) <= 80
    assert rig.standing().waits == "someone"
    yandex.heal()
    rig.run(hours=4)
    assert yandex.members("VIP") == hashes(people(range(120)))


@on("vk")
def test_a_segment_that_was_made_twice_is_one_again(account: Account, rig: Rig, fake: FakePlatform) -> None:
    """VK lists it later than we look for it; the younger one goes."""
    assert isinstance(fake, FakeVk)
    fake.lag_ms = 1_500_000
    fake.fail("POST /api/v2/remarketing/segments.json", LOST, applied=True)
    rig.deliver(("add", people(range(4))))
    rig.run(hours=1)
    fake.advance(3_600)
    assert fake.twins, "it was made twice"
    first = min(fake.segments)
    rig.deliver(("add", people(range(4, 8))))
    rig.run(hours=2)
    assert (fake.twins, list(fake.segments)) == ([], [first])
    assert account.members(fake) == account.wanted(people(range(8)))


@pytest.mark.proof
@on("vk")
def test_a_segment_whose_answer_was_lost_is_looked_for_before_it_is_made_again(rig: Rig, fake: FakePlatform) -> None:
    assert isinstance(fake, FakeVk)
    fake.lag_ms = 500_000
    fake.fail("POST /api/v2/remarketing/segments.json", LOST, applied=True)
    rig.deliver(("add", people(range(4))))
    rig.run(hours=1)
    assert len(fake.segments) == 1


@pytest.mark.proof
@on("vk")
def test_a_list_that_was_made_twice_goes_with_its_people(account: Account, rig: Rig, fake: FakePlatform) -> None:
    assert isinstance(fake, FakeVk)
    fake.lag_ms = 1_500_000
    fake.fail("POST /api/v3", LOST, applied=True)
    rig.deliver(("add", people(range(4))))
    rig.run(hours=3)
    assert len([each for each in fake.lists.values() if not each.base]) == 2
    fake.advance(3_600)
    rig.deliver(("add", people(range(4, 8))))
    rig.run(hours=2)
    assert fake.twins == []
    assert account.members(fake) == account.wanted(people(range(8)))
