"""All that a platform has is replaced: whom the store never heard of is gone, and nobody who is a member is missing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.fakes.facebook import FakeFacebook
from tests.fakes.google import FakeGoogle
from tests.fakes.server import Reply
from tests.fakes.vk import FakeVk
from tests.fakes.yandex import FakeYandex
from tests.integration.connectors.audiences.accounts import Account, ends_at_call, on, owes_nothing
from workers.connectors.audiences import rounds
from workers.connectors.audiences.rounds import OWNED_MS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.fakes.server import FakePlatform
    from tests.integration.connectors.audiences.rig import Profile, Rig

REPLACES = {"yandex": "modify_data", "facebook": "usersreplace", "vk": "POST /api/v3", "google": "removeAll"}
"""What is in the name of a call that makes the others go."""
STRANGERS = [{"id": "77", "email": "seven", "phone": "77"}, {"id": "78", "email": "eight", "phone": "78"}]


def people(numbers: Iterable[int]) -> list[Profile]:
    return [{"id": str(n), "email": f"p{n}@example.com", "phone": f"{1000 + n}"} for n in numbers]


def put(account: Account, fake: FakePlatform, profiles: Iterable[Profile]) -> None:
    """They are in the audience, and nobody here has ever heard of them."""
    for profile in profiles:
        values = account.wanted([profile])
        if isinstance(fake, FakeVk):
            for kind, value in values:
                fake.members("VIP", kind).add(value)
        elif isinstance(fake, FakeFacebook):
            (found,) = fake.audiences.values()
            found.put(frozenset(values), fake.now)
        else:
            assert isinstance(fake, FakeYandex | FakeGoogle)
            fake.members("VIP").update(values)


@pytest.fixture
def told(account: Account, rig: Rig, fake: FakePlatform) -> Rig:
    """Eight people are there, and two strangers."""
    rig.deliver(("add", people(range(8))))
    rig.run()
    put(account, fake, STRANGERS)
    fake.advance(3_600)
    return rig


def ends(account: Account, rig: Rig, fake: FakePlatform, profiles: list[Profile]) -> None:
    rig.run(hours=72)
    assert account.members(fake) == account.wanted(profiles)
    assert owes_nothing(rig)
    assert {(each.replaces, each.code) for each in rig.connector.standings()} == {("", "")}


@on()
def test_whom_nobody_knows_is_gone_and_all_members_are_there(account: Account, told: Rig, fake: FakePlatform) -> None:
    told.deliver(("remove", people([0])), ("add", people([9])))
    told.connector.resend("7")
    told.run(hours=48)
    assert account.members(fake) > account.wanted(people([*range(1, 8), 9])), "the strangers stay"
    assert told.connector.replace("7")[1] == set()
    ends(account, told, fake, people([*range(1, 8), 9]))


@pytest.mark.proof
@on()
def test_who_comes_and_goes_meanwhile_is_right(account: Account, told: Rig, fake: FakePlatform) -> None:
    def meanwhile() -> None:
        told.deliver(("remove", people([0, 1])), ("add", people([9, 10])))

    fake.before(REPLACES[account.name], meanwhile)
    told.connector.replace(None)
    ends(account, told, fake, people([*range(2, 8), 9, 10]))


@pytest.mark.proof
@on()
@pytest.mark.parametrize("applied", [True, False])
def test_an_answer_that_is_lost_costs_nobody(account: Account, told: Rig, fake: FakePlatform, applied: bool) -> None:
    told.connector.replace(None)
    fake.fail(REPLACES[account.name], Reply(cut=True), applied=applied)
    told.run(hours=0.2)
    told.deliver(("remove", people([0])), ("add", people([9])))
    told.run(hours=72)
    fake.advance(30 * 3_600)
    ends(account, told, fake, people([*range(1, 8), 9]))


class Killed(BaseException):
    """Nobody catches it."""


@pytest.mark.proof
@on()
@ends_at_call(1, 2)
def test_who_ends_in_it_begins_it_anew(
    account: Account, told: Rig, fake: FakePlatform, monkeypatch: pytest.MonkeyPatch, point: str, number: int
) -> None:
    reached: list[str] = []

    def reach(at: str) -> None:
        reached.append(at)
        if at == point and reached.count(at) == number:
            raise Killed

    monkeypatch.setattr(rounds, "reach", reach)
    told.connector.replace(None)
    try:
        told.run()
    except Killed:
        told.again()
    point = "none"
    told.deliver(("remove", people([0])), ("add", people([9])))
    fake.advance(OWNED_MS / 1000 + 1)
    told.run(hours=72)
    fake.advance(30 * 3_600)
    ends(account, told, fake, people([*range(1, 8), 9]))


@pytest.mark.proof
@on("yandex", "facebook", "google")
def test_a_platform_that_does_not_do_it_says_so_and_has_all_members(
    account: Account, told: Rig, fake: FakePlatform
) -> None:
    """Nobody else is taken out, and nothing else waits for it. VK has no call for it: another list takes the place."""
    told.connector.replace(None)
    fake.fail(REPLACES[account.name], Reply(400, {"error": {"code": 2650, "error_subcode": 1870144}}))
    told.run()
    told.deliver(("remove", people([0])), ("add", people([9])))
    told.run(hours=48)
    members = people([*range(1, 8), 9])
    assert account.members(fake) == account.wanted([*members, *STRANGERS])
    assert {(each.replaces, each.waits) for each in told.connector.standings()} == {("refused", "someone")}
    told.connector.replace(None)
    ends(account, told, fake, members)


@pytest.mark.proof
@on("google")
def test_members_that_google_leaves_out_of_a_part_are_not_taken_out_for_it(
    account: Account, told: Rig, fake: FakePlatform
) -> None:
    told.connector.replace(None)
    told.tend()
    fake.fails = ["half"] * 9
    told.run(hours=48)
    assert account.members(fake) == account.wanted([*people(range(8)), *STRANGERS])
    assert {each.replaces for each in told.connector.standings()} == {"refused"}


@on("vk")
def test_a_list_of_vk_is_replaced_where_campaigns_aim(account: Account, told: Rig, fake: FakePlatform) -> None:
    """The segment stays, and is never without a list; the list before goes with whoever is in it."""
    assert isinstance(fake, FakeVk)
    segments, lists = set(fake.segments), {each.id for each in fake.lists.values() if not each.base}
    told.connector.replace(None)
    ends(account, told, fake, people(range(8)))
    assert set(fake.segments) == segments
    assert not lists & set(fake.lists)


@pytest.mark.proof
@on("vk")
def test_where_too_few_are_left_for_a_new_list_the_old_one_goes_all_the_same(told: Rig, fake: FakePlatform) -> None:
    assert isinstance(fake, FakeVk)
    told.budget_is_used_up()
    told.connector.replace(None)
    told.tend()
    assert {(each.state, each.replaces) for each in told.connector.standings()} == {("new", "begun")}
    told.deliver(("remove", people(range(8))))
    told.run(hours=72)
    assert not [each for each in fake.lists.values() if not each.base and each.members]


@pytest.mark.proof
@on("facebook")
def test_a_session_that_takes_too_long_is_begun_anew(
    account: Account, told: Rig, fake: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Facebook ends one after 90 minutes, and takes no other change meanwhile."""
    monkeypatch.setattr(told.connector, "platform", replace(told.connector.platform, largest_call=3))
    told.connector.replace(None)
    fake.before("usersreplace", lambda: None)
    fake.before("usersreplace", lambda: fake.advance(90 * 60 + 1))
    ends(account, told, fake, people(range(8)))
    assert told.number("SELECT count(*) FROM ads_call WHERE action = 'replace' AND state = 'done'") == 4


@pytest.mark.proof
@on("facebook")
def test_a_session_that_goes_on_after_an_answer_was_lost_would_lack_a_part(
    account: Account, told: Rig, fake: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(told.connector, "platform", replace(told.connector.platform, largest_call=3))
    told.connector.replace(None)
    fake.fail("usersreplace", Reply(cut=True), applied=True)
    ends(account, told, fake, people(range(8)))


@pytest.mark.proof
@on("yandex")
def test_who_left_before_it_costs_no_call_of_their_own(account: Account, told: Rig, fake: FakePlatform) -> None:
    told.deliver(("remove", people([0])))
    told.connector.replace(None)
    before = told.number("SELECT max(id) FROM ads_call")
    ends(account, told, fake, people(range(1, 8)))
    assert [row.action for row in told.rows(f"SELECT action FROM ads_call WHERE id > {before}")] == ["replace"]


@pytest.mark.proof
@on("google")
def test_an_answer_without_a_date_stops_nothing(
    account: Account, told: Rig, fake: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can say then who was told before; calls go on, and a person is told."""
    monkeypatch.setattr(type(fake), "date", "")
    told.connector.replace(None)
    told.deliver(("remove", people([0])), ("add", people([9])))
    told.run(hours=48)
    assert account.members(fake) == account.wanted([*people([*range(1, 8), 9]), *STRANGERS])
    assert {(each.replaces, each.waits) for each in told.connector.standings()} == {("refused", "someone")}


def test_what_is_too_large_is_refused_and_nothing_is_begun(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.deliver(("add", people(range(100))))
    rig.run()
    monkeypatch.setattr(rig.connector, "platform", replace(rig.connector.platform, replace_most=199))
    assert rig.connector.replace(None) == (1, {"7"})
    assert rig.standing().replaces == ""
