"""Facebook, end to end with a fake of it: calls that are done when they are answered, rows that stand for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.facebook import ACCOUNT, TOKEN, FakeFacebook
from tests.fakes.server import Reply
from tests.integration.connectors.audiences.accounts import ACCOUNTS, Account
from tests.integration.connectors.audiences.rig import people, sha256
from workers.connectors.audiences import rounds
from workers.connectors.audiences.erasing import Eraser
from workers.connectors.audiences.rounds import LOOK_TWICE_MS, OWNED_MS
from workers.errors import ErrorClass, TargetError
from workers.failpoints import AFTER_CALL, BEFORE_CALL

if TYPE_CHECKING:
    from tests.fakes.server import FakePlatform
    from tests.integration.connectors.audiences.conftest import MakeRig
    from tests.integration.connectors.audiences.rig import Profile, Rig
    from workers.connectors.audiences.wire import Answered


@pytest.fixture
def account() -> Account:
    return ACCOUNTS["facebook"]


@pytest.fixture
def facebook(fake: FakePlatform) -> FakeFacebook:
    assert isinstance(fake, FakeFacebook)
    return fake


wanted = ACCOUNTS["facebook"].wanted


def test_an_erased_person_leaves_with_all_that_went_along_and_namesakes_stay(rig: Rig, facebook: FakeFacebook) -> None:
    """A name is the hash of thousands: it finds nobody, and goes with the rows of whom a key or an address finds."""
    planted = [{"id": "planted", "email": "same@example.com", "name": "planted name"}]
    others = [{"id": "stays", "email": "same@example.com", "name": "ann"}, *people(range(5), name="ann")]
    rig.deliver(("add", [*planted, *others]))
    rig.run()
    eraser = Eraser(rig.connector, [])
    assert not eraser.find((), {"planted name", "Planted Name", sha256("planted name"), "ann"})
    holders = eraser.find({"planted"}, ())
    assert {each.profile for each in holders} == {"planted"}
    assert eraser.erase(holders, int(facebook.now)) > 0
    rig.run()
    assert eraser.erase(set(), int(facebook.now)) == 0
    found = rig.rows("SELECT companions FROM ads_holding UNION SELECT companions FROM ads_identifier")
    beside = {one for (sealed,) in found if sealed for one in rig.connector.sent_along(bytes(sealed)).values()}  # type: ignore[arg-type]
    assert beside == {sha256("ann")}
    assert facebook.members("VIP") == wanted(others)


def test_a_segment_is_there_at_once_and_changes(rig: Rig, facebook: FakeFacebook) -> None:
    rig.deliver(("add", people(range(5), name="ann")))
    rig.run()
    assert facebook.members("VIP") == wanted(people(range(5)))
    assert rig.standing().applied == rig.standing().members == 10
    rig.deliver(("remove", people([1])), ("add", [{"id": "2", "email": "new@example.com"}]))
    rig.run()
    assert facebook.members("VIP") == wanted([*people([0, 3, 4]), {"id": "2", "email": "new@example.com"}])


def test_who_shares_an_address_with_one_that_leaves_stays(rig: Rig, facebook: FakeFacebook) -> None:
    ann, bob = {"id": "1", "email": "same"}, {"id": "2", "email": "same", "phone": "7999"}
    rig.deliver(("add", [ann, bob, *people([3])]))
    rig.run()
    rig.deliver(("remove", [ann]))
    rig.run()
    assert facebook.members("VIP") == wanted([bob, *people([3])])


@pytest.mark.parametrize(
    "after",
    [
        pytest.param({"id": "Q", "email": "a"}, id="one-value-is-taken-away"),
        pytest.param({"id": "Q", "email": "b", "phone": "1"}, id="one-value-changes"),
    ],
)
def test_who_loses_a_value_and_stays_is_told_again(rig: Rig, facebook: FakeFacebook, after: Profile) -> None:
    rig.deliver(("add", [{"id": "Q", "email": "a", "phone": "1"}, *people([3])]))
    rig.run()
    rig.deliver(("add", [after]))
    rig.run()
    assert facebook.members("VIP") == wanted([after, *people([3])])


def test_who_is_linked_by_others_to_one_that_leaves_stays(rig: Rig, facebook: FakeFacebook) -> None:
    ann, bob = {"id": "P", "email": "a"}, {"id": "Q", "email": "a", "phone": "b"}
    cid = {"id": "R", "email": "c", "phone": "b"}
    rig.deliver(("add", [ann, bob, cid]))
    rig.run()
    rig.deliver(("remove", [ann]))
    rig.run()
    assert facebook.members("VIP") == wanted([bob, cid])


def test_what_one_lost_and_another_keeps_links_them_no_longer(rig: Rig, facebook: FakeFacebook) -> None:
    ann, bob = {"id": "P", "email": "a"}, {"id": "Q", "email": "a"}
    rig.deliver(("add", [ann, bob]))
    rig.run()
    moved = {"id": "P", "email": "c"}
    rig.deliver(("add", [moved]))
    rig.run()
    assert facebook.members("VIP") == wanted([moved, bob])
    rig.deliver(("remove", [moved]))
    rig.run()
    assert facebook.members("VIP") == wanted([bob])


def test_an_address_that_passes_to_another_links_them_no_longer(rig: Rig, facebook: FakeFacebook) -> None:
    """Lost by one and gained by another before anything of it was sent: it stands in the old row yet."""
    ann, bob = {"id": "P", "email": "a"}, {"id": "Q", "email": "a"}
    rig.deliver(("add", [ann, *people([3])]))
    rig.run()
    moved = {"id": "P", "email": "b"}
    rig.deliver(("add", [moved]))
    rig.deliver(("add", [bob]))
    rig.run()
    assert facebook.members("VIP") == wanted([moved, bob, *people([3])])
    rig.deliver(("remove", [bob]))
    rig.run()
    assert facebook.members("VIP") == wanted([moved, *people([3])])


def test_who_comes_back_after_a_clear_with_another_address_is_told_again(rig: Rig, facebook: FakeFacebook) -> None:
    """The old address goes, and would take along all that stands in its row."""
    ann = {"id": "P", "email": "a", "phone": "7999"}
    rig.deliver(("add", [ann, *people([3])]))
    rig.run()
    rig.tell("clear")
    rig.deliver(("add", [ann | {"email": "b"}, *people([3])]))
    rig.run()
    assert facebook.members("VIP") == wanted([ann | {"email": "b"}, *people([3])])


def test_who_is_on_the_way_when_one_of_them_leaves_is_told_again(
    rig: Rig, facebook: FakeFacebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob = {"id": "P", "email": "a"}, {"id": "Q", "email": "a", "phone": "b"}
    cid = {"id": "R", "email": "c", "phone": "b"}
    rig.deliver(("add", people([3])))
    rig.run()
    wire = rig.connector.way.wire
    change, left = wire.change, [ann]

    def while_it_is_answered(*said: Any) -> Answered:
        answered = change(*said)
        if left:
            rig.deliver(("remove", [left.pop()]))
        return answered

    monkeypatch.setattr(wire, "change", while_it_is_answered)
    rig.deliver(("add", [ann, bob, cid]))
    rig.run()
    assert not left
    assert facebook.members("VIP") == wanted([bob, cid, *people([3])])


def test_what_goes_along_is_sent_again_when_it_changes(rig: Rig, facebook: FakeFacebook) -> None:
    rig.deliver(("add", people([1], name="ann")))
    rig.run()
    rig.deliver(("add", people([1], name="anna")))
    rig.run()
    (audience,) = facebook.audiences.values()
    assert any(("FN", sha256("anna")) in person for person in audience.people)


class Killed(BaseException):
    """Nobody catches it."""


@pytest.mark.parametrize("point", [BEFORE_CALL, AFTER_CALL])
@pytest.mark.parametrize("lags", [False, True])
def test_an_audience_is_created_once(
    rig: Rig, facebook: FakeFacebook, monkeypatch: pytest.MonkeyPatch, point: str, lags: bool
) -> None:
    """It is looked for twice, since the listing lags."""

    def reach(at: str) -> None:
        if at == point:
            raise Killed

    monkeypatch.setattr(rounds, "reach", reach)
    rig.deliver(("add", people(range(3))))
    with pytest.raises(Killed):
        rig.tend()
    monkeypatch.setattr(rounds, "reach", lambda _: None)
    facebook.hidden = set(facebook.audiences) if lags else set()
    rig.again()
    facebook.advance(OWNED_MS / 1000 + 1)
    rig.tend()
    facebook.hidden = set()
    facebook.advance(LOOK_TWICE_MS / 1000)
    rig.run()
    assert facebook.members("VIP") == wanted(people(range(3)))
    assert len(facebook.audiences) == 1


def test_of_two_the_older_is_kept(rig: Rig, facebook: FakeFacebook) -> None:
    facebook.fail("customaudiences", Reply(cut=True), applied=True)
    rig.deliver(("add", people(range(3))))
    rig.tend()
    (older,) = facebook.audiences
    twin = {"name": "VIP", "subtype": "CUSTOM", "customer_file_source": "x"}
    facebook._create(twin | {"description": facebook.audiences[older].description})
    rig.run()
    assert rig.standing().remote == older


NO_SUCH = {"error": {"code": 100, "error_subcode": 33, "message": "m"}}
"""What Facebook says of an audience that is gone, and of one that the token has no right to."""


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Reply(400, NO_SUCH), "the token has no right to it"),
        (Reply(200, {"success": False}), "it has not done it"),
    ],
    ids=["no right", "no success"],
)
def test_an_audience_that_is_there_is_not_taken_for_deleted(
    make_rig: MakeRig, facebook: FakeFacebook, answer: Reply, reason: str
) -> None:
    """Its people would stay there, and nobody would know of them any more."""
    rig = make_rig("facebook", facebook, on_delete={"buyers": "delete"})
    rig.deliver(("add", people(range(3))))
    rig.run()
    remote = rig.standing().remote
    facebook.fail(f"DELETE /{remote}", answer)
    rig.tell("segment_delete")
    rig.tend()
    assert (rig.standing().state, rig.standing().waits) == ("live", "someone")
    assert rig.standing().reason.endswith(reason)
    facebook.advance(3_600)
    rig.run()
    assert (rig.standing().state, facebook.audiences) == ("deleted", {})


def test_an_audience_that_somebody_deleted_is_deleted(make_rig: MakeRig, facebook: FakeFacebook) -> None:
    rig = make_rig("facebook", facebook, on_delete={"buyers": "delete"})
    rig.deliver(("add", people(range(3))))
    rig.run()
    facebook.audiences.clear()
    rig.tell("segment_delete")
    rig.run()
    assert rig.standing().state == "deleted"


@pytest.mark.parametrize("lag_s", [0, 1_200], ids=["listed as it is", "listed as it was"])
def test_an_audience_whose_deletion_was_not_answered_is_not_told_as_a_lack_of_rights(
    make_rig: MakeRig, facebook: FakeFacebook, lag_s: int
) -> None:
    """Deleted once more, Facebook says that it is not there, or that we may not; its list says how it was."""
    rig = make_rig("facebook", facebook, on_delete={"buyers": "delete"})
    rig.deliver(("add", people(range(3))))
    rig.run()
    facebook.lag_ms = lag_s * 1000
    facebook.fail(f"DELETE /{rig.standing().remote}", Reply(cut=True), applied=True)
    rig.tell("segment_delete")
    waits = set()
    for _ in range(30):
        rig.tend()
        waits.add(rig.standing().waits)
        facebook.advance(60)
    assert (rig.standing().state, facebook.audiences) == ("deleted", {})
    assert "someone" not in waits


def test_an_audience_that_is_listed_and_never_there_needs_someone(make_rig: MakeRig, facebook: FakeFacebook) -> None:
    """Nobody knows whether its people are gone: it is looked for on, and after a day that is told."""
    rig = make_rig("facebook", facebook, on_delete={"buyers": "delete"})
    rig.deliver(("add", people(range(3))))
    rig.run()
    facebook.lag_ms = 10 * 86_400_000
    facebook.fail(f"DELETE /{rig.standing().remote}", Reply(cut=True), applied=True)
    rig.tell("segment_delete")
    rig.run(hours=20, step_s=1_800)
    assert (rig.standing().state, rig.standing().waits) == ("live", "the platform")
    rig.run(hours=8, step_s=1_800)
    assert (rig.standing().state, rig.standing().waits) == ("live", "someone")


def test_a_change_of_which_facebook_says_nothing_may_have_been_done(rig: Rig, facebook: FakeFacebook) -> None:
    rig.deliver(("add", people(range(3))))
    rig.run()
    facebook.fail("/users", Reply(200, {}))
    facebook.advance(60)
    rig.deliver(("add", people([3])))
    rig.tend()
    assert (rig.standing().owed, rig.standing().pending) == (0, 2)
    rig.run()
    assert facebook.members("VIP") == wanted(people(range(4)))


def test_its_own_word_of_the_budget_is_heeded(rig: Rig, facebook: FakeFacebook) -> None:
    facebook.quotas = ((3600, 1),)
    rig.deliver(("add", people(range(3))))
    rig.tend()
    facebook.advance(60)
    rig.tend()
    assert rig.standing().waits == "budget"
    rig.run()
    assert facebook.members("VIP") == wanted(people(range(3)))
    usage = {ACCOUNT: [{"call_count": 100, "estimated_time_to_regain_access": 40}]}
    headers = {"X-Business-Use-Case-Usage": json.dumps(usage)}
    facebook.fail("users", Reply(200, {"num_received": 1}, headers), applied=True)
    facebook.advance(3_600)
    rig.deliver(("add", people([7])))
    rig.tend()
    assert rig.connector.budget.left_in() > 39 * 60_000


def test_when_a_token_ends_is_asked_for(rig: Rig, facebook: FakeFacebook) -> None:
    consent = rig.connector.way.consent
    assert consent.exchange("").ends_in_s == 0, "it never does"
    facebook.token_ends_s = facebook.now // 1000 + 1_000_000
    assert 999_000 < consent.exchange("").ends_in_s <= 1_000_100
    for code in (100, 190):
        facebook.fail("debug_token", Reply(400, {"error": {"code": code, "message": "m"}}))
        assert consent.exchange("").ends_in_s == 0, "it does not tell, and connecting goes on"


def test_a_token_that_is_refused_needs_a_person(rig: Rig, facebook: FakeFacebook) -> None:
    facebook.fail("customaudiences", Reply(400, {"error": {"code": 190, "error_subcode": 463, "message": TOKEN}}))
    rig.deliver(("add", people(range(3))))
    with pytest.raises(TargetError, match="the token is refused") as caught:
        rig.tend()
    assert caught.value.error_class is ErrorClass.HOLD
    assert TOKEN not in str(caught.value)
    assert "expected a new token where `access_token` of connectors.fb" in str(caught.value)
    facebook.fail("act_", Reply(400, {"error": {"code": 190, "error_subcode": 463, "message": TOKEN}}))
    with pytest.raises(TargetError, match=r"expected a new token where `access_token` of connectors.fb"):
        rig.connector.probe()
    facebook.advance(60)
    rig.run()
    assert facebook.members("VIP") == wanted(people(range(3)))


@pytest.mark.parametrize("token", ["fb-token\n", "fb token\r", "fb-tökén"])
def test_a_token_that_no_header_carries_is_told_as_that(
    make_rig: MakeRig, facebook: FakeFacebook, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setitem(ACCOUNTS["facebook"].settings, "access_token", token)
    rig = make_rig("facebook", facebook)
    with pytest.raises(TargetError) as caught:
        rig.connector.probe()
    assert str(caught.value.reason).startswith("the token has a sign that no call can carry")
    assert caught.value.error_class is ErrorClass.HOLD
