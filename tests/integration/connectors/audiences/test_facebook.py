"""Facebook, end to end with a fake of it: calls that are done when they are answered, rows that stand for people."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.facebook import ACCOUNT, APP_SECRET, TOKEN, FakeFacebook
from tests.fakes.server import Reply
from tests.integration.connectors.audiences.rig import SECRET, Profile, Rig, people, sha256
from workers.connectors.audiences import rounds
from workers.connectors.audiences.erasing import Eraser
from workers.connectors.audiences.records import Identifier, Record
from workers.connectors.audiences.rounds import LOOK_TWICE_MS, OWNED_MS
from workers.connectors.audiences.target import AdTarget
from workers.errors import ErrorClass, TargetError
from workers.failpoints import AFTER_CALL, BEFORE_CALL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import redis

    from workers.connectors.audiences.wire import Answered
    from workers.templates import Row


@dataclass(frozen=True)
class FacebookFields:
    """`records.Fields`: email, phone and the outer id find a person, the first name goes along."""

    digest: str = "1"

    def record(self, row: Row) -> Record:
        said = {name: str(row.profile.get(name, "")) for name in ("email", "phone", "id", "name")}
        found = [Identifier("EXTERN_ID", said["id"], plain=True)]
        found += [Identifier(name.upper(), sha256(said[name])) for name in ("email", "phone") if said[name]]
        along = (Identifier("FN", sha256(said["name"])),) if said["name"] else ()
        return Record(tuple(found), along)


@pytest.fixture
def facebook() -> Iterator[FakeFacebook]:
    fake = FakeFacebook()
    yield fake
    fake.close()


@pytest.fixture
def fb(fast_path: Path, redis_client: redis.Redis, namespace: str, facebook: FakeFacebook) -> Iterator[Rig]:
    settings = {"account": ACCOUNT, "app_secret": APP_SECRET, "access_token": TOKEN}
    url = f"sqlite:///{fast_path}/store.db"
    target = AdTarget("fb", "facebook-ads", settings, store_url=url, secret=SECRET, url=facebook.url)
    rig = Rig(fast_path, redis_client, namespace, facebook, target)
    rig.fields = FacebookFields()
    yield rig
    rig.close()


def wanted(profiles: Iterable[Profile]) -> set[tuple[str, str]]:
    found = set()
    for each in profiles:
        found |= {("EXTERN_ID", each["id"])}
        found |= {(name.upper(), sha256(each[name])) for name in ("email", "phone") if each.get(name)}
    return found


def test_an_erased_person_leaves_with_all_that_went_along_and_namesakes_stay(fb: Rig, facebook: FakeFacebook) -> None:
    """A name is the hash of thousands: it finds nobody, and goes with the rows of whom a key or an address finds."""
    planted = [{"id": "planted", "email": "same@example.com", "name": "planted name"}]
    others = [{"id": "stays", "email": "same@example.com", "name": "ann"}, *people(range(5), name="ann")]
    fb.deliver(("add", [*planted, *others]))
    fb.run()
    eraser = Eraser(fb.connector, [])
    assert not eraser.find((), {"planted name", "Planted Name", sha256("planted name"), "ann"})
    holders = eraser.find({"planted"}, ())
    assert {each.profile for each in holders} == {"planted"}
    assert eraser.erase(holders, int(facebook.now)) > 0
    fb.run()
    assert eraser.erase(set(), int(facebook.now)) == 0
    found = fb.rows("SELECT companions FROM ads_holding UNION SELECT companions FROM ads_identifier")
    beside = {one for (sealed,) in found if sealed for one in fb.connector.sent_along(bytes(sealed)).values()}  # type: ignore[arg-type]
    assert beside == {sha256("ann")}
    assert facebook.members("VIP") == wanted(others)


def test_a_segment_is_there_at_once_and_changes(fb: Rig, facebook: FakeFacebook) -> None:
    fb.deliver(("add", people(range(5), name="ann")))
    fb.run()
    assert facebook.members("VIP") == wanted(people(range(5)))
    assert fb.standing().applied == fb.standing().members == 10
    fb.deliver(("remove", people([1])), ("add", [{"id": "2", "email": "new@example.com"}]))
    fb.run()
    assert facebook.members("VIP") == wanted([*people([0, 3, 4]), {"id": "2", "email": "new@example.com"}])


def test_who_shares_an_address_with_one_that_leaves_stays(fb: Rig, facebook: FakeFacebook) -> None:
    ann, bob = {"id": "1", "email": "same"}, {"id": "2", "email": "same", "phone": "7999"}
    fb.deliver(("add", [ann, bob, *people([3])]))
    fb.run()
    fb.deliver(("remove", [ann]))
    fb.run()
    assert facebook.members("VIP") == wanted([bob, *people([3])])


@pytest.mark.parametrize(
    "after",
    [
        pytest.param({"id": "Q", "email": "a"}, id="one-value-is-taken-away"),
        pytest.param({"id": "Q", "email": "b", "phone": "1"}, id="one-value-changes"),
    ],
)
def test_who_loses_a_value_and_stays_is_told_again(fb: Rig, facebook: FakeFacebook, after: Profile) -> None:
    fb.deliver(("add", [{"id": "Q", "email": "a", "phone": "1"}, *people([3])]))
    fb.run()
    fb.deliver(("add", [after]))
    fb.run()
    assert facebook.members("VIP") == wanted([after, *people([3])])


def test_who_is_linked_by_others_to_one_that_leaves_stays(fb: Rig, facebook: FakeFacebook) -> None:
    ann, bob = {"id": "P", "email": "a"}, {"id": "Q", "email": "a", "phone": "b"}
    cid = {"id": "R", "email": "c", "phone": "b"}
    fb.deliver(("add", [ann, bob, cid]))
    fb.run()
    fb.deliver(("remove", [ann]))
    fb.run()
    assert facebook.members("VIP") == wanted([bob, cid])


def test_what_one_lost_and_another_keeps_links_them_no_longer(fb: Rig, facebook: FakeFacebook) -> None:
    ann, bob = {"id": "P", "email": "a"}, {"id": "Q", "email": "a"}
    fb.deliver(("add", [ann, bob]))
    fb.run()
    moved = {"id": "P", "email": "c"}
    fb.deliver(("add", [moved]))
    fb.run()
    assert facebook.members("VIP") == wanted([moved, bob])
    fb.deliver(("remove", [moved]))
    fb.run()
    assert facebook.members("VIP") == wanted([bob])


def test_who_is_on_the_way_when_one_of_them_leaves_is_told_again(
    fb: Rig, facebook: FakeFacebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob = {"id": "P", "email": "a"}, {"id": "Q", "email": "a", "phone": "b"}
    cid = {"id": "R", "email": "c", "phone": "b"}
    fb.deliver(("add", people([3])))
    fb.run()
    wire = fb.connector.way.wire
    change, left = wire.change, [ann]

    def while_it_is_answered(*said: Any) -> Answered:
        answered = change(*said)
        if left:
            fb.deliver(("remove", [left.pop()]))
        return answered

    monkeypatch.setattr(wire, "change", while_it_is_answered)
    fb.deliver(("add", [ann, bob, cid]))
    fb.run()
    assert not left
    assert facebook.members("VIP") == wanted([bob, cid, *people([3])])


def test_what_goes_along_is_sent_again_when_it_changes(fb: Rig, facebook: FakeFacebook) -> None:
    fb.deliver(("add", people([1], name="ann")))
    fb.run()
    fb.deliver(("add", people([1], name="anna")))
    fb.run()
    (audience,) = facebook.audiences.values()
    assert any(("FN", sha256("anna")) in person for person in audience.people)


class Killed(BaseException):
    """Nobody catches it."""


@pytest.mark.parametrize("point", [BEFORE_CALL, AFTER_CALL])
@pytest.mark.parametrize("lags", [False, True])
def test_an_audience_is_created_once(
    fb: Rig, facebook: FakeFacebook, monkeypatch: pytest.MonkeyPatch, point: str, lags: bool
) -> None:
    """It is looked for twice, since the listing lags."""

    def reach(at: str) -> None:
        if at == point:
            raise Killed

    monkeypatch.setattr(rounds, "reach", reach)
    fb.deliver(("add", people(range(3))))
    with pytest.raises(Killed):
        fb.tend()
    monkeypatch.setattr(rounds, "reach", lambda _: None)
    facebook.hidden = set(facebook.audiences) if lags else set()
    fb.again()
    facebook.advance(OWNED_MS / 1000 + 1)
    fb.tend()
    facebook.hidden = set()
    facebook.advance(LOOK_TWICE_MS / 1000)
    fb.run()
    assert facebook.members("VIP") == wanted(people(range(3)))
    assert len(facebook.audiences) == 1


def test_of_two_the_older_is_kept(fb: Rig, facebook: FakeFacebook) -> None:
    facebook.fail("customaudiences", Reply(cut=True), applied=True)
    fb.deliver(("add", people(range(3))))
    fb.tend()
    (older,) = facebook.audiences
    twin = {"name": "VIP", "subtype": "CUSTOM", "customer_file_source": "x"}
    facebook._create(twin | {"description": facebook.audiences[older].description})
    fb.run()
    assert fb.standing().remote == older


def test_its_own_word_of_the_budget_is_heeded(fb: Rig, facebook: FakeFacebook) -> None:
    facebook.most_an_hour = 1
    fb.deliver(("add", people(range(3))))
    fb.tend()
    facebook.advance(60)
    fb.tend()
    assert fb.standing().waits == "budget"
    fb.run()
    assert facebook.members("VIP") == wanted(people(range(3)))
    usage = {ACCOUNT: [{"call_count": 100, "estimated_time_to_regain_access": 40}]}
    headers = {"X-Business-Use-Case-Usage": json.dumps(usage)}
    facebook.fail("users", Reply(200, {"num_received": 1}, headers), applied=True)
    facebook.advance(3_600)
    fb.deliver(("add", people([7])))
    fb.tend()
    assert fb.connector.budget.left_in() > 39 * 60_000


def test_when_a_token_ends_is_asked_for(fb: Rig, facebook: FakeFacebook) -> None:
    consent = fb.connector.way.consent
    assert consent.exchange("").ends_in_s == 0, "it never does"
    facebook.token_ends_s = round(time.time()) + 1_000_000
    assert 999_000 < consent.exchange("").ends_in_s <= 1_000_100
    for code in (100, 190):
        facebook.fail("debug_token", Reply(400, {"error": {"code": code, "message": "m"}}))
        assert consent.exchange("").ends_in_s == 0, "it does not tell, and connecting goes on"


def test_a_token_that_is_refused_needs_a_person(fb: Rig, facebook: FakeFacebook) -> None:
    facebook.fail("customaudiences", Reply(400, {"error": {"code": 190, "error_subcode": 463, "message": TOKEN}}))
    fb.deliver(("add", people(range(3))))
    with pytest.raises(TargetError, match="the token is refused") as caught:
        fb.tend()
    assert caught.value.error_class is ErrorClass.HOLD
    assert TOKEN not in str(caught.value)
    assert "expected a new token where `access_token` of connectors.fb" in str(caught.value)
    facebook.fail("act_", Reply(400, {"error": {"code": 190, "error_subcode": 463, "message": TOKEN}}))
    with pytest.raises(TargetError, match=r"expected a new token where `access_token` of connectors.fb"):
        fb.connector.probe()
    facebook.advance(60)
    fb.run()
    assert facebook.members("VIP") == wanted(people(range(3)))
