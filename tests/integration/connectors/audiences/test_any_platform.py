"""What must hold on each platform, whatever it is like: one test for all four fakes."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.fakes.facebook import FakeFacebook
from tests.fakes.server import HTML, Reply
from tests.fakes.vk import FakeVk
from tests.integration.connectors.audiences.accounts import Account, changes, ends_at_call, on, owes_nothing
from workers.connectors.audiences import rounds
from workers.connectors.audiences.platforms import PLATFORMS
from workers.connectors.audiences.records import Platform
from workers.connectors.audiences.rounds import OWNED_MS
from workers.connectors.audiences.store.audiences import begin_anew
from workers.errors import ErrorClass, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.fakes.server import FakePlatform
    from tests.integration.connectors.audiences.conftest import MakeRig
    from tests.integration.connectors.audiences.rig import Profile, Rig

LATE = ["yandex", "vk", "google"]
"""Those that apply a call some time after its answer."""
CHANGE = {"yandex": "modify_data", "facebook": "/users", "vk": "POST /api/v3", "google": "ingest"}
"""What is in the name of a call that adds."""
LONG_GOOGLE, LONG_FACEBOOK = (pytest.param(name, marks=pytest.mark.long) for name in ("google", "facebook"))
DAY_S = 86_400
WHOLE = ["facebook", "google"]
"""Those that are told of a person in one row."""


def people(numbers: Iterable[int]) -> list[Profile]:
    return [{"id": str(n), "email": f"p{n}@example.com", "phone": f"{1000 + n}"} for n in numbers]


@on(*LATE)
def test_a_call_that_was_not_heard_of_may_be_applied_after_the_next(
    account: Account, rig: Rig, fake: FakePlatform
) -> None:
    """It adds somebody who has left meanwhile; a day later nothing of it can arrive, and the removal is told again."""
    rig.deliver(("add", people(range(4))))
    rig.run()
    times = len(rig.connector.standings())
    fake.fail(CHANGE[account.name], Reply(cut=True), applied=True, times=times)
    fake.advance(3_600)
    rig.deliver(("add", people([4, 5])))
    rig.tend()
    rig.deliver(("remove", people([4, 5])))
    rig.run(hours=0.6, work=False)
    fake.last_first = True
    rig.run(hours=6)
    assert account.members(fake) == account.wanted(people(range(6))), "it was undone"
    rig.run(hours=24)
    rig.fake.advance(24 * 3600)
    rig.run(hours=24)
    assert account.members(fake) == account.wanted(people(range(4)))
    assert owes_nothing(rig)


@on(*WHOLE)
def test_what_is_over_a_call_s_limit_goes_along_in_no_row(
    account: Account, rig: Rig, fake: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would stay there, and nobody would know of it, if its holder left before it is told of itself."""
    rig.deliver(("add", people([9])))
    rig.run()
    monkeypatch.setattr(rig.connector, "platform", replace(PLATFORMS[account.platform], largest_call=3))
    monkeypatch.setattr(Platform, "fills_a_call", lambda *_: 3)
    pair = people([1, 2])
    rig.deliver(("add", pair))

    def leave() -> None:
        rig.deliver(("remove", pair))

    fake.before(CHANGE[account.name], leave)
    rig.run(hours=48)
    assert account.members(fake) == account.wanted(people([9]))


@on(*WHOLE)
def test_a_call_is_full_of_people_whatever_each_is_found_by(account: Account, rig: Rig, fake: FakePlatform) -> None:
    rig.deliver(("add", people([9])))
    rig.run()
    before = changes(fake)
    rig.deliver(("add", people(range(10, 1_010))))
    rig.run()
    assert changes(fake) - before == 1
    assert account.members(fake) == account.wanted(people([9, *range(10, 1_010)]))


@on(*WHOLE)
def test_a_call_has_no_more_rows_than_it_may_however_many_share_an_address(
    account: Account, rig: Rig, fake: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rig.connector, "platform", replace(PLATFORMS[account.platform], largest_call=4))
    monkeypatch.setattr("tests.fakes.google.MOST", 4)
    monkeypatch.setattr("tests.fakes.facebook.MOST", 4)
    household = [{"id": f"h{n}", "email": "all of us", "phone": f"{n % 3 + 1}"} for n in range(11)]
    rig.deliver(("add", household))
    rig.run(hours=48)
    assert account.members(fake) == account.wanted(household)
    assert not rig.standing().code


@on()
def test_a_page_in_place_of_an_answer_may_hide_a_call_that_was_done(
    account: Account, rig: Rig, fake: FakePlatform
) -> None:
    rig.deliver(("add", people(range(4))))
    rig.run()
    fake.advance(3_600)
    rig.deliver(("add", people([4, 5])))
    fake.fail(CHANGE[account.name], HTML, applied=True, times=len(rig.connector.standings()))
    rig.tend()
    rig.deliver(("remove", people([4, 5])))
    rig.run(hours=48)
    assert account.members(fake) == account.wanted(people(range(4)))


class Killed(BaseException):
    """Nobody catches it."""


@on()
@ends_at_call(1, 3)
def test_who_ends_around_a_call_leaves_nothing_behind(
    account: Account, rig: Rig, fake: FakePlatform, monkeypatch: pytest.MonkeyPatch, point: str, number: int
) -> None:
    """The first call begins the audience, the third changes it, or one of the next ones does."""
    reached: Counter[str] = Counter()

    def reach(at: str) -> None:
        reached[at] += 1
        if at == point and reached[at] == number:
            raise Killed

    monkeypatch.setattr(rounds, "reach", reach)

    def lived() -> None:
        rig.deliver(("add", people(range(4))))
        rig.run()
        rig.deliver(("remove", people([0, 1])), ("add", people([4, 5])))
        rig.run()

    with pytest.raises(Killed):
        lived()
    written = changes(fake)
    rig.again()
    rig.deliver(("remove", people(range(2))), ("add", people(range(2, 7))))
    rig.tend()
    kinds = len({row[0] for row in rig.rows("SELECT list FROM ads_audience")})
    assert changes(fake) <= written + kinds - 1, "it may arrive yet"
    fake.advance(OWNED_MS / 1000 + 1)
    rig.run(hours=72)
    assert account.members(fake) == account.wanted(people(range(2, 7)))
    assert owes_nothing(rig)


@on("yandex", "vk", "google")
def test_a_token_is_renewed_once_however_many_find_it_refused(rig: Rig, fake: FakePlatform) -> None:
    rig.connector.way.wire.account()
    keepers = [rig.again().way.tokens for _ in range(4)]
    refused, got = keepers[0].token(), []
    renewals = len([path for _, path in fake.calls if "token" in path])

    def renew(number: int) -> None:
        try:
            got.append(keepers[number].renew(refused))
        except TargetError as error:
            got.append(error.error_class.value)

    threads = [threading.Thread(target=renew, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rig.again().way.tokens.renew(refused) == keepers[3].token(), "who comes later takes what there is"
    assert len([path for _, path in fake.calls if "token" in path]) == renewals + 1
    assert set(got) <= {keepers[3].token(), ErrorClass.RETRY.value}


@on("vk")
def test_a_few_who_would_be_forgotten_are_told_again(account: Account, rig: Rig, fake: FakePlatform) -> None:
    """They are too few for a call, and wait for a day for more."""
    rig.deliver(("add", people(range(4))))
    rig.run()
    fake.advance(86_400)
    rig.deliver(("add", [{"id": "5", "email": "five"}]))
    rig.run(hours=48)
    fake.advance(47.5 * 86_400)
    before = len(fake.writes())
    rig.run(hours=72)
    assert len(fake.writes()) > before
    assert account.members(fake) == account.wanted([*people(range(4)), {"id": "5", "email": "five"}])
    assert owes_nothing(rig)


@on("vk", "google", "facebook")
def test_members_are_told_again_before_the_platform_forgets_them_and_no_sooner(
    account: Account, rig: Rig, fake: FakePlatform
) -> None:
    """Google forgets a member, Facebook by which of our ids a row is found, VK the whole list."""
    days = PLATFORMS[account.platform].members_expire
    rig.deliver(("add", people(range(4))))
    rig.run()
    told = changes(fake)
    for share, more in ((0.7, 0), (0.2, 1), (0.2, 1)):
        fake.advance(share * days * DAY_S)
        rig.run(hours=2)
        assert changes(fake) == told + more * len(rig.connector.standings())
        assert account.members(fake) == account.wanted(people(range(4)))
    assert owes_nothing(rig)
    fake.advance(1.01 * days * DAY_S)
    assert account.members(fake) < account.wanted(people(range(4))), "nobody has told them again"


@pytest.mark.parametrize("account", ["vk", LONG_GOOGLE, LONG_FACEBOOK], indirect=True)
def test_an_audience_that_is_in_use_is_emptied_and_goes_when_it_may(
    make_rig: MakeRig, account: Account, fake: FakePlatform
) -> None:
    """On VK another program's segment leads to the list; which code the others have for it no document says."""
    rig = make_rig(account.name, fake, on_delete={"buyers": "delete"})
    rig.deliver(("add", [{"id": str(n), "email": f"p{n}"} for n in range(4)]))
    rig.run()
    remote = rig.standing().remote
    fake.in_use = {remote}
    if isinstance(fake, FakeVk):
        theirs = {"id": 1, "object_type": "remarketing_users_list", "params": {"source_id": int(remote)}}
        fake.segments[1] = {"id": 1, "name": "theirs", "relations": [theirs]}
        fake._made[1] = 0
    rig.tell("segment_delete")
    rig.run(hours=2)
    assert (rig.standing().waits, account.members(fake)) == ("someone", set())
    assert rig.standing().reason == ("the list is in use" if account.name == "vk" else "the platform refuses the call")
    fake.in_use = set()
    if isinstance(fake, FakeVk):
        del fake.segments[1]
    fake.advance(3_600)
    rig.run(hours=2)
    assert rig.standing().state == "deleted"
    left = fake.audiences if isinstance(fake, FakeFacebook) else fake.lists  # type: ignore[attr-defined]
    assert remote not in map(str, left)


DELETION = {"yandex": "DELETE /v1", "facebook": "DELETE /2", "vk": "DELETE /api/v3", "google": "DELETE /v1"}


@on()
def test_a_deletion_that_was_not_answered_is_asked_for_again_before_anything_is_told(
    account: Account, make_rig: MakeRig, fake: FakePlatform
) -> None:
    """It was done: whatever else is asked of the audience meanwhile is told that there is none, or no right to it."""
    rig = make_rig(account.name, fake, on_delete={"buyers": "delete"})
    rig.deliver(("add", [{"id": str(n), "email": f"p{n}"} for n in range(4)]))
    rig.run()
    fake.advance(3_600)
    rig.deliver(("add", [{"id": str(n), "email": f"p{n}"} for n in range(4, 6)]))
    rig.tend()
    fake.fail(DELETION[account.name], Reply(cut=True), applied=True)
    if isinstance(fake, FakeVk):
        fake.forgets_changes = True
    rig.tell("segment_delete")
    waits = set()
    for minute in range(60):
        rig.tend()
        waits |= {each.waits for each in rig.connector.standings()}
        fake.advance(60)
        if minute == 30:
            fake.work()
    assert {each.state for each in rig.connector.standings()} == {"deleted"}
    assert fake.faults_left == 0
    assert "someone" not in waits


@on()
def test_one_who_leaves_is_gone_within_a_day_and_a_half_however_few_the_platform_takes(
    account: Account, rig: Rig, fake: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VK takes no change of less than 25; the others take any. None says that somebody is needed."""
    if isinstance(fake, FakeVk):
        fake.later = 25
        monkeypatch.setattr("workers.connectors.audiences.vk.FEWEST", 25)
        monkeypatch.setattr(rig.connector, "platform", replace(PLATFORMS[account.platform], later_rows=25))
    rig.deliver(("add", people(range(4))))
    rig.run()
    rig.deliver(("remove", people([0])))
    waited = []
    for _ in range(18):
        rig.run(hours=2)
        waited.append(rig.standing().waits)
        fake.advance(7_200)
    assert account.members(fake) == account.wanted(people(range(1, 4)))
    assert "someone" not in waited
    assert any(each.startswith("data (1 of 25)") for each in waited) == isinstance(fake, FakeVk)


@on("vk")
def test_what_came_to_nothing_takes_no_time_from_what_comes_next(
    account: Account, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who leaves two days later waits for others a whole day, and is not told at once for the sake of that."""
    monkeypatch.setattr(rig.connector, "platform", replace(PLATFORMS[account.platform], later_rows=25))
    rig.deliver(("add", people(range(4))))
    rig.run()
    rig.deliver(("add", people([9])))
    rig.tend()
    rig.deliver(("remove", people([9])))
    rig.run(hours=2)
    rig.fake.advance(48 * 3_600)
    rig.deliver(("remove", people([0])))
    rig.tend()
    assert {each.waits for each in rig.connector.standings()} == {"data (1 of 25)"}


@on("yandex", "vk")
def test_too_few_to_begin_with_is_no_error(account: Account, rig: Rig, fake: FakePlatform) -> None:
    rig.deliver(("add", [{"id": "1", "email": "a"}]))
    rig.run()
    assert (rig.standing().waits, rig.standing().code, changes(fake)) == ("data (1 of 2)", "", 0)
    rig.deliver(("add", people([2])))
    rig.run()
    assert account.members(fake) >= account.wanted([{"id": "1", "email": "a"}])


@on("vk", "google")
def test_what_was_refused_is_told_once_more_when_its_holder_comes_again(
    account: Account, rig: Rig, fake: FakePlatform
) -> None:
    """The platform may have been wrong; until then nothing is sent of it again."""
    pair = [{"id": "3", "email": "three"}, {"id": "4", "email": "four"}]
    rig.deliver(("add", people(range(3))))
    rig.run()
    fake.refuses = {value for _, value in account.wanted(pair)}
    rig.deliver(("add", pair))
    rig.run(hours=30)
    assert rig.standing().rejected == 2
    assert {(each.segment, each.profile) for each in rig.connector.refused(9)} == {("7", "3"), ("7", "4")}
    assert all(each.code for each in rig.connector.refused(9))
    assert account.members(fake) == account.wanted(people(range(3)))
    fake.refuses = set()
    before = changes(fake)
    rig.run(hours=30)
    assert changes(fake) == before
    rig.deliver(("add", pair))
    rig.run(hours=30)
    assert account.members(fake) == account.wanted([*people(range(3)), *pair])
    assert owes_nothing(rig)


@on("vk", "google")
@pytest.mark.parametrize("comes_again", [False, True])
def test_what_is_refused_after_it_was_taken_goes_with_its_holder(
    account: Account, rig: Rig, fake: FakePlatform, *, comes_again: bool
) -> None:
    """The platform refuses it when it is told once more, and has it still."""
    rig.deliver(("add", people(range(6))))
    rig.run(hours=2)
    fake.refuses |= {value for _, value in account.wanted(people([4, 7]))}
    rig.deliver(("add", people([7])))
    rig.connector.resend(None)
    fake.advance(DAY_S)
    rig.run(hours=2)
    assert {each.profile for each in rig.connector.refused(9)} == {"4", "7"}
    if comes_again:
        rig.deliver(("add", people([4, 7])))
        rig.run(hours=2)
    calls = rig.number("SELECT count(*) FROM ads_call WHERE action = 'remove'")
    rig.deliver(("remove", people([7])))
    rig.run(hours=48)
    assert rig.number("SELECT count(*) FROM ads_call WHERE action = 'remove'") == calls, "who was never in is not there"
    rig.deliver(("remove", people([4])))
    fake.refuses.clear()
    rig.run(hours=48)
    assert account.members(fake) == account.wanted(people([0, 1, 2, 3, 5]))
    assert owes_nothing(rig)


@on("vk", "google")
def test_what_was_refused_is_told_once_more_where_somebody_says_so(
    account: Account, rig: Rig, fake: FakePlatform
) -> None:
    pair = [{"id": "3", "email": "three"}, {"id": "4", "email": "four"}]
    rig.deliver(("add", people(range(3))))
    rig.run()
    fake.refuses = {value for _, value in account.wanted(pair)}
    rig.deliver(("add", pair))
    rig.run(hours=30)
    rig.deliver(("remove", pair[1:]))
    fake.refuses = set()
    rig.connector.resend("7")
    rig.run(hours=30)
    assert account.members(fake) == account.wanted([*people(range(3)), pair[0]])
    assert rig.connector.refused(9) == []


@on()
@pytest.mark.parametrize("size", [2, 12])
def test_what_a_household_costs_when_one_of_it_leaves(
    account: Account, rig: Rig, fake: FakePlatform, size: int
) -> None:
    """One removal, and where a row stands for a person one more call, in which those who stay are told again.

    With what they share, unless it is on its way out: on Google it follows when its removal is done.
    """
    household = [{"id": f"h{n}", "email": "all of us", "phone": f"{n + 1}"} for n in range(size)]
    rig.deliver(("add", [*household, *people(range(20, 30))]))
    rig.run()
    before = changes(fake)
    rig.deliver(("remove", household[:1]))
    rig.run(hours=72)
    assert account.members(fake) == account.wanted([*household[1:], *people(range(20, 30))])
    assert changes(fake) - before == {"facebook": 2, "google": 3}.get(account.name, 1)


@on()
@pytest.mark.parametrize("status", [301, 308])
def test_an_address_that_leads_elsewhere_needs_someone(
    account: Account, rig: Rig, fake: FakePlatform, status: int
) -> None:
    """A platform has moved, or something stands before it: surely nothing was done, and nobody is followed."""
    rig.deliver(("add", people(range(4))))
    rig.run()
    fake.advance(3_600)
    rig.deliver(("add", people([4, 5])))
    fake.fail(CHANGE[account.name], Reply(status, None, {"Location": "https://elsewhere.example/"}), times=9)
    rig.tend()
    assert {each.waits for each in rig.connector.standings()} == {"someone"}
    assert rig.standing().code == f"{account.platform} {status}"
    assert rig.standing().reason == "its address leads elsewhere, and is not followed"
    fake.heal()
    fake.advance(3_600)
    rig.run()
    assert account.members(fake) == account.wanted(people(range(6)))


@on("yandex", "google")
def test_who_has_lost_an_audience_makes_no_call_for_it(
    rig: Rig, fake: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It slept between the look and the call, and meanwhile all are begun anew in another account."""
    rig.deliver(("add", people(range(4))))
    rig.run()
    fake.advance(3_600)
    rig.deliver(("add", people([4, 5])))
    before = changes(fake)

    def take(**_: object) -> int:
        with rig.connector.store.changing() as connection:
            begin_anew(connection, rig.connector.key, fake.now)
        return 0 if changes(fake) == before else 60_000

    monkeypatch.setattr(rig.connector.budget, "take", take)
    rig.connector.tend(0)
    assert changes(fake) == before
    assert not rig.rows("SELECT id FROM ads_identifier WHERE call IS NOT NULL")


@on("vk", "yandex")
def test_who_leaves_before_an_audience_is_begun_is_owed_nothing(account: Account, rig: Rig, fake: FakePlatform) -> None:
    """Nobody is there yet to be taken out, though the store has never heard of them."""
    rig.deliver(("remove", [{"id": "9", "email": "nine"}]))
    rig.deliver(("add", [{"id": "1", "email": "a"}]))
    rig.run(hours=2)
    assert (rig.standing().waits, rig.standing().owed) == ("data (1 of 2)", 1)
    rig.deliver(("add", [{"id": "2", "email": "b"}]))
    rig.run(hours=72)
    assert (changes(fake), owes_nothing(rig)) == (2, True)
    assert account.members(fake) == account.wanted([{"id": "1", "email": "a"}, {"id": "2", "email": "b"}])


@on("vk")
def test_a_list_that_somebody_deleted_is_told_as_that(rig: Rig, fake: FakeVk) -> None:
    """VK says it of the base that a change names, in a refusal like others."""
    rig.deliver(("add", people(range(4))))
    rig.run()
    fake.lists.clear()
    fake.segments.clear()
    fake.advance(7_200)
    rig.deliver(("add", people(range(4, 8))))
    rig.tend()
    assert (rig.standing().waits, rig.standing().reason) == ("someone", "the list is not there any more")
    assert rig.standing().code == "vk-ads 400 not_found"
