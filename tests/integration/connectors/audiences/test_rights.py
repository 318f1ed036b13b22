"""What a login may, and what somebody must accept: told before the first call where the platform tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.facebook import FakeFacebook
from tests.fakes.google import FakeGoogle
from tests.fakes.vk import FakeVk
from tests.fakes.yandex import FakeYandex
from tests.integration.connectors.audiences.accounts import Account, on
from workers.connectors.audiences.consents import lacking
from workers.preflight.ad_account import examine_account

if TYPE_CHECKING:
    from tests.fakes.server import FakePlatform
    from tests.integration.connectors.audiences.rig import Rig

CODES = {"yandex": "1234567", "google": "4/code"}
MISSING = {
    "yandex": "audience:write",
    "vk": "create_ads",
    "google": "https://www.googleapis.com/auth/datamanager",
    "facebook": "ads_management",
}


def grant_less(fake: FakePlatform) -> None:
    if isinstance(fake, FakeYandex):
        fake.scope = "audience:read"
    elif isinstance(fake, FakeVk):
        fake.scope = ["read_ads"]
    elif isinstance(fake, FakeGoogle):
        fake.scope = "openid"
    elif isinstance(fake, FakeFacebook):
        fake.scopes = ["ads_read"]


def steps(rig: Rig) -> dict[str, tuple[str, str]]:
    return {each.name: (each.mark, each.what) for each in examine_account(rig.connector).steps}


def log_in(account: Account, rig: Rig) -> None:
    tokens = rig.connector.way.tokens
    tokens.keep(rig.connector.way.consent.exchange(CODES.get(account.name, "")))


@on()
def test_a_right_that_was_not_granted_is_a_mistake(account: Account, rig: Rig, fake: FakePlatform) -> None:
    log_in(account, rig)
    assert steps(rig)["rights"][0] == "fine"
    grant_less(fake)
    log_in(account, rig)
    found = steps(rig)
    assert found["account"][0] == "fine", "it lets us in all the same"
    assert (found["rights"][0], MISSING[account.name] in found["rights"][1]) == ("mistake", True)


def test_a_renewal_that_says_nothing_of_rights_changes_nothing(account: Account, rig: Rig, fake: FakePlatform) -> None:
    grant_less(fake)
    log_in(account, rig)
    assert isinstance(fake, FakeYandex)
    fake.scope = ""
    rig.connector.way.tokens.renew(rig.connector.way.tokens.token())
    assert steps(rig)["rights"][0] == "mistake"
    log_in(account, rig)
    assert steps(rig)["rights"][0] == "fine"


@on("facebook")
def test_terms_that_nobody_has_accepted_are_told(rig: Rig, fake: FakePlatform) -> None:
    assert isinstance(fake, FakeFacebook)
    assert steps(rig)["terms"] == ("fine", "they are accepted")
    fake.terms = {}
    mark, what = steps(rig)["terms"]
    assert (mark, "has not accepted the terms of Custom Audiences" in what) == ("warning", True)


@pytest.mark.parametrize("granted", ["read_ads,create_ads", "create_ads read_ads x", ["create_ads", 7, "read_ads"]])
def test_rights_are_told_in_several_forms(granted: object) -> None:
    assert lacking(granted, ("read_ads", "create_ads")) == ()
    assert lacking(granted, ("edit_ads",)) == ("edit_ads",)


def test_what_says_nothing_of_rights_grants_and_denies_nothing() -> None:
    assert lacking(None, ("read_ads",)) is None
    assert lacking("", ("read_ads",)) == ("read_ads",)
