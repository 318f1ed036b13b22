"""Every call that is made is one that the platform's documents have, and any other is refused by its fake."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.cases import case
from tests.fakes.server import Reply
from tests.integration.connectors.audiences.accounts import ACCOUNTS, Account, hash_of, on
from tests.integration.connectors.audiences.rig import people, sha256
from workers.connectors.audiences.store.audiences import oldest_live
from workers.connectors.audiences.store.rows import SentRow
from workers.connectors.audiences.wire import CallFailed

if TYPE_CHECKING:
    from tests.fakes.server import FakePlatform
    from tests.fakes.vk import FakeVk
    from tests.fakes.yandex import FakeYandex
    from tests.integration.connectors.audiences.conftest import MakeRig
    from tests.integration.connectors.audiences.rig import Rig
    from workers.connectors.audiences.store.audiences import Audience

SEGMENTS, LISTS = "/v1/management/segments", "/api/v3/remarketing/users_lists.json"
FILE = {"file": ("data.csv", b"1")}
HASH, MD5, NO_MD5 = sha256("ann"), hash_of("md5", "ann"), hash_of("md5", "")
NO_HASH, NO_VALUE, OLD = "no hash", "the hash of an empty text", "an MD5"
BAD_VALUES = {
    "yandex": [
        ({"email": MD5}, f"email: {OLD}"),
        ({"phone": "79995551111"}, f"phone: {NO_HASH}"),
        ({"email": sha256("")}, f"email: {NO_VALUE}"),
        ({"email": HASH, "ext_id": "crm-42"}, f"ext_id: {NO_HASH}"),
        ({"email": HASH, "ext_id": sha256("")}, f"ext_id: {NO_VALUE}"),
        ({"email": HASH, "push_id": MD5}, f"push_id: {OLD}"),
    ],
    "facebook": [
        ({"EMAIL": MD5}, f"EMAIL: {OLD}"),
        ({"PHONE": sha256("")}, f"PHONE: {NO_VALUE}"),
        ({"EXTERN_ID": sha256("")}, f"EXTERN_ID: {NO_VALUE}"),
        ({"EXTERN_ID": "crm-42", "FN": "ann"}, f"FN: {NO_HASH}"),
        ({"EXTERN_ID": "crm-42", "CT": MD5}, f"CT: {OLD}"),
    ],
    "vk": [
        ({"emails": HASH}, "emails: a SHA-256"),
        ({"emails": "ann@example.com"}, f"emails: {NO_HASH}"),
        ({"emails": NO_MD5}, f"emails: {NO_VALUE}"),
    ],
    "google": [
        ({"emailAddress": MD5}, f"emailAddress: {OLD}"),
        ({"phoneNumber": "+79995551111"}, f"phoneNumber: {NO_HASH}"),
        ({"phoneNumber": sha256("")}, f"phoneNumber: {NO_VALUE}"),
    ],
}
"""What no platform may be sent in a row, and what its fake says of that."""


@on()
def test_an_audience_s_life_makes_all_of_them(account: Account, make_rig: MakeRig, fake: FakePlatform) -> None:
    """Its creation is not answered, its name changes, a token ends, all is replaced, and in the end it goes."""
    rig = make_rig(account.name, fake, on_delete={"buyers": "delete"})
    rig.connector.probe()
    if account.name == "facebook":
        rig.connector.way.consent.exchange("")
    else:  # which renews it
        fake.expire_token()
    fake.fail("customaudiences", Reply(cut=True), applied=True)
    people = [{"id": str(n), "email": f"p{n}", "phone": f"{n}", "android": "", "name": "n"} for n in range(1, 5)]
    rig.deliver(("add", people))
    rig.run()
    rig.deliver(("remove", people[:2]))
    rig.tell("segment_upsert", name="Gold")
    rig.run()
    rig.connector.replace("7")
    rig.run(hours=48)
    assert account.members(fake, "Gold") == account.wanted(people[2:])
    fake.fail("DELETE /2", Reply(cut=True), applied=True)  # Facebook's: asked for by its id, when it is deleted again
    rig.tell("segment_delete", name="Gold")
    rig.run(hours=72)
    assert rig.standing().state == "deleted"
    assert {f"{each.method} {each.path}" for each in fake.shapes} == fake.used


@pytest.mark.parametrize(
    ("name", "method", "path", "sent", "said"),
    [
        ("yandex", "GET", "/v1/management/segment/7", {}, "no such call"),
        ("yandex", "GET", SEGMENTS, {"params": {"limit": "1", "offset": "0", "x": "1"}}, "query.x: unknown"),
        ("yandex", "GET", SEGMENTS, {"params": {"limit": "1"}}, "query.offset: missing"),
        (
            "yandex",
            "PUT",
            "/v1/management/segment/7",
            {"json": {"segment": {"name": "a", "id": 7}}},
            "body.segment.id: unknown",
        ),
        ("vk", "GET", LISTS, {"params": {"limit": "51", "offset": "0"}}, "query.limit: not as documented"),
        ("vk", "POST", LISTS, {"files": FILE, "data": {"name": "a"}}, "body.type: missing"),
        ("vk", "POST", LISTS, {"json": {"name": "a", "type": "vk"}}, "no parts"),
        ("facebook", "POST", "/2385/users", {"json": {"payload": {"schema": [], "data": []}}}, "body.session: missing"),
        ("facebook", "DELETE", "/2385", {"params": {"force": "1"}}, "query.force: unknown"),
        ("google", "GET", "/v1/requestStatus:retrieve", {"params": {}}, "query.requestId: missing"),
    ],
)
def test_what_no_document_has_is_refused(
    misfits: list[str], name: str, method: str, path: str, sent: dict[str, Any], said: str
) -> None:
    fake = ACCOUNTS[name].fake(0)
    try:
        assert httpx.request(method, fake.url + path, **sent).status_code == 400
        assert misfits == [f"{method} {path}: {said}"]
    finally:
        misfits.clear()
        fake.close()


@on("google")
def test_what_is_sent_to_google_and_comes_from_it_is_what_its_own_types_take(
    make_rig: MakeRig, account: Account, fake: Any, misfits: list[str]
) -> None:
    """As in every test; and one of another name is noticed."""
    rig = make_rig(account.name, fake, consent="granted")
    device = "38400000-8cf0-11bd-b23e-10b96e400001"
    rig.deliver(("add", [{"id": "1", "email": "a@x.com", "phone": "+1", "android": device}]))
    rig.run(2)
    rig.deliver(("remove", [{"id": "1"}]))
    rig.run(24)
    kinds = {kind for kind, _ in fake.bodies}
    assert kinds == {"UserList", "IngestAudienceMembersRequest", "RemoveAudienceMembersRequest"}
    assert misfits == []
    for kind, body in (("UserList", {"displayname": "x"}), ("ListUserListsResponse", {"userLists": [{}, {"Id": "1"}]})):
        fake._look(kind, body)
        assert kind in misfits.pop()


def live(rig: Rig) -> Audience:
    """An audience with two members."""
    rig.deliver(("add", people(range(2))))
    rig.run(hours=2)
    with rig.connector.store.reading() as connection:
        return oldest_live(connection, rig.connector.key, 1)[0]


@on()
def test_a_value_that_no_platform_may_have_is_refused_and_named(
    account: Account, rig: Rig, fake: FakePlatform, misfits: list[str]
) -> None:
    """In any column, of whatever goes along, and also of what is taken out."""
    audience, wire = live(rig), rig.connector.way.wire
    before = account.members(fake)
    for values, said in BAD_VALUES[account.name]:
        with case(said):
            try:
                refused = len(wire.change(audience, "add", [SentRow((1,), values)]).refused)
            except CallFailed:
                refused = 1
            assert refused == 1
            assert misfits.pop().endswith(f": {said}")
    rig.run(hours=2)
    assert account.members(fake) == before
    assert misfits == []


@on("yandex")
def test_a_file_of_yandex_is_held_against_the_form_that_its_segment_is_said_to_have(
    rig: Rig, fake: FakeYandex, misfits: list[str]
) -> None:
    """Where hashing is off nobody's address is a hash, and ids of one's own may look as they like."""
    audience, wire = live(rig), rig.connector.way.wire
    begun = wire.create(audience, [SentRow((1,), {"email": "ann@example.com", "push_id": HASH})])
    with pytest.raises(CallFailed):
        wire.confirm(replace(audience, remote=begun.remote))
    assert misfits.pop().endswith(f"email: {NO_HASH}")
    fake.segments[int(audience.remote)].hashed = False
    assert wire.change(audience, "add", [SentRow((1,), {"email": "ann@example.com", "ext_id": MD5})]).refused == {}
    bad = (({"email": HASH}, "email: a SHA-256"), ({"phone": "7", "ext_id": NO_MD5}, f"ext_id: {NO_VALUE}"))
    for values, said in bad:
        with pytest.raises(CallFailed):
            wire.change(audience, "add", [SentRow((1,), values)])
        assert misfits.pop().endswith(said)


@on("vk")
def test_a_line_that_vk_calls_a_double_is_nobody_s_refusal(rig: Rig, fake: FakeVk) -> None:
    """Who is in a file twice is in the list."""
    audience, wire = live(rig), rig.connector.way.wire
    rows = [SentRow((1,), {"emails": MD5}), SentRow((2,), {"emails": MD5})]
    assert wire.change(audience, "add", rows).refused == {}
    form = {"name": "a", "type": "emails", "base": audience.remote}
    (named,) = wire._ask("POST", LISTS, form=form, file=f"{MD5}\n{MD5}".encode()).field("error")  # type: ignore[attr-defined]
    assert (named["line_number"], named["error_code"]) == (2, "duplicated_user_id")
    fake.work()
    fake.work()
    assert MD5 in fake.members("VIP")
