"""Ad accounts and their integrations, created and changed in the browser: what a platform needs, and no secret."""

from __future__ import annotations

import json
from dataclasses import replace
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.facebook import ACCOUNT, APP_SECRET, TOKEN, FakeFacebook
from tests.integration.console.browser import Browser, Recorded, text_of
from tests.integration.console.test_editing import filled
from tests.integration.place import integration
from tests.waiting import until
from workers.connectors.audiences.platforms import FACEBOOK, PLATFORMS
from workers.control.drain import drain
from workers.runtime import Runtime
from workers.settings import load_local, revision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp

    from tests.integration.place import Place

NEW = "/create-account"
ON = f"{NEW}?platform=facebook-ads"
FORM = {
    "platform": "facebook-ads",
    "key": "fb",
    "account": ACCOUNT,
    "access_token": "file",
    "app_secret": "variable",
    "hashing": "on",
}
SENT = {
    "key": "buyers",
    "connector": "fb",
    "active": "on",
    "database": "main",
    "scope": "segments",
    "scope_values": "7",
    "key_fields": "id",
    "fields.em": "email",
    "on_delete": "keep",
    "batched": "on",
    "size": "100",
    "timeout": "100ms",
}


@pytest.fixture
def facebook(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeFacebook]:
    """In the place of the platform's own address."""
    fake = FakeFacebook()
    monkeypatch.setitem(PLATFORMS, FACEBOOK.key, replace(FACEBOOK, base_url=fake.url))
    monkeypatch.setenv("SEGSYNC_SECRET", "planted-seal-of-tests")
    yield fake
    fake.close()


@pytest.fixture
def browser(place: Place, make_console: Callable[..., ASGIApp]) -> Browser:
    place.publish(integration("crm", segments="[8]"))
    return Browser(make_console())


def applied_table(place: Place, section: str, key: str) -> dict[str, Any] | None:
    found = revision.published(place.redis, place.keys)
    assert found is not None
    table: dict[str, Any] | None = json.loads(found.text)[section].get(key)
    return table


def created(place: Place, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account, with a look at what it lacks, and its secrets in their places."""
    page = browser.get(ON)
    assert "SEGSYNC_CONNECTOR_KEY_ACCESS_TOKEN" in page
    assert "secrets/connectors/KEY.access_token" in page
    told = text_of(browser.post(ON, f"{NEW}/try", **FORM).text)
    assert "The console cannot connect yet: connectors.fb.app_secret:" in told
    (place.folder / "secrets" / "connectors").mkdir(parents=True)
    (place.folder / "secrets" / "connectors" / "fb.access_token").write_text(TOKEN)
    monkeypatch.setenv("SEGSYNC_CONNECTOR_FB_APP_SECRET", APP_SECRET)
    told = text_of(browser.post(ON, f"{NEW}/try", **FORM).text)
    assert "account fine Facebook Ads Manager lets us in" in told
    assert applied_table(place, "connectors", "fb") is None
    assert "revision 2 is applied" in browser.press(ON, f"{NEW}/apply", **FORM, basis="1")
    assert applied_table(place, "connectors", "fb") == {
        "platform": "facebook-ads",
        "account": ACCOUNT,
        "access_token_file": "secrets/connectors/fb.access_token",
        "app_secret": "${SEGSYNC_CONNECTOR_FB_APP_SECRET}",
    }


def test_from_nothing_to_people_in_an_audience_in_the_browser_alone(
    place: Place, facebook: FakeFacebook, browser: Browser, acts: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    created(place, browser, monkeypatch)
    assert "Connect</button>" not in browser.get("/accounts/fb"), "its token is given"
    place.redis.hset(place.keys.connector("fb"), mapping={"hold": "the token is refused", "hold_code": "fb 190"})
    assert "fb is connected" in browser.press("/accounts/fb", "/accounts/fb/connect")
    assert 'name="fields.em" value="email"' in browser.get("/create?connector=fb")
    assert "revision 3 is applied" in browser.press("/create", "/create/apply", **SENT, basis="2")
    runtime = Runtime(load_local(place.file))
    with place.producer() as producer:
        producer.segment_upsert(7, name="VIP")
        producer.add(7, [{"_id": n, "id": n, "email": f"p{n}@example.com"} for n in range(3)])
    place.let_timeouts_pass()
    assert drain(runtime).failed == 0

    def has_all() -> bool:
        runtime.targets.tend("fb", 1.0)
        return [len(each.people) for each in facebook.audiences.values()] == [3]

    until(has_all)
    runtime.targets.dispose()
    page = browser.get("/accounts/fb") + browser.get("/accounts/fb/edit") + browser.get("/integrations/buyers/edit")
    assert [planted for planted in (TOKEN, APP_SECRET, "planted-seal-of-tests") if planted in page] == []
    done = ["check --connect", "check --connect", "apply", "connect", "apply"]
    assert [name for name, _, outcome in acts.all if outcome == "done"] == done


@pytest.mark.parametrize("platform", [*PLATFORMS.values()], ids=[*PLATFORMS])
def test_each_platform_has_what_it_needs(platform: Any, place: Place, browser: Browser) -> None:
    page = browser.get(f"{NEW}?platform={platform.key}")
    answers = {each.name: "1234" for each in platform.settings if not each.secret}
    answers |= {each.name: "variable" for each in platform.settings if each.secret and each.required}
    assert {f'name="{name}"' in page for name in answers} == {True}
    form = filled(page) | answers | {"key": "ad"}
    missing = next(each.name for each in platform.settings if each.required and not each.secret)
    told = browser.post(ON, f"{NEW}/check", **form | {missing: ""}).text
    assert "missing" in told.partition(f'id="wrong-{missing}"')[2][:100]
    browser.press(ON, f"{NEW}/apply", **form)
    table = applied_table(place, "connectors", "ad")
    assert table is not None
    assert {name: table[name] for name in answers} == {
        name: f"${{SEGSYNC_CONNECTOR_AD_{name.upper()}}}" if text == "variable" else text
        for name, text in answers.items()
    }
    form = filled(browser.get("/accounts/ad/edit")) | {n: text for n, text in answers.items() if text == "variable"}
    assert "Nothing differs" in browser.post("/accounts/ad/edit", "/accounts/ad/edit/difference", **form).text


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        pytest.param("account", "${SEGSYNC_SECRET}", "holds a variable", id="variable"),
        pytest.param("account", "1-2", "is no number", id="number"),
        pytest.param("access_token", "none", "missing", id="secret"),
        pytest.param("key", "db", "is there already", id="taken"),
        pytest.param("statement_timeout", "soon", "expected", id="time"),
    ],
)
def test_it_may_say_what_its_platform_takes_and_nothing_else(
    field: str, value: str, said: str, place: Place, browser: Browser
) -> None:
    page = browser.post(ON, f"{NEW}/check", **FORM | {field: value}).text
    assert said in unescape(page.partition(f'id="wrong-{field}"')[2][:300])
    assert browser.post(ON, f"{NEW}/apply", **FORM | {field: value}, basis="1").status_code == 400
    assert applied_table(place, "connectors", "fb") is None


def test_its_address_its_store_and_its_seal_stay_as_the_file_has_them(
    place: Place, make_console: Callable[..., ASGIApp]
) -> None:
    text = """
[connectors.vk]
platform = "vk-ads"
url = "https://ads.vk.ru"
client_id = "1"
client_secret = "${VK_SECRET:-}"
secret = "${OTHER_SEAL:-}"
store = { url = "sqlite:///store.db" }
"""
    place.publish(integration("crm") + text)
    browser, edit = Browser(make_console()), "/accounts/vk/edit"
    before = applied_table(place, "connectors", "vk")
    page = browser.get(edit)
    assert 'value="kept" checked' in page
    assert "https://ads.vk.ru" in text_of(page)
    form = filled(page) | {"client_secret": "kept", "url": "https://evil.example", "parallelism": "9"}
    browser.press(edit, f"{edit}/apply", **form)
    assert applied_table(place, "connectors", "vk") == {**(before or {}), "parallelism": 9}
    answer = browser.post(edit, f"{edit}/check", **form | {"platform": "yandex-audiences"})
    assert "is vk-ads for good" in text_of(answer.text)
    browser.get("/accounts/db/edit", 404)
    browser.get("/connectors/vk/edit", 404)
    told = browser.press(edit, "/accounts/vk/remove", confirm="vk", basis="2")
    assert "revision 3 is applied" in told


ACCOUNT_TEXT = """
[connectors.ya]
platform = "yandex-audiences"
client_id = "1"
client_secret = "${YA_SECRET:-}"
[integrations.buyers]
connector = "ya"
key = "id"
scope = { database = "main", segments = [7] }
fields = { email = "{lower lead.mail}", externalIDValue = "id", phone = { sha256 = "phone_hash" } }
on_delete = "keep"
"""
EDIT = "/integrations/buyers/edit"


def test_an_integration_of_one_is_edited_and_what_changes_nothing_publishes_nothing(
    place: Place, make_console: Callable[..., ASGIApp]
) -> None:
    place.publish(integration("crm") + ACCOUNT_TEXT)
    browser = Browser(make_console())
    form = filled(browser.get(EDIT))
    assert {name: text for name, text in form.items() if name.partition(".")[0] in ("fields", "hashed") and text} == {
        "fields.email": "{lower lead.mail}",
        "fields.external_id": "id",
        "fields.phone": "phone_hash",
        "hashed.phone": "sha256",
    }
    assert "Nothing differs" in browser.post(EDIT, "/integrations/buyers/difference", **form).text
    browser.press(EDIT, "/integrations/buyers/apply", **form | {"fields.email": "email", "consent": "ads"})
    found = applied_table(place, "integrations", "buyers")
    assert found is not None
    assert found["fields"] == {"email": "email", "external_id": "id", "phone": {"sha256": "phone_hash"}}
    assert (found["consent"], "queries" in found) == ("ads", False)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        pytest.param("fields.email", "{lower", "is not closed", id="template"),
        pytest.param("phone_region", "XX", "is no country", id="country"),
        pytest.param("key_fields", "", "missing", id="key"),
    ],
)
def test_what_is_wrong_with_what_is_sent_stands_beside_its_field(
    field: str, value: str, said: str, place: Place, make_console: Callable[..., ASGIApp]
) -> None:
    place.publish(integration("crm") + ACCOUNT_TEXT)
    browser = Browser(make_console())
    form = filled(browser.get(EDIT)) | {"fields.phone": "phone", "hashed.phone": "", field: value}
    page = browser.post(EDIT, "/integrations/buyers/check", **form).text
    assert said in unescape(page.partition(f'id="wrong-{field}"')[2][:300])
    form |= {field: "", "fields.email": "", "fields.phone": "", "fields.external_id": ""}
    page = browser.post(EDIT, "/integrations/buyers/check", **form).text
    assert "missing" in page.partition('id="wrong-fields"')[2][:100]


def test_its_preview_shows_what_would_be_sent_and_nothing_is_tried(
    place: Place, make_console: Callable[..., ASGIApp]
) -> None:
    place.publish(integration("crm") + ACCOUNT_TEXT)
    browser = Browser(make_console())
    form = filled(browser.get(EDIT))
    event = '{"type": "add", "segment": {"id": 7}, "profiles": [{"_id": 1, "id": "</pre><b>", "mail": "ANN@x.org"}]}'
    page = browser.post(EDIT, "/integrations/buyers/preview", **form | {"example": event}).text
    assert "sha256" in page.partition('aria-label="Statements"')[2]
    assert "</pre><b>)" not in page
    told = text_of(browser.post(EDIT, "/integrations/buyers/try", **form | {"example": event}).text)
    assert "ya is an ad account, on which nothing can be tried" in told
