"""Google Audience, end to end with a fake of it: requests applied later, and one bad member that refuses all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.google import FakeGoogle
from tests.fakes.server import HTML, Reply
from tests.integration.connectors.audiences.accounts import ACCOUNTS
from tests.integration.connectors.audiences.rig import people, sha256
from workers.connectors.audiences.wire import CallFailed, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.connectors.audiences.conftest import MakeRig
    from tests.integration.connectors.audiences.rig import Rig

DEVICE = "38400000-8cf0-11bd-b23e-10b96e40{:04x}"


@pytest.fixture
def google() -> Iterator[FakeGoogle]:
    fake = FakeGoogle()
    yield fake
    fake.close()


@pytest.fixture
def rig(make_rig: MakeRig, google: FakeGoogle) -> Rig:
    return make_rig("google", google, consent="granted", on_delete={"buyers": "delete"})


wanted = ACCOUNTS["google"].wanted


@pytest.mark.parametrize(
    ("status", "reason"), [(404, ""), (400, "INVALID_REQUEST_ID"), (400, "REQUEST_TOO_OLD"), (403, "PERMISSION_DENIED")]
)
def test_a_request_that_google_forgets_keeps_nobody_waiting_and_is_told_again(
    rig: Rig, google: FakeGoogle, status: int, reason: str
) -> None:
    """It was told as a list that is gone, and who left meanwhile stayed for two days. A right that is lost is told."""
    rig.deliver(("add", people(range(9))))
    rig.run(2)
    google.advance(3_600)
    google.fails = ["all"]  # nothing comes of it
    rig.deliver(("add", people(range(9, 12))))
    rig.tend()
    refusal = {"code": status, "details": [{"reason": reason}] if reason else []}
    google.fail("requestStatus", Reply(status, {"error": refusal}), times=999)
    google.work()
    google.advance(1_200)
    rig.deliver(("remove", people([1])))
    rig.run(1)
    if reason == "PERMISSION_DENIED":
        assert (rig.standing().waits, rig.standing().reason) == ("someone", "the platform refuses the call")
        return
    assert rig.standing().waits == "the platform"
    assert not google.members("VIP") & wanted(people([1]))
    google.advance(2 * 86_400)
    rig.run(0.1)
    google.heal()
    rig.run(4)
    assert google.members("VIP") == wanted(people([0, *range(2, 12)]))


def test_a_list_begins_empty_and_follows_its_segment(rig: Rig, google: FakeGoogle) -> None:
    rig.deliver(("add", people(range(5), phone="+79995551111")))
    rig.run(2)
    assert google.members("VIP") == wanted(people(range(5), phone="+79995551111"))
    rig.deliver(("remove", people([1])), ("add", [{"id": "2", "email": "new@example.com"}]))
    rig.run(24)
    left = [*people([0, 3, 4], phone="+79995551111"), {"id": "2", "email": "new@example.com"}]
    assert google.members("VIP") == wanted(left)
    assert rig.standing().state == "live"


def test_consent_and_terms_go_along_with_additions_alone(rig: Rig, google: FakeGoogle) -> None:
    rig.deliver(("add", people(range(2))))
    rig.run(2)
    rig.deliver(("remove", people([1])))
    rig.run(24)
    sent = dict(google.bodies)
    said = {"adUserData": "CONSENT_GRANTED", "adPersonalization": "CONSENT_GRANTED"}
    assert sent["IngestAudienceMembersRequest"]["consent"] == said
    assert {"consent", "termsOfService"}.isdisjoint(sent["RemoveAudienceMembersRequest"])


def test_devices_have_a_list_of_their_own(rig: Rig, google: FakeGoogle) -> None:
    rig.deliver(("add", [{"id": str(n), "email": f"{n}@x.com", "android": DEVICE.format(n)} for n in range(3)]))
    rig.run(2)
    kinds = {each.body["ingestedUserListInfo"]["uploadKeyTypes"][0]: each.members for each in google.lists.values()}
    assert kinds["MOBILE_ID"] == {("mobileId", DEVICE.format(n)) for n in range(3)}
    assert kinds["CONTACT_ID"] == {("emailAddress", sha256(f"{n}@x.com")) for n in range(3)}


def test_members_that_google_names_are_left_out_and_the_rest_goes(rig: Rig, google: FakeGoogle) -> None:
    devices = [{"id": str(n), "android": "no device" if n == 3 else DEVICE.format(n)} for n in range(6)]
    rig.deliver(("add", devices))
    rig.run(2)
    assert google.members("VIP") == {("mobileId", DEVICE.format(n)) for n in (0, 1, 2, 4, 5)}
    assert rig.standing().rejected == 1


def test_a_request_that_fails_late_is_told_again_and_one_that_fails_in_part_is_counted(
    rig: Rig, google: FakeGoogle
) -> None:
    google.fails = ["all"]
    rig.deliver(("add", people(range(4))))
    rig.run(12)
    assert google.members("VIP") == wanted(people(range(4)))
    google.fails = ["half"]
    rig.deliver(("add", people(range(10, 14))))
    rig.run(12)
    assert rig.standing().rejected == 2


def test_a_list_whose_creation_was_not_answered_is_found_behind_other_pages(rig: Rig, google: FakeGoogle) -> None:
    for segment in ("1", "2", "3"):
        rig.deliver(("add", people(range(2))), segment=segment, name=f"S{segment}")
    rig.run(2)
    google.fail("/userLists", Reply(cut=True), applied=True)
    rig.deliver(("add", people(range(4))))
    rig.run(6)
    assert google.members("VIP") == wanted(people(range(4)))
    assert len(google.lists) == 4


@pytest.mark.parametrize("lag_hours", [0.7, 1_000])
def test_a_name_that_is_used_already_is_ours_and_is_looked_for_until_it_is_listed(
    rig: Rig, google: FakeGoogle, lag_hours: float
) -> None:
    """Its creation was not answered, and its listing lags for longer than the two looks."""
    google.fail("/userLists", Reply(cut=True), applied=True)
    google.lag_ms = round(lag_hours * 3_600_000)
    rig.deliver(("add", people(range(4))))
    rig.run(0.6)
    code = "google-audiences 400 DISPLAY_NAME_ALREADY_USED"
    assert (rig.standing().waits, rig.standing().code) == ("a second look", code)
    rig.run(4)
    assert len(google.lists) == 1
    assert google.members("VIP") == (set() if lag_hours > 1 else wanted(people(range(4))))
    assert (rig.standing().waits, rig.standing().code) == (("someone", code) if lag_hours > 1 else ("", ""))


def test_a_name_and_an_end_reach_the_list(rig: Rig, google: FakeGoogle) -> None:
    rig.deliver(("add", people(range(2))))
    rig.run(2)
    rig.tell("segment_upsert", name="Gold")
    rig.run(2)
    assert google.members("Gold") == wanted(people(range(2)))
    rig.tell("segment_delete", name="Gold")
    rig.run(24)
    assert google.lists == {}


def test_an_hour_s_token_is_renewed_and_the_refresh_token_stays(rig: Rig, google: FakeGoogle) -> None:
    google.access = "another"
    rig.deliver(("add", people(range(2))))
    rig.run(2)
    assert google.members("VIP") == wanted(people(range(2)))
    google.access = "another"
    rig.deliver(("add", people(range(2, 4))))
    rig.run(24)
    assert google.members("VIP") == wanted(people(range(4)))


@pytest.mark.parametrize("reason", ["INVALID_USER_LIST_TYPE", "TERMS_AND_CONDITIONS_NOT_SIGNED"])
def test_a_member_that_is_named_for_its_list_s_sake_stays(rig: Rig, google: FakeGoogle, reason: str) -> None:
    """Google names the first one for what is wrong with all of them: one after the other would be left out."""
    rig.deliver(("add", people(range(2))))
    rig.run(2)
    named = [{"@type": "BadRequest", "fieldViolations": [{"field": "audience_members[0]", "reason": reason}]}]
    google.fail("ingest", Reply(400, {"error": {"code": 400, "details": named}}))
    google.advance(60)
    rig.deliver(("add", people(range(2, 6))))
    rig.tend()
    assert (rig.standing().waits, rig.standing().code) == ("someone", f"google-audiences 400 {reason}")
    assert (rig.standing().rejected, rig.connector.refused(9)) == (0, [])
    google.advance(3_600)
    rig.run(2)
    assert google.members("VIP") == wanted(people(range(6)))


def test_a_removal_that_is_done_in_part_is_told_again_though_nothing_is_counted(rig: Rig, google: FakeGoogle) -> None:
    rig.deliver(("add", people(range(6))))
    rig.run(2)
    google.fails = ["half"]
    rig.deliver(("remove", people(range(4))))
    google.advance(60)
    rig.tend()
    google.work()
    for each in google.requests.values():
        each.errors = []
    rig.run(48)
    assert google.members("VIP") == wanted(people(range(4, 6)))


@pytest.mark.parametrize(
    ("limit", "wait_ms"),
    [("IngestionMutateRequestsPerDayPerProject", 3_600_000), ("IngestionMutateRequestsPerMinutePerProject", 60_000)],
)
def test_a_used_up_day_is_waited_for_longer_than_a_minute(
    rig: Rig, google: FakeGoogle, limit: str, wait_ms: int
) -> None:
    details = [{"reason": "RATE_LIMIT_EXCEEDED", "metadata": {"quota_limit": limit}}]
    google.fail("GET", Reply(429, {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": details}}))
    with pytest.raises(CallFailed) as failed:
        rig.connector.way.wire.account()
    assert (failed.value.fault, failed.value.wait_ms) == (Fault.BUDGET, wait_ms)
    assert failed.value.code == "google-audiences 429 RATE_LIMIT_EXCEEDED"


def test_a_page_instead_of_an_answer_is_asked_again(rig: Rig, google: FakeGoogle) -> None:
    google.fail("POST", HTML, times=2)
    rig.deliver(("add", people(range(2))))
    rig.run(12)
    assert google.members("VIP") == wanted(people(range(2)))


def test_when_a_login_ends_is_known_and_stays_known_however_often_its_token_is_renewed(
    rig: Rig, google: FakeGoogle
) -> None:
    """A project that is not reviewed loses it after a week."""
    google.login_lives_s = 604_800
    tokens, week = rig.connector.way.tokens, google.clock() + 604_800_000
    tokens.keep(rig.connector.way.consent.exchange("4/code"))
    assert tokens.standing().ends_ms == week
    google.advance(3_600)
    tokens.renew(tokens.token())
    assert tokens.standing().ends_ms == week
    google.login_lives_s = 0
    tokens.keep(rig.connector.way.consent.exchange("4/code"))
    assert tokens.standing().ends_ms == 0


def test_a_wrong_code_is_a_login_s_fault(rig: Rig) -> None:
    with pytest.raises(CallFailed) as failed:
        rig.connector.way.consent.exchange("4/other")
    assert (failed.value.fault, failed.value.code) == (Fault.LOGIN, "google-audiences 400 invalid_grant")
    assert "access_type=offline" in rig.connector.way.consent.url("s")
