"""A process that ends around a call that is not written down: a name, an end, VK's segment, a token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.facebook import FakeFacebook
from tests.fakes.google import FakeGoogle
from tests.fakes.server import Reply
from tests.fakes.vk import FakeVk
from tests.fakes.yandex import FakeYandex
from tests.integration.connectors.audiences.accounts import ACCOUNTS, Account, owes_nothing
from tests.integration.connectors.audiences.rig import people
from workers import failpoints
from workers.connectors.audiences import logins, rounds, vk_segments
from workers.connectors.audiences.logins import RENEWING_MS
from workers.connectors.audiences.rounds import OWNED_MS
from workers.errors import TargetError

if TYPE_CHECKING:
    from tests.fakes.server import FakePlatform
    from tests.integration.connectors.audiences.conftest import MakeRig
    from tests.integration.connectors.audiences.rig import Rig


class Ended(BaseException):
    """Nobody catches it."""


@pytest.fixture
def point(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whoever reaches it first ends."""
    left = [str(request.param)]

    def reach(at: str) -> None:
        if at in left:
            left.remove(at)
            raise Ended

    for module in (rounds, vk_segments, logins):
        monkeypatch.setattr(module, "reach", reach)
    return left[0]


def ends_at(points: tuple[str, ...], *platforms: str, usual: str) -> pytest.MarkDecorator:
    """At each point on each platform; all but the last of them on the usual one in `make proof` alone."""
    cases = [
        pytest.param(name, point, id=f"{name}-{point}", marks=() if last else pytest.mark.long)
        for name in platforms or ACCOUNTS
        for point in points
        for last in [(name, point) == (usual, points[-1])]
    ]
    return pytest.mark.parametrize(("account", "point"), cases, indirect=True)


def another_goes_on(rig: Rig) -> None:
    """As long after it as nobody else touches what it was at."""
    rig.again()
    rig.fake.advance(max(OWNED_MS, RENEWING_MS) / 1000 + 1)


def names_on(fake: FakePlatform) -> list[str]:
    """All that the platform has of ours, by name."""
    if isinstance(fake, FakeYandex):
        return [each.name for each in fake.segments.values()]
    if isinstance(fake, FakeVk):
        lists = [each.name for each in fake.lists.values() if not each.base]
        return [*lists, *(str(each["name"]) for each in fake.segments.values())]
    if isinstance(fake, FakeGoogle):
        return [str(each.body["displayName"]) for each in fake.lists.values()]
    assert isinstance(fake, FakeFacebook)
    return [each.name for each in fake.audiences.values()]


@ends_at((failpoints.BEFORE_RENAME, failpoints.AFTER_RENAME), usual="vk")
@pytest.mark.usefixtures("point")
def test_a_name_is_told_in_the_end(account: Account, rig: Rig, fake: FakePlatform) -> None:
    rig.deliver(("add", people(range(4))))
    rig.run()
    rig.deliver(("add", people([4])), name="Gold")
    with pytest.raises(Ended):
        rig.run()
    another_goes_on(rig)
    rig.run(hours=48)
    assert account.members(fake, "Gold") == account.wanted(people(range(5)))
    assert all(each.startswith("Gold") for each in names_on(fake))


@ends_at((failpoints.AFTER_RENAME,), usual="google")
@pytest.mark.usefixtures("point")
def test_a_name_that_comes_back_is_told_though_nobody_heard_of_the_one_between(
    account: Account, rig: Rig, fake: FakePlatform
) -> None:
    rig.deliver(("add", people(range(4))))
    rig.run()
    rig.tell("segment_upsert", name="Gold")
    with pytest.raises(Ended):
        rig.run()
    assert all(each.startswith("Gold") for each in names_on(fake))
    rig.tell("segment_upsert")
    another_goes_on(rig)
    rig.run(hours=48)
    assert account.members(fake) == account.wanted(people(range(4)))


@ends_at((failpoints.AFTER_CALL,), "facebook", "vk", "google", usual="facebook")
@pytest.mark.usefixtures("point")
def test_what_was_created_under_another_name_gets_its_own(account: Account, rig: Rig, fake: FakePlatform) -> None:
    rig.deliver(("add", people(range(4))))
    with pytest.raises(Ended):
        rig.tend()
    rig.deliver(("add", people([4])), name="Gold")
    another_goes_on(rig)
    rig.run(hours=48)
    assert account.members(fake, "Gold") == account.wanted(people(range(5)))


def test_what_was_made_real_under_another_name_gets_its_own(account: Account, rig: Rig, yandex: FakeYandex) -> None:
    yandex.fail("confirm", Reply(cut=True), applied=True)
    rig.deliver(("add", people(range(120))))
    rig.tend()
    rig.deliver(("add", people([120])), name="Gold")
    rig.run(hours=24)
    assert account.members(yandex, "Gold") == account.wanted(people(range(121)))


@ends_at((failpoints.BEFORE_DELETE, failpoints.AFTER_DELETE), usual="yandex")
@pytest.mark.usefixtures("point")
def test_an_audience_whose_segment_is_gone_goes(account: Account, make_rig: MakeRig, fake: FakePlatform) -> None:
    """And one that the segment comes back with is another."""
    rig = make_rig(account.name, fake, on_delete={"buyers": "delete"})
    rig.deliver(("add", people(range(4))))
    rig.run()
    rig.tell("segment_delete")
    with pytest.raises(Ended):
        rig.run()
    rig.deliver(("add", people(range(2, 6))))
    another_goes_on(rig)
    rig.run(hours=72)
    assert account.members(fake) == account.wanted(people(range(2, 6)))
    assert owes_nothing(rig)
    assert len(names_on(fake)) == (2 if isinstance(fake, FakeVk) else 1)


@ends_at((failpoints.AFTER_CALL,), "yandex", usual="yandex")
@pytest.mark.usefixtures("point")
def test_what_was_begun_for_a_segment_that_is_gone_goes_too(make_rig: MakeRig, fake: FakePlatform) -> None:
    """An upload of which nobody heard: it has people in it, and nothing leads to it."""
    assert isinstance(fake, FakeYandex)
    rig = make_rig("yandex", fake, on_delete={"buyers": "delete"})
    rig.deliver(("add", people(range(4))))
    with pytest.raises(Ended):
        rig.tend()
    rig.tell("segment_delete")
    another_goes_on(rig)
    rig.run(hours=0.5)
    assert (rig.standing().state, len(fake.unconfirmed)) == ("deleted", 1)
    rig.run(hours=2)
    assert fake.segments == {}
    assert rig.tend() is None, "and then there is nothing to do"


@ends_at((failpoints.BEFORE_SEGMENT, failpoints.AFTER_SEGMENT), "vk", usual="vk")
@pytest.mark.usefixtures("point")
def test_a_list_has_one_segment(account: Account, rig: Rig, fake: FakePlatform) -> None:
    assert isinstance(fake, FakeVk)
    fake.lag_ms = 200_000
    rig.deliver(("add", people(range(4))))
    with pytest.raises(Ended):
        rig.run()
    another_goes_on(rig)
    rig.run(hours=4)
    assert (len(fake.segments), fake.twins) == (1, [])
    assert account.members(fake) == account.wanted(people(range(4)))


@ends_at((failpoints.BEFORE_RENEWAL, failpoints.AFTER_RENEWAL), "yandex", "vk", "google", usual="yandex")
def test_a_login_goes_on_or_a_person_is_asked(account: Account, rig: Rig, fake: FakePlatform, point: str) -> None:
    """Yandex gives another token for the next renewal with each: the one that died with its process is lost."""
    rig.deliver(("add", people(range(4))))
    rig.run()
    fake.expire_token()
    rig.deliver(("add", people([4, 5])))
    with pytest.raises(Ended):
        rig.run()
    another_goes_on(rig)
    if isinstance(fake, FakeYandex) and point == failpoints.AFTER_RENEWAL:
        with pytest.raises(TargetError, match="segsync connect ya"):
            rig.run(hours=48)
        tokens = rig.connector.way.tokens
        tokens.keep(rig.connector.way.consent.exchange("1234567"))
    rig.run(hours=48)
    assert account.members(fake) == account.wanted(people(range(6)))
    assert owes_nothing(rig)
