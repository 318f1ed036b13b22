"""Connectors: shown, checked, and created in the browser alone; their passwords never go through it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from html import unescape
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.integration.console.browser import Browser, Recorded, text_of
from tests.integration.console.test_editing import filled
from tests.integration.place import integration
from tests.servers.postgresql import PASSWORD, PASSWORD_USER
from workers.connectors.sql.vendors import VENDORS
from workers.settings import lacking, revision

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from tests.integration.place import Place

NEW = "/create-connector"
FORM = {"key": "shop", "url": "sqlite:///shop.db", "password": "none", "parallelism": "2", "rate": "30/m"}


STORE = """
[connectors.vk]
platform = "vk-ads"
client_id = "1"
client_secret = "${{A:-}}"
store = {{ url = "postgresql://u@one/d", password = "{}" }}
"""
"""An ad account whose store has a secret."""


@pytest.fixture
def browser(place: Place, make_console: Callable[..., ASGIApp]) -> Browser:
    place.publish(integration("crm"))
    return Browser(make_console())


def declared(place: Place, key: str) -> dict[str, Any] | None:
    found = revision.published(place.redis, place.keys)
    assert found is not None
    table: dict[str, Any] | None = json.loads(found.text)["connectors"].get(key)
    return table


def test_each_stands_there_with_its_address_and_who_uses_it(place: Place, browser: Browser) -> None:
    place.redis.hset(place.keys.connector("db"), mapping={"hold": "wrong <password>", "hold_code": "sqlite 1"})
    lacking.note(place.redis, place.keys, "a@one", {"db": "connectors.db.password: X is not set"}, [])
    told = text_of(browser.get("/connectors"))
    assert "db SQLite sqlite:///target.db held" in told
    assert "sqlite 1: wrong <password> a@one lacks something 1 as fast as it goes never" in told
    assert "No connector fits" in browser.get("/connectors?q=oracle")
    told = text_of(browser.get("/connectors/db"))
    assert "a@one cannot connect: connectors.db.password: X is not set" in told
    assert "Integrations crm" in told
    browser.get("/connectors/none", 404)


def test_one_is_checked_as_by_the_command_and_its_outcome_is_kept(
    place: Place, browser: Browser, acts: Recorded
) -> None:
    told = browser.press("/connectors/db", "/connectors/db/check")
    assert "db is fine" in told
    assert "by ann@test: fine" in told
    assert "tried those of crm" in told
    place.publish(integration("crm", table="missing"))
    assert "db needs someone" in browser.press("/connectors/db", "/connectors/db/check")
    assert "mistake" in text_of(browser.get("/connectors"))
    assert acts.all == [("check --connect", "ann@test", "done")] * 2


def test_one_is_created_tried_changed_and_removed(place: Place, browser: Browser, acts: Recorded) -> None:
    with closing(sqlite3.connect(place.folder / "shop.db")) as target:
        target.execute("CREATE TABLE member (segment_id TEXT)")
    assert "session fine" in text_of(browser.post(NEW, f"{NEW}/try", **FORM).text)
    assert declared(place, "shop") is None
    assert "+ connectors.shop.rate" in text_of(browser.post(NEW, f"{NEW}/difference", **FORM).text)
    told = browser.press(NEW, f"{NEW}/apply", **FORM, basis="1")
    assert "revision 2 is applied" in told
    assert declared(place, "shop") == {"url": "sqlite:///shop.db", "parallelism": 2, "rate": "30/m"}
    edit = "/connectors/shop/edit"
    form = filled(browser.get(edit))
    browser.press(edit, f"{edit}/apply", **form | {"password": "none", "rate": ""})
    assert declared(place, "shop") == {"url": "sqlite:///shop.db", "parallelism": 2}
    refused = browser.post(edit, "/connectors/shop/remove", basis="3", confirm="shpo")
    assert (refused.status_code, "'shpo' was typed; expected 'shop'" in text_of(refused.text)) == (400, True)
    browser.press(edit, "/connectors/shop/remove", basis="3", confirm="shop")
    assert declared(place, "shop") is None
    done = ["check --connect", "apply", "apply", "apply"]
    assert [name for name, _, outcome in acts.all if outcome == "done"] == done


def test_calls_are_allowed_and_not_any_more(place: Place, browser: Browser) -> None:
    browser.press(NEW, f"{NEW}/apply", **FORM, allow="on", basis="1")
    assert (declared(place, "shop") or {})["allow"] == ["call"]
    edit = "/connectors/shop/edit"
    form = filled(browser.get(edit)) | {"password": "none"}
    assert "Nothing differs" in browser.post(edit, f"{edit}/difference", **form).text
    del form["allow"]
    browser.press(edit, f"{edit}/apply", **form)
    assert "allow" not in (declared(place, "shop") or {})


def test_one_that_is_used_is_not_removed(place: Place, browser: Browser) -> None:
    assert "Remove it" not in browser.get("/connectors/db/edit")
    refused = browser.post("/connectors/db/edit", "/connectors/db/remove", basis="1", confirm="db")
    assert (refused.status_code, "is no connector" in refused.text) == (400, True)
    assert declared(place, "db")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        pytest.param("url", "postgresql://u:secret@h/d", "there is a password inside the URL", id="password"),
        pytest.param("url", "postgresql://u@${SEGSYNC_SECRET}.example.com/d", "holds a variable", id="variable"),
        pytest.param("url", "mysql://u@h/d?ssl_ca=/etc/hostname", "names a file (ssl_ca)", id="file"),
        pytest.param("url", "mysql://u@h/d?ssl_disabled=true&ssl-mode=REQUIRED", "means nothing where", id="tls"),
        pytest.param("url", "", "missing", id="empty"),
        pytest.param("rate", "fast", "is no rate", id="rate"),
        pytest.param("parallelism", "many", "expected", id="parallelism"),
        pytest.param("timezone", "Mars", "is no time zone", id="zone"),
        pytest.param("key", "A b", "cannot be a name", id="key"),
        pytest.param("key", "db", "is there already", id="taken"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(
    field: str, value: str, said: str, place: Place, browser: Browser
) -> None:
    page = browser.post(NEW, f"{NEW}/apply", **FORM | {field: value}, basis="1")
    assert page.status_code == 400
    page = browser.post(NEW, f"{NEW}/check", **FORM | {field: value})
    assert said in unescape(page.text.partition(f'id="wrong-{field}"')[2][:300])
    assert "secret" not in text_of(page.text).replace("secrets/", "")
    assert declared(place, "shop") is None


def test_two_keys_never_share_a_variable(place: Place, browser: Browser) -> None:
    url = "postgresql://u@localhost/d"
    browser.press(NEW, f"{NEW}/apply", key="a-b", url=url, password="variable", basis="1")
    page = browser.post(NEW, f"{NEW}/check", key="a_b", url=url, password="variable")
    assert "SEGSYNC_CONNECTOR_A_B_PASSWORD is the variable of a-b, too" in page.text
    assert declared(place, "a-b") == {"url": url, "password": "${SEGSYNC_CONNECTOR_A_B_PASSWORD}"}


def test_a_password_that_the_file_declares_stays_where_it_is(
    place: Place, make_console: Callable[..., ASGIApp]
) -> None:
    text = '[connectors.pg]\nurl = "postgresql://${PGUSER:-u}@localhost/d"\npassword = "${PG_WORD:-}"\n'
    place.publish(integration("crm") + text)
    browser, edit = Browser(make_console()), "/connectors/pg/edit"
    page = browser.get(edit)
    assert 'value="kept" checked' in page
    form = filled(page) | {"password": "kept", "parallelism": "9"}
    browser.press(edit, f"{edit}/apply", **form)
    found = declared(place, "pg")
    assert found == {"url": "postgresql://${PGUSER:-u}@localhost/d", "password": "${PG_WORD:-}", "parallelism": 9}


def test_a_password_is_sent_to_no_other_address_than_it_was_applied_with(place: Place, browser: Browser) -> None:
    """Nor by way of a connector that has none, or of another one of the same key."""
    form = {"key": "pg", "url": "postgresql://u@one.example/d?sslmode=require", "password": "file"}
    browser.press(NEW, f"{NEW}/apply", **form, basis="1")
    assert declared(place, "pg") == {"url": form["url"], "password_file": "secrets/connectors/pg"}
    edit, away = "/connectors/pg/edit", form["url"].replace("one", "two")
    for url in (away, form["url"].replace("require", "disable"), form["url"].replace("/d", ":99/d")):
        page = browser.post(edit, f"{edit}/try", **form | {"url": url})
        assert "leads a password to another address" in page.text.partition('id="wrong-url"')[2][:300]
    browser.press(edit, f"{edit}/apply", **form | {"url": form["url"].replace("u@", "v@")}, basis="2")
    browser.press(edit, f"{edit}/apply", **form | {"url": away, "password": "none"}, basis="3")
    assert browser.post(edit, f"{edit}/apply", **form | {"url": away}, basis="4").status_code == 400
    browser.press(edit, "/connectors/pg/remove", basis="4", confirm="pg")
    assert browser.post(NEW, f"{NEW}/apply", **form | {"url": away}, basis="5").status_code == 400
    browser.press(NEW, f"{NEW}/apply", **form, basis="5")


def test_what_the_file_has_led_elsewhere_is_edited_where_it_leads_now(
    place: Place, make_console: Callable[..., ASGIApp]
) -> None:
    for host in ("one", "two"):
        text = f'[connectors.pg]\nurl = "postgresql://u@{host}/d"\npassword = "${{PG_WORD:-}}"\n'
        place.publish(integration("crm") + text)
    browser, edit = Browser(make_console()), "/connectors/pg/edit"
    form = filled(browser.get(edit)) | {"password": "kept", "parallelism": "9"}
    browser.press(edit, f"{edit}/apply", **form)
    back = form | {"url": "postgresql://u@one/d", "basis": "3"}
    assert browser.post(edit, f"{edit}/apply", **back).status_code == 400


@pytest.mark.parametrize(
    "other",
    [
        '[sources.main]\nurl = "postgresql://u@one/d"\npassword = "{}"\nmembers = "SELECT {{segment_id}} AS _id"\n',
        '[sources.main]\nurl = "https://one/{{segment_id}}"\nheaders = {{ A = "Bearer {}" }}\n',
        '[sources.main]\nurl = "https://one/{{segment_id}}"\nsegments = "https://one/all?key={}"\n',
        '[connectors.vk]\nplatform = "vk-ads"\nclient_id = "1"\nclient_secret = "{}"\n',
        STORE,
        '[connectors.mine]\nurl = "postgresql://u:{}@one/d"\n',
        '[sources.main]\nurl = "https://one/{{segment_id}}?key={}"\n',
    ],
    ids=["source", "header", "list", "account", "store", "inside", "asked"],
)
def test_a_secret_that_something_else_has_goes_nowhere_else(
    other: str, place: Place, make_console: Callable[..., ASGIApp]
) -> None:
    """A key is chosen freely, and so could be the variable of a secret that the file has elsewhere."""
    place.publish(integration("crm") + other.format("${SEGSYNC_CONNECTOR_PG_PASSWORD:-}"))
    browser, form = Browser(make_console()), {"key": "pg", "url": "postgresql://u@evil/d", "password": "variable"}
    page = browser.post(NEW, f"{NEW}/try", **form).text
    assert "leads a password to another address" in page.partition('id="wrong-url"')[2][:300]


@pytest.mark.parametrize(
    "spelled", ["./secrets/connectors/pg", "{folder}/secrets/connectors/pg", "${{FOLDER}}/pg", "linked/pg"]
)
def test_a_file_is_the_same_however_its_path_is_spelled(
    spelled: str, place: Place, make_console: Callable[..., ASGIApp], monkeypatch: pytest.MonkeyPatch
) -> None:
    (place.folder / "secrets" / "connectors").mkdir(parents=True)
    (place.folder / "linked").symlink_to("secrets/connectors")
    monkeypatch.setenv("FOLDER", "secrets/connectors")
    file = spelled.format(folder=place.folder)
    place.publish(integration("crm") + f'[connectors.a]\nurl = "postgresql://u@one/d"\npassword_file = "{file}"\n')
    browser, form = Browser(make_console()), {"key": "pg", "url": "postgresql://u@evil/d", "password": "file"}
    page = browser.post(NEW, f"{NEW}/try", **form).text
    assert "leads a password to another address" in page.partition('id="wrong-url"')[2][:300]


def test_in_the_browser_alone_to_a_table_of_postgresql_with_a_password(
    place: Place,
    make_console: Callable[..., ASGIApp],
    postgresql_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From an installation that has neither connector nor integration."""
    with psycopg.connect(postgresql_url, autocommit=True) as session:
        for table in (VENDORS["postgresql"].preset.members, VENDORS["postgresql"].preset.segments):
            session.execute(table.encode())
        session.execute(f"GRANT ALL ON segment_member, segment TO {PASSWORD_USER}".encode())
    place.write()
    head = place.file.read_text().partition("[connectors")[0]
    place.file.write_text(head)
    browser = Browser(make_console())
    assert "There is no connector yet" in browser.get("/create")
    form = {"key": "pg", "url": postgresql_url.replace("segsync@", f"{PASSWORD_USER}@"), "password": "file"}
    told = text_of(browser.post(NEW, f"{NEW}/try", **form).text)
    assert "The console cannot connect yet: connectors.pg.password_file: secrets/connectors/pg:" in told
    (place.folder / "secrets" / "connectors").mkdir(parents=True)
    (place.folder / "secrets" / "connectors" / "pg").write_text(PASSWORD + "\n")
    told = text_of(browser.post(NEW, f"{NEW}/try", **form).text)
    assert "session fine" in told
    assert PASSWORD not in told
    assert "revision 1 is applied" in browser.press(NEW, f"{NEW}/apply", **form, basis="0")
    usual = filled(browser.get("/create?connector=pg")) | {"key": "vip", "timeout": "1s"}
    assert "revision 2 is applied" in browser.press("/create", "/create/apply", **usual)
    assert "pg is fine" in browser.press("/connectors/pg", "/connectors/pg/check")
    monkeypatch.setenv("SEGSYNC_CONNECTOR_PG_PASSWORD", "planted-word")
    page = browser.get("/connectors/pg/edit")
    assert "which is set where the console runs" in text_of(page)
    assert "planted-word" not in page
