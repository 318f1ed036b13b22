"""Ad accounts in the console and through the API: connected, and looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

from tests.integration.ad_account import buyers
from tests.integration.console.browser import Browser, Recorded, text_of
from tests.integration.console.entering import console_of, token_table
from tests.integration.place import integration

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from tests.integration.ad_account import AdAccount
    from tests.integration.place import Place


@pytest.fixture
def account(place: Place, ads: AdAccount) -> AdAccount:
    fields = 'email = "email", external_id = "id"'
    place.publish(integration("crm", segments="[8]") + ads.text(fields=fields))
    return ads


def test_one_is_connected_and_its_audiences_and_jobs_are_shown(
    account: AdAccount, make_console: Callable[..., ASGIApp], acts: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = Browser(make_console())
    assert "ya Yandex.Audiences active buyers" in text_of(browser.get("/accounts"))
    assert "none: nobody has consented yet" in browser.get("/accounts/ya")
    refused = browser.post("/accounts/ya", "/accounts/ya/connect", code="7654321")
    assert (refused.status_code, "Yandex.OAuth refuses the code" in text_of(refused.text)) == (409, True)
    told = browser.press("/accounts/ya", "/accounts/ya/connect", code="1234567")
    assert "ya is connected: Yandex.Audiences takes the token" in told
    assert "Token kept, sealed" in told
    assert [(name, outcome == "done") for name, _, outcome in acts.all] == [("connect", False), ("connect", True)]
    account.add(buyers(*range(120)), name="VIP <b>")
    page = browser.get("/accounts/ya")
    told = text_of(page)
    assert "VIP <b>" in told
    assert "VIP <b>" not in page
    assert "buyers 7 live" in told
    assert "the platform" in told
    assert "create" in told.partition("Jobs")[2] or "confirm" in told.partition("Jobs")[2]
    for planted in ("ya-secret", "planted-seal-of-tests", "ya-access-1", "1234567"):
        assert planted not in page
    monkeypatch.delenv("YA_SECRET")
    told = text_of(Browser(make_console()).get("/accounts/ya"))
    assert "cannot be looked at from here" in told
    assert "YA_SECRET is not set" in told


def test_programs_connect_and_read_one(account: AdAccount) -> None:
    app = console_of(account.place, token_table("w", "w-text", "read", "operate"), integration("crm", segments="[8]"))
    program = TestClient(app, base_url="http://127.0.0.1", headers={"authorization": "Bearer w-text"})
    assert program.get("/api/accounts").json()[0]["vendor"] == "Yandex.Audiences"
    assert program.get("/api/accounts/ya").json()["token_kept"] is False
    refused = program.post("/api/accounts/ya/connect", json={"code": "7654321"})
    assert (refused.status_code, "refuses the code" in refused.json()["error"]) == (409, True)
    told = program.post("/api/accounts/ya/connect", json={"code": "1234567"})
    assert (told.status_code, told.json()["token_kept"]) == (200, True)
    assert "ya-access-1" not in told.text
    refused = program.post("/api/accounts/ya/resend", json={"segment": 7})
    assert (refused.status_code, "ya has no audience of segment '7'" in refused.json()["error"]) == (400, True)
    account.add(buyers(*range(120)))
    account.hours_go_by()
    told = program.post("/api/accounts/ya/resend", json={"segment": 7})
    assert told.json() == {"connector": "ya", "segment": "7", "owed": 120}
    told = program.post("/api/accounts/ya/replace", json={"segment": 7})
    assert told.json() == {"connector": "ya", "segment": "7", "audiences": 1}
    assert program.get("/api/accounts/ya").json()["audiences"][0]["replaces"] == "asked"
    assert program.post("/api/accounts/db/resend").status_code == 404


STAYS = "buyers leaves ya: its people stay in its audiences there, and nothing takes them out"


def test_programs_are_told_who_stays_in_its_audiences(account: AdAccount) -> None:
    app = console_of(account.place, token_table("w", "w-text", "read", "edit"), integration("crm", segments="[8]"))
    program = TestClient(app, base_url="http://127.0.0.1", headers={"authorization": "Bearer w-text"})
    given = program.get("/api/configuration").json()["configuration"]
    del given["integrations"]["buyers"]
    told = program.post("/api/apply", json={"configuration": given, "dry_run": True}).json()
    assert told["stays_in"] == {"buyers": "ya"}
    at = "/api/integrations/buyers/remove"
    assert program.get(at).json()["stays_in"] == "ya"
    assert program.get("/api/integrations/crm/remove").json()["stays_in"] == ""
    told = program.post(at, json={}).json()
    assert (told["state"], told["stays_in"]) == ("removed", "ya")
    assert program.get(at).json()["stays_in"] == "ya", "as a revision that is kept has it"
    told = program.post("/api/revisions/1/rollback", json={}).json()
    assert (told["revision"], told["stays_in"]) == (3, {})
    assert program.post("/api/revisions/2/rollback", json={"dry_run": True}).json()["stays_in"] == {"buyers": "ya"}


@pytest.mark.usefixtures("account")
def test_whoever_removes_one_in_a_browser_is_told_who_stays(make_console: Callable[..., ASGIApp]) -> None:
    browser = Browser(make_console())
    form = "/integrations/buyers/edit"
    assert "Its audiences stay, with their people." in browser.get(form)
    assert STAYS in browser.press(form, "/integrations/buyers/remove", confirm="buyers", basis="1")


def test_all_members_are_told_again(account: AdAccount, make_console: Callable[..., ASGIApp], acts: Recorded) -> None:
    browser = Browser(make_console())
    assert "/accounts/ya/resend" not in browser.get("/accounts/ya")  # of no audience there is nobody to tell of
    assert "--move" not in browser.get("/accounts/ya")
    browser.press("/accounts/ya", "/accounts/ya/connect", code="1234567")
    account.add(buyers(*range(120)), name="VIP")
    account.hours_go_by()
    assert "segsync connect ya --move" in text_of(browser.get("/accounts/ya"))
    answer = browser.post("/accounts/ya", "/accounts/ya/resend", segment="8")
    assert (answer.status_code, "ya has no audience of segment '8'" in text_of(answer.text)) == (400, True)
    (audience,) = account.yandex.segments.values()
    audience.members = set()
    for segment, many in (("", 120), ("7", 0)):  # what is owed already is owed once
        told = browser.press("/accounts/ya", "/accounts/ya/resend", segment=segment)
        assert f"{many} identifiers are told again" in told
    assert len(account.hours_go_by()) == 120
    audience.members = {("email", "of a stranger")}
    assert "1 audience is replaced" in browser.press("/accounts/ya", "/accounts/ya/replace", segment="7")
    assert len(account.hours_go_by()) == 120
    assert "of a stranger" not in account.hours_go_by()
    assert [each[0] for each in acts.all][1:] == [*["audiences --resend"] * 3, "audiences --replace"]
    viewer = Browser(make_console(), "viewer").get("/accounts/ya")
    assert ("VIP" in viewer, "/accounts/ya/resend" in viewer) == (True, False)


def test_without_one_the_page_says_what_it_would_be(place: Place, make_console: Callable[..., ASGIApp]) -> None:
    place.publish(integration("crm"))
    browser = Browser(make_console())
    assert "an ad account is a connector with a platform" in browser.get("/accounts")
    browser.get("/accounts/db", 404)
