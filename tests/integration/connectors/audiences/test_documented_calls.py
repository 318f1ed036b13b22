"""Every call that is made is one that the platform's documents have, and any other is refused by its fake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.fakes.server import Reply
from tests.integration.connectors.audiences.accounts import ACCOUNTS, Account, on

if TYPE_CHECKING:
    from tests.fakes.server import FakePlatform
    from tests.integration.connectors.audiences.conftest import MakeRig

SEGMENTS, LISTS = "/v1/management/segments", "/api/v3/remarketing/users_lists.json"
FILE = {"file": ("data.csv", b"1")}


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
