"""VK Ads, end to end with a fake of it: a list for each kind of id, jobs that finish in any order, few calls."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tests.fakes.server import HTML, Reply
from tests.fakes.vk import TOKENS, FakeVk
from tests.integration.connectors.audiences.rig import people
from workers.connectors.audiences.vk_segments import name_of
from workers.connectors.audiences.wire import CallFailed, Fault
from workers.control.connecting import NotConnected, use_code
from workers.errors import ErrorClass, HoldLevel, TargetError
from workers.lanes.keys import Keys
from workers.targets import OpenAccount

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.integration.connectors.audiences.conftest import MakeRig
    from tests.integration.connectors.audiences.rig import Rig


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def mails(numbers: Iterable[int]) -> set[str]:
    return {md5(f"p{number}@example.com") for number in numbers}


@pytest.fixture
def vk() -> Iterator[FakeVk]:
    fake = FakeVk()
    yield fake
    fake.close()


@pytest.fixture
def rig(make_rig: MakeRig, vk: FakeVk) -> Rig:
    return make_rig("vk", vk, on_delete={"buyers": "delete"})


def connect(rig: Rig, *, moves: bool = False) -> None:
    """As `segsync connect vk` does."""
    use_code(OpenAccount(rig.connector, rig._redis, Keys(rig._namespace), is_applied=False), "", moves=moves)


def test_a_list_waits_for_2_000_and_gets_a_segment_when_it_is_ready(rig: Rig, vk: FakeVk) -> None:
    rig.deliver(("add", people(range(1500))))
    rig.run(2)
    assert not vk.lists
    assert rig.standing().waits == "data (1500 of 2000)"
    rig.deliver(("add", people(range(1500, 2000))))
    rig.run(2)
    assert vk.members("VIP") == mails(range(2000))
    assert vk.given == 1


def test_who_leaves_goes_and_made_up_ids_make_a_small_change_large_enough(rig: Rig, vk: FakeVk) -> None:
    rig.deliver(("add", people(range(2000))))
    rig.run(2)
    rig.deliver(("remove", people(range(3))))
    rig.run(1)
    assert vk.members("VIP") == mails(range(2000)), "three are too few to be told at once"
    rig.run(30)
    assert vk.members("VIP") == mails(range(3, 2000))


def test_each_kind_of_id_has_a_list_of_its_own(rig: Rig, vk: FakeVk) -> None:
    both = [{**each, "vk": str(int(each["id"]) + 1)} for each in people(range(2000))]
    rig.deliver(("add", both))
    rig.run(3)
    assert vk.members("VIP") == mails(range(2000))
    assert vk.members("VIP", "vk") == {str(n) for n in range(1, 2001)}
    assert len(vk.segments) == 2


def test_lines_that_vk_refuses_are_told_and_the_rest_goes(rig: Rig, vk: FakeVk) -> None:
    both = [{"id": str(n), "vk": "0" if n == 7 else str(n + 10)} for n in range(2001)]
    rig.deliver(("add", both))
    rig.run(3)
    assert vk.members("VIP", "vk") == {str(n + 10) for n in range(2001) if n != 7}
    assert rig.standing().rejected == 1


def test_a_line_that_is_nobody_s_refuses_nobody(rig: Rig, vk: FakeVk) -> None:
    """It was made up to fill the call."""
    rig.deliver(("add", people(range(2_000))))
    rig.run(2)
    rig.deliver(("add", people([2_000])))
    named = {"line_number": 20, "line": "planted", "code": "invalid_md5"}
    vk.fail("POST /api/v3", Reply(400, {"error": {"fields": {"file": [named]}}}))
    rig.run(24.1)
    assert (rig.standing().waits, rig.standing().code) == ("someone", "vk-ads 400 invalid_md5")
    rig.run(24.1)
    assert rig.connector.refused(9) == []
    assert len(vk.members("VIP")) - 24 == 2_001


@pytest.mark.parametrize("key", ["vk", "k" * 63], ids=["short keys", "the longest keys"])
def test_a_list_is_never_called_more_than_vk_takes(key: str) -> None:
    """Or it would be refused for ever: a name is cut, and the mark by which it is found again never."""
    mark = f"segsync {key}/{key}/{2**63}/advertising_id#12"
    said = name_of(SimpleNamespace(title="я" * 300, mark=mark))  # type: ignore[arg-type]
    assert len(said) <= 255
    assert said.startswith("я" * 60)
    assert said.endswith(f"я · {mark}")


def test_an_upload_that_was_not_answered_is_found_by_its_name(rig: Rig, vk: FakeVk) -> None:
    rig.deliver(("add", people(range(2000))))
    vk.fail("POST /api/v3/remarketing/users_lists.json", Reply(cut=True), applied=True)
    rig.run(6)
    assert vk.members("VIP") == mails(range(2000))
    assert len([each for each in vk.lists.values() if not each.base]) == 1


def test_a_token_that_has_ended_is_renewed_and_no_new_one_is_asked_for(rig: Rig, vk: FakeVk) -> None:
    rig.deliver(("add", people(range(2000))))
    rig.run(2)
    vk.access = "another"
    rig.deliver(("remove", people(range(30))))
    rig.run(2)
    assert vk.members("VIP") == mails(range(30, 2000))
    assert vk.given == 1


def test_a_token_that_vk_has_dropped_is_asked_for_anew_and_needs_nobody(rig: Rig, vk: FakeVk) -> None:
    """One that nobody used for a month, as where nothing changes: nobody's consent is needed for another."""
    rig.deliver(("add", people(range(2000))))
    rig.run(2)
    for given in range(2, TOKENS + 1):
        vk.access, vk.refresh = "dropped", f"refresh {given}"
        rig.connector.probe()
        assert vk.given == given
    vk.access, vk.refresh = "dropped", "dropped, too"
    with pytest.raises(TargetError, match="token_limit_exceeded"):
        rig.connector.probe()


def test_another_application_s_token_is_asked_for_by_nobody_but_a_person(rig: Rig, vk: FakeVk) -> None:
    """It may be of another account: whether the audiences are there `connect` looks, and a renewal does not."""
    rig.deliver(("add", people(range(2000))))
    rig.run(2)
    vk.lists.clear()
    vk.segments.clear()
    vk.access, vk.refresh = "of another application", "of another application, too"
    rig._target = replace(rig._target, settings={**rig._target.settings, "client_id": "another"})
    rig.again()
    for _ in range(2):
        with pytest.raises(TargetError, match="expected `segsync connect vk`") as caught:
            rig.connector.probe()
        assert (caught.value.error_class, caught.value.level) == (ErrorClass.HOLD, HoldLevel.CONNECTOR)
    assert vk.given == 1
    with pytest.raises(NotConnected, match="the account has none of the audiences"):
        connect(rig)
    connect(rig, moves=True)
    rig.run(2)
    assert len(vk.members("VIP")) == 2000


def test_who_connects_again_has_the_token_renewed_and_asks_for_no_other(rig: Rig, vk: FakeVk) -> None:
    """VK gives five in all: with the sixth `segsync connect` nobody would be let in any more."""
    rig.deliver(("add", people(range(2000))))
    rig.run(2)
    for _ in range(TOKENS + 1):
        before = vk.access
        connect(rig)
        assert vk.access != before
    assert vk.given == 1
    vk.access, vk.refresh = "dropped", "refresh 2"
    connect(rig)
    assert vk.given == 2
    rig._target = replace(rig._target, settings={**rig._target.settings, "client_id": "another"})
    rig.again()
    connect(rig)
    assert vk.given == 3, "what was given to one application another cannot renew"


def test_a_segment_has_its_new_name_on_list_and_segment(rig: Rig, vk: FakeVk) -> None:
    rig.deliver(("add", people(range(2000))))
    rig.run(2)
    rig.tell("segment_upsert", name="Gold")
    rig.run(2)
    assert vk.members("Gold") == mails(range(2000))
    assert [str(each["name"]).partition(" ·")[0] for each in vk.segments.values()] == ["Gold"]


def test_a_used_up_hour_is_waited_for(rig: Rig, vk: FakeVk) -> None:
    rig.deliver(("add", people(range(2000))))
    vk.fail("POST /api/v3/remarketing/users_lists.json", Reply(429, {}, {"X-RateLimit-Hourly-Remaining": "0"}))
    rig.tend()
    assert rig.standing().waits == "budget"
    rig.run(4)
    assert vk.members("VIP") == mails(range(2000))


def test_a_segment_that_is_deleted_takes_vk_s_segment_first_and_then_the_list(rig: Rig, vk: FakeVk) -> None:
    rig.deliver(("add", people(range(2000))))
    rig.run(2)
    rig.tell("segment_delete")
    rig.run(30)
    assert vk.segments == {}
    assert not [each for each in vk.lists.values() if not each.base]


def test_a_server_that_fails_and_one_that_answers_with_a_page_are_asked_again(rig: Rig, vk: FakeVk) -> None:
    rig.deliver(("add", people(range(2000))))
    vk.fail("POST /api/v3/remarketing/users_lists.json", HTML, applied=True)
    vk.fail("GET /api/v3/remarketing/users_lists", Reply(503, {"code": "x"}))
    rig.tend()
    (hidden,) = map(str, vk.lists)
    rig.run(8)
    assert vk.members("VIP") == mails(range(2000))
    assert rig.standing().remote == hidden, "the page hid an upload that was done"


def test_few_that_join_are_told_within_a_day_with_made_up_ids(rig: Rig, vk: FakeVk) -> None:
    rig.deliver(("add", people(range(2000))))
    rig.run(2)
    rig.deliver(("add", people([5000])))
    rig.run(30)
    told = vk.members("VIP")
    assert mails([*range(2000), 5000]) <= told
    assert len(told) == 2000 + 25


def test_a_list_has_one_segment_whoever_looks_and_it_is_looked_for_twice(rig: Rig, vk: FakeVk) -> None:
    rig.deliver(("add", people(range(2000))))
    rig.run(2)
    for first in (0, 30):
        rig.deliver(("remove", people(range(first, first + 30))))
        rig.run(2)
    looks = [call for call in vk.calls if call == ("GET", "/api/v2/remarketing/segments.json")]
    assert len(looks) == 2, "before it is made, and once after it"
    rig.again()
    rig.deliver(("remove", people(range(60, 90))))
    rig.run(2)
    assert vk.members("VIP") == mails(range(90, 2000))
    assert len(vk.segments) == 1


def test_what_somebody_has_deleted_there_is_no_error_where_it_is_to_go(rig: Rig, vk: FakeVk) -> None:
    rig.deliver(("add", people(range(2000))))
    rig.run(2)
    vk.lists.clear()
    rig.tell("segment_delete")
    rig.run(30)
    assert rig.standing().state == "deleted"


def test_a_token_s_life_is_read_though_it_is_a_text_and_a_look_that_fails_changes_nothing(rig: Rig, vk: FakeVk) -> None:
    rig.connector.store.upgrade()
    assert rig.connector.way.consent.exchange("").expires_in_s == 86_400
    vk.fail("GET", Reply(503, {}))
    with pytest.raises(CallFailed) as failed:
        rig.connector.way.wire.account()
    assert failed.value.fault is Fault.UNDONE


def test_a_sixth_token_is_said_to_be_too_many(rig: Rig, vk: FakeVk) -> None:
    vk.given = 5
    with pytest.raises(CallFailed) as failed:
        rig.connector.way.consent.exchange("")
    assert (failed.value.fault, failed.value.code) == (Fault.LOGIN, "vk-ads 403 token_limit_exceeded")
