"""The form: created, checked, previewed, compared, published, removed."""

from __future__ import annotations

import json
import re
import threading
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.console.browser import Browser, Recorded, text_of
from tests.integration.place import integration
from tests.waiting import until
from workers.control.drain import drain
from workers.control.losses import ApplyRefused
from workers.control.pause import pause, resume
from workers.ledger.past_acts import list_acts
from workers.settings import revision

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from tests.integration.place import Place
    from workers.runtime import Runtime

ADD = "INSERT OR REPLACE INTO member (segment_id, client_id) VALUES ('{segment_id}', '{lead.id}')"
FIELDS = {
    "key": "shop",
    "name": "Shop <b>",
    "connector": "db",
    "active": "on",
    "database": "main",
    "scope": "segments",
    "scope_values": "8, 9",
    "key_fields": "id",
    "queries.add": ADD,
    "queries.remove": "DELETE FROM member WHERE segment_id = '{segment_id}' AND client_id = '{lead.id}'",
}


@pytest.fixture
def browser(place: Place, make_console: Callable[..., ASGIApp]) -> Browser:
    place.publish(integration("crm"))
    return Browser(make_console())


def applied(place: Place) -> int:
    found = revision.published(place.redis, place.keys)
    assert found is not None
    return found.revision


def scope_of(place: Place, key: str) -> dict[str, Any]:
    """Of an integration, as it is applied."""
    found = revision.published(place.redis, place.keys)
    assert found is not None
    scope: dict[str, Any] = json.loads(found.text)["integrations"][key]["scope"]
    return scope


def filled(page: str) -> dict[str, str]:
    """What a form holds, as a browser would send it."""
    found = {
        unescape(name): unescape(value)
        for name, value in re.findall(r'<input (?:type="hidden" )?name="([^"]+)" value="([^"]*)"', page)
    }
    for tag, name in re.findall(r'<input type="checkbox" (name="([^"]+)"[^>]*)>', page):
        found |= {name: "on"} if "checked" in tag else {}
    for name, options in re.findall(r'<select name="([^"]+)"[^>]*>(.*?)</select>', page):
        found[name] = unescape((re.findall(r'value="([^"]*)" selected', options) or [""])[0])
    for name, text in re.findall(r'<textarea name="([^"]+)"[^>]*>\n(.*?)</textarea>', page, re.DOTALL):
        found[name] = unescape(text).replace("\n", "\r\n")
    found.pop("token")
    return found


def test_one_is_created_with_a_look_at_what_changes(place: Place, browser: Browser, acts: Recorded) -> None:
    seen = browser.post("/create", "/create/difference", **FIELDS)
    told = text_of(seen.text)
    assert "+ integrations.shop.scope.segments +[8, 9]" in told
    assert applied(place) == 1
    answer = browser.client.post(
        "/create/apply", data={**filled(seen.text), "token": re.findall(r'"token" value="(\w+)"', seen.text)[0]}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/integrations/shop")
    page = browser.get("/integrations/shop")
    assert "revision 2 is applied" in page
    assert "<h1>Shop &lt;b&gt;</h1>" in page
    assert acts.all == [("apply", "ann@test", "done")]
    published = revision.published(place.redis, place.keys)
    assert published is not None
    assert published.by == "ann@test"


def test_it_begins_with_queries_for_the_connectors_database(browser: Browser) -> None:
    found = filled(browser.get("/create?connector=db"))
    answer = browser.post("/create", "/create/check", **{**found, "key": "usual"})
    assert "Nothing is wrong with it" in answer.text


def test_a_form_that_changes_nothing_publishes_nothing(place: Place, browser: Browser) -> None:
    place.publish(integration("crm", segments='["7", 8]').replace("batch =", "max_lag = 300\nbatch ="))
    form = filled(browser.get("/integrations/crm/edit"))
    answer = browser.post("/integrations/crm/edit", "/integrations/crm/difference", **form)
    assert "Nothing differs" in answer.text
    told = browser.press("/integrations/crm/edit", "/integrations/crm/apply", **form)
    assert "nothing was published" in told
    assert applied(place) == 2


def test_every_setting_has_a_field(place: Place, browser: Browser) -> None:
    every = {
        "window": "22:00-06:00",
        "on_enter": "resync",
        "on_leave": "clear",
        "verify": "7d",
        "max_lag": "5m",
        "tolerance": "data",
        "when_full": "drop",
        "ordering": "exact",
        "description": "for the shop",
    }
    form = FIELDS | every | {"max_backlog": "5000", "max_quarantine": "7", "queries.clear": "DELETE FROM member"}
    browser.press("/create", "/create/apply", **form, basis="1")
    found = revision.published(place.redis, place.keys)
    assert found is not None
    kept = json.loads(found.text)["integrations"]["shop"]
    assert {name: kept.get(name) for name in every} == every
    shown = filled(browser.get("/integrations/shop/edit"))
    assert {name: shown.get(name) for name in every} == every
    browser.press("/integrations/shop/edit", "/integrations/shop/apply", **shown | {"window": "", "verify": ""})
    found = revision.published(place.redis, place.keys)
    assert found is not None
    assert {"window", "verify"} & json.loads(found.text)["integrations"]["shop"].keys() == set()


def test_an_id_with_zeros_before_it_stays_as_it_is(place: Place, browser: Browser) -> None:
    browser.press("/create", "/create/apply", **{**FIELDS, "scope_values": "007, 8, -0"}, basis="1")
    assert scope_of(place, "shop")["segments"] == ["007", 8, "-0"]
    form = filled(browser.get("/integrations/shop/edit"))
    browser.press("/integrations/shop/edit", "/integrations/shop/apply", **form | {"scope_values": "007, 9"})
    assert scope_of(place, "shop")["segments"] == ["007", 9]


def test_a_list_whose_members_hold_commas_is_kept_and_not_taken_apart(place: Place, browser: Browser) -> None:
    groups = ["Sales, EU", "x"]
    place.publish(integration("crm").replace('segments = "all"', f"groups = {json.dumps(groups)}"))
    form = filled(browser.get("/integrations/crm/edit"))
    browser.press("/integrations/crm/edit", "/integrations/crm/apply", **form | {"database": "other", "size": "9"})
    assert scope_of(place, "crm") == {"database": "other", "groups": groups}
    form = filled(browser.get("/integrations/crm/edit"))
    for change in ({"scope_values": form["scope_values"] + ", y"}, {"scope": "tags"}):
        page = browser.post("/integrations/crm/edit", "/integrations/crm/check", **form | change).text
        told = unescape(page.partition('id="wrong-scope_values"')[2][:300])
        assert "'Sales, EU' holds a comma" in told
        browser.post("/integrations/crm/edit", "/integrations/crm/apply", **form | change)
    assert scope_of(place, "crm") == {"database": "other", "groups": groups}
    browser.press("/integrations/crm/edit", "/integrations/crm/apply", **form | {"scope": "all", "scope_values": ""})
    assert scope_of(place, "crm") == {"database": "other", "segments": "all"}


def test_mistakes_stand_beside_their_fields_with_line_and_column(browser: Browser, acts: Recorded) -> None:
    wrong = {
        **FIELDS,
        "size": "many",
        "batched": "on",
        "queries.add": "INSERT INTO member VALUES\n({lead.id)",
        "connector": "dB",
    }
    page = browser.post("/create", "/create/check", **wrong).text
    assert "expected one of db" in page.partition('id="wrong-connector"')[2][:200]
    assert "expected" in page.partition('id="wrong-size"')[2][:200]
    wrong["connector"] = "db"
    page = browser.post("/create", "/create/check", **wrong).text
    assert "line 2, column " in page.partition('id="wrong-queries.add"')[2][:200]
    assert "({lead.id)</textarea>" in page
    assert acts.all == []


@pytest.mark.parametrize(("key", "told"), [("crm", "is there already"), ("A b", "cannot be a name"), ("", "cannot be")])
def test_a_key_that_cannot_be_is_said(key: str, told: str, browser: Browser) -> None:
    page = browser.post("/create", "/create/check", **{**FIELDS, "key": key}).text
    assert told in page.partition('id="wrong-key"')[2][:200]


def test_an_example_is_previewed_and_tried_and_rolled_back(place: Place, browser: Browser, acts: Recorded) -> None:
    event = '{"type": "add", "segment": {"id": 8}, "profiles": [{"_id": 1, "id": "</pre><b>"}]}'
    answer = browser.post("/create", "/create/preview", **FIELDS, example=event)
    assert "VALUES ('8', '</pre><b>')" in unescape(answer.text)
    assert "</pre><b>')" not in answer.text
    answer = browser.post("/create", "/create/try", **FIELDS, example=event)
    assert "tried, and rolled back" in text_of(answer.text)
    assert "1 row affected" in answer.text
    assert place.rows() == set()
    assert acts.all == [("preview --try", "ann@test", "done")]
    answer = browser.post("/create", "/create/preview", **FIELDS, example="{")
    assert "the example" in text_of(answer.text)


def test_nobody_publishes_over_a_revision_that_they_have_not_seen(place: Place, browser: Browser) -> None:
    place.publish(integration("crm", timeout="3s"))
    answer = browser.post("/create", "/create/apply", **FIELDS, basis="1")
    assert (answer.status_code, applied(place)) == (409, 2)


def owing(place: Place) -> Runtime:
    """Of two integrations, `shop` owes one operation."""
    runtime = place.publish(integration("crm", segments="[9]"), integration("shop"))
    place.add("7", 1)
    runtime.route("t", 5)
    return runtime


REMOVAL = ("/integrations/shop/edit", "/integrations/shop/remove")


def test_one_is_removed_when_its_key_is_typed_and_it_is_said_what_becomes_of_what_it_owes(
    place: Place, browser: Browser
) -> None:
    owing(place)
    for typed in ("", "shpo", "crm"):
        answer = browser.post(*REMOVAL, basis="2", how="drop", confirm=typed)
        assert (answer.status_code, "which is to be removed" in text_of(answer.text)) == (400, True)
    for how, chosen in (("", "nothing was chosen"), ("bogus", "'bogus' was chosen")):
        answer = browser.post(*REMOVAL, basis="2", confirm="shop", how=how)
        told = f"shop still owes 1 operation, and {chosen}; expected a choice, to deliver it first (drain) or"
        assert (answer.status_code, told in text_of(answer.text)) == (400, True), text_of(answer.text)
    told = browser.press(*REMOVAL, basis="2", how="drop", confirm="shop")
    assert "revision 3 is applied 1 operation of shop thrown away" in told
    browser.get("/integrations/shop", 404)
    assert place.rows() == set()


def test_one_is_drained_and_leaves_when_it_owes_nothing(
    place: Place, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = owing(place)
    monkeypatch.setattr("workers.console.publishing.DRAIN_SECONDS", 0.2)
    told = browser.press(*REMOVAL, basis="2", how="drain", confirm="shop")
    assert "shop gets nothing new, and leaves when it owes nothing" in told
    assert "It gets nothing new, and leaves when it owes nothing." in text_of(browser.get("/integrations/shop"))
    assert "draining gets nothing new" in text_of(browser.get("/")).replace("draining draining", "draining")
    answer = browser.post(*REMOVAL, basis="3", how="drain", confirm="shop")
    assert (answer.status_code, "is being drained" in text_of(answer.text)) == (409, True)
    place.let_timeouts_pass()
    runtime.follow()
    drain(runtime)
    until(lambda: browser.client.get("/integrations/shop").status_code == 404)
    assert place.rows() == {("7", "0")}
    assert applied(place) == 4


def test_what_cannot_be_drained_is_said_at_once_and_later_written_down(
    place: Place, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = owing(place)
    pause(place.redis, place.keys, "shop")
    answer = browser.post(*REMOVAL, basis="2", how="drain", confirm="shop")
    assert (answer.status_code, "would never be drained" in text_of(answer.text)) == (409, True)
    resume(place.redis, place.keys, "shop")
    began = threading.Event()

    def fail(*_: object, **__: object) -> None:
        began.wait(30)
        raise ApplyRefused("the target has gone")

    monkeypatch.setattr("workers.control.apply.carry_out", fail)
    monkeypatch.setattr("workers.console.publishing.DRAIN_SECONDS", 0.2)
    browser.press(*REMOVAL, basis="2", how="drain", confirm="shop")
    began.set()

    def acts() -> list[tuple[str, str, str]]:
        runtime.drain_outcomes(5)
        return [(act.who, act.target, act.failed) for act in list_acts(runtime.ledger)]

    assert until(acts) == [("ann@test", "shop", "the target has gone")]


def test_the_last_one_is_removed_and_leaves_no_empty_table(place: Place, browser: Browser) -> None:
    place.publish(integration("crm"))
    pause(place.redis, place.keys, "crm")  # which must not be drained, and owes nothing
    browser.press("/integrations/crm/edit", "/integrations/crm/remove", basis="1", confirm="crm", how="drain")
    found = revision.published(place.redis, place.keys)
    assert found is not None
    assert (found.revision, "integrations" in json.loads(found.text)) == (2, False)


def test_a_console_that_may_not_edit_does_not(place: Place, make_console: Callable[..., ASGIApp]) -> None:
    place.publish(integration("crm"))
    browser = Browser(make_console(edit=False))
    assert "/create" not in browser.get("/")
    browser.get("/create", 403)
    browser.get("/integrations/crm/edit", 403)
    for path in (
        "/create/apply",
        "/create/try",
        "/integrations/crm/apply",
        "/integrations/crm/remove",
        "/create/check",
    ):
        assert browser.post("/integrations/crm", path, **FIELDS, basis="1").status_code == 403
    assert applied(place) == 1


def test_the_first_integration_of_all_is_created(place: Place, make_console: Callable[..., ASGIApp]) -> None:
    place.write()
    browser = Browser(make_console())
    told = browser.press("/create", "/create/apply", **FIELDS, basis="0")
    assert "revision 1 is applied" in told
