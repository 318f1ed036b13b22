"""Sources in the console: shown, checked, created and changed; their secrets never go through it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from html import unescape
from typing import TYPE_CHECKING

import pytest

from tests.integration.console.browser import Browser, Recorded, text_of
from tests.integration.console.test_account_form import applied_table
from tests.integration.console.test_editing import filled
from tests.integration.place import integration
from workers.settings import revision

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from tests.integration.place import Place

NEW = "/create-source"
MEMBERS = "SELECT id AS _id, id FROM membership WHERE segment = {segment_id} AND id > {after} ORDER BY id LIMIT {limit}"
SQL = {
    "kind": "sql",
    "key": "main",
    "url": "sqlite:///shop.db",
    "password": "none",
    "members": MEMBERS,
    "paged": "number",
    "first": "0",
    "delay": "0s",
}
URL = "https://platform.example/s/{segment_id}?after={after}&limit={limit}"
HTTP = {"kind": "http", "key": "main", "url": URL, "paged": "number", "first": "0", "rows": "50", "readers": "2"}
SEGMENTS = "https://platform.example/segments"
SECRET = {"token_place": "variable", "header": "Authorization", "prefix": "Bearer"}


@pytest.fixture
def browser(place: Place, make_console: Callable[..., ASGIApp]) -> Browser:
    place.publish(integration("crm"))
    with closing(sqlite3.connect(place.folder / "shop.db")) as source, source:
        source.execute("CREATE TABLE membership (segment INTEGER, id INTEGER PRIMARY KEY)")
        source.execute("INSERT INTO membership VALUES (1, 11), (1, 12)")
    return Browser(make_console())


def test_one_is_created_tried_checked_changed_and_removed(place: Place, browser: Browser, acts: Recorded) -> None:
    assert "There is none" in browser.get("/sources")
    told = text_of(browser.post(NEW, f"{NEW}/try", **SQL).text)
    assert "2 first members, with the fields _id, id" in told
    assert "+ sources.main.members" in text_of(browser.post(NEW, f"{NEW}/difference", **SQL).text)
    assert "revision 2 is applied" in browser.press(NEW, f"{NEW}/apply", **SQL, basis="1")
    assert applied_table(place, "sources", "main") == {
        "url": "sqlite:///shop.db",
        "members": MEMBERS,
        "first": 0,
        "delay": "0s",
    }
    told = browser.press("/sources/main", "/sources/main/check")
    assert "main is fine" in told
    assert "by ann@test: fine" in told
    assert "main SQLite sqlite:///shop.db of 5,000 crm fine" in text_of(browser.get("/sources"))
    assert "Nobody has checked it" in browser.get("/connectors/db"), "of another name"
    edit = "/sources/main/edit"
    form = filled(browser.get(edit)) | {"password": "none"}
    assert "Nothing differs" in browser.post(edit, f"{edit}/difference", **form).text
    browser.press(edit, f"{edit}/apply", **form | {"rows": "70", "members": MEMBERS.replace("membership", "missing")})
    assert "main needs someone" in browser.press("/sources/main", "/sources/main/check")
    browser.press(edit, "/sources/main/remove", confirm="main", basis="3")
    found = revision.published(place.redis, place.keys)
    assert found is not None
    assert "sources" not in json.loads(found.text)
    done = ["check --connect", "apply", "check --connect", "apply", "check --connect", "apply"]
    assert [name for name, _, outcome in acts.all if outcome == "done"] == done


def test_an_address_that_answers_is_created_and_kept(place: Place, browser: Browser) -> None:
    browser.press(NEW, f"{NEW}/apply", **HTTP | SECRET, basis="1")
    table = {
        "url": URL,
        "headers": {"Authorization": "Bearer ${SEGSYNC_SOURCE_MAIN_TOKEN}"},
        "first": 0,
        "rows": 50,
        "readers": 2,
    }
    assert applied_table(place, "sources", "main") == table
    edit = "/sources/main/edit"
    page = browser.get(edit)
    assert "which is not set where the console runs" in text_of(page)
    form = filled(page) | {"token_place": "variable"}
    assert "Nothing differs" in browser.post(edit, f"{edit}/difference", **form).text
    pages = URL.replace("&limit={limit}", "").replace("?after={after}", "")
    browser.press(edit, f"{edit}/apply", **form | {"url": pages, "paged": "", "timeout": "90s", "segments": SEGMENTS})
    found = applied_table(place, "sources", "main")
    assert found is not None
    assert found == {
        "url": pages,
        "timeout": "90s",
        "headers": table["headers"],
        "rows": 50,
        "readers": 2,
        "segments": SEGMENTS,
    }


@pytest.mark.parametrize(
    ("form", "field", "said"),
    [
        pytest.param({**SQL, "members": ""}, "members", "missing", id="query"),
        pytest.param({**SQL, "members": "SELECT {lead.x}"}, "members", "names a profile's field", id="field"),
        pytest.param({**SQL, "url": URL}, "url", "is an address of another kind", id="kind"),
        pytest.param({**SQL, "url": "postgresql://u:word@h/d"}, "url", "a password inside the URL", id="password"),
        pytest.param({**SQL, "rows": "many"}, "rows", "expected", id="rows"),
        pytest.param({**SQL, "paged": ""}, "first", "missing", id="pages"),
        pytest.param({**HTTP, "url": "https://p.example/"}, "url", "does not name {segment_id}", id="segment"),
        pytest.param({**HTTP, **SECRET, "header": "a b"}, "header", "is no header's name", id="header"),
        pytest.param({**HTTP, "segments": "https://evil.example/"}, "segments", "expected the same", id="list"),
        pytest.param({**SQL, "key": "Main"}, "key", "cannot be a name", id="key"),
    ],
)
def test_what_is_wrong_with_a_source_stands_beside_its_field(
    form: dict[str, str], field: str, said: str, browser: Browser
) -> None:
    page = browser.post(NEW, f"{NEW}/check", **form).text
    assert said in unescape(page.partition(f'id="wrong-{field}"')[2][:300])
    assert "word" not in text_of(page).replace("password", "")


@pytest.mark.parametrize(
    ("form", "field", "said"),
    [
        pytest.param({**SQL, "url": "postgresql://u@${REDIS_PASSWORD}/d"}, "url", "holds a variable", id="address"),
        pytest.param({**SQL, "url": "mysql://u@h/d?ssl_key=/etc/shadow"}, "url", "names a file (ssl_key)", id="file"),
        pytest.param({**HTTP, **SECRET, "prefix": "${REDIS_PASSWORD}"}, "prefix", "holds a variable", id="header"),
        pytest.param(
            {**SQL, "kind": "program", "url": "", "command": "/bin/sh"}, "url", "segsync.toml alone", id="program"
        ),
    ],
)
def test_what_only_the_file_may_have_is_refused(
    form: dict[str, str], field: str, said: str, place: Place, browser: Browser
) -> None:
    page = browser.post(NEW, f"{NEW}/check", **form).text
    assert said in unescape(page.partition(f'id="wrong-{field}"')[2][:300])
    assert browser.post(NEW, f"{NEW}/apply", **form, basis="1").status_code == 400
    found = revision.published(place.redis, place.keys)
    assert found is not None
    assert found.revision == 1


def test_of_a_program_all_but_the_program_is_edited(place: Place, make_console: Callable[..., ASGIApp]) -> None:
    text = '[sources.main]\ncommand = ["/usr/bin/members", "{segment_id}"]\n'
    place.publish(integration("crm") + text)
    browser, edit = Browser(make_console()), "/sources/main/edit"
    form = filled(browser.get(edit)) | {"timeout": "90s", "command": "/bin/sh"}
    browser.press(edit, f"{edit}/apply", **form)
    assert applied_table(place, "sources", "main") == {
        "command": ["/usr/bin/members", "{segment_id}"],
        "timeout": "90s",
    }


def test_headers_that_only_the_file_has_are_kept(place: Place, make_console: Callable[..., ASGIApp]) -> None:
    headers = '{ A = "1", B = "${B_TOKEN:-}" }'
    text = f'[sources.main]\nurl = "{URL}"\nheaders = {headers}\nfirst = 0\n'
    place.publish(integration("crm") + text)
    browser, edit = Browser(make_console()), "/sources/main/edit"
    page = browser.get(edit)
    assert "as it is, in A, B" in text_of(page)
    browser.press(edit, f"{edit}/apply", **filled(page) | {"token_place": "kept", "rows": "9"})
    found = applied_table(place, "sources", "main")
    assert found is not None
    assert found["headers"] == {"A": "1", "B": "${B_TOKEN:-}"}


def test_what_a_header_says_is_sent_to_no_other_address(place: Place, make_console: Callable[..., ASGIApp]) -> None:
    """Without a variable, too: it may be a secret all the same."""
    place.publish(integration("crm") + f'[sources.main]\nurl = "{URL}"\nheaders = {{ Tenant = "one" }}\nfirst = 0\n')
    browser, edit = Browser(make_console()), "/sources/main/edit"
    form = filled(browser.get(edit)) | {"token_place": "kept", "url": URL.replace("platform", "evil")}
    page = browser.post(edit, f"{edit}/try", **form).text
    assert "leads a password to another address" in page.partition('id="wrong-url"')[2][:300]
    browser.press(edit, f"{edit}/apply", **form | {"url": URL.replace("/s/", "/t/")})


@pytest.mark.parametrize(
    ("form", "away"),
    [
        pytest.param(
            {**SQL, "url": "postgresql://u@one.example/d", "password": "variable"},
            "postgresql://u@two.example/d",
            id="sql",
        ),
        pytest.param({**HTTP, **SECRET}, URL.replace("platform", "evil"), id="http"),
    ],
)
def test_a_secret_is_sent_to_no_other_address(form: dict[str, str], away: str, browser: Browser) -> None:
    """Nor by way of a source that has none, or of a new one of the same key."""
    browser.press(NEW, f"{NEW}/apply", **form, basis="1")
    edit, elsewhere, none = "/sources/main/edit", form | {"url": away}, {"password": "none", "token_place": "none"}
    page = browser.post(edit, f"{edit}/try", **elsewhere).text
    assert "leads a password to another address" in page.partition('id="wrong-url"')[2][:300]
    browser.press(edit, f"{edit}/apply", **elsewhere | none, basis="2")
    assert browser.post(edit, f"{edit}/apply", **elsewhere, basis="3").status_code == 400
    browser.press(edit, "/sources/main/remove", confirm="main", basis="3")
    assert browser.post(NEW, f"{NEW}/apply", **elsewhere, basis="4").status_code == 400
    browser.press(NEW, f"{NEW}/apply", **form, basis="4")


def test_two_sources_never_share_a_variable(browser: Browser) -> None:
    form = SQL | {"url": "postgresql://u@h/d", "password": "variable"}
    browser.press(NEW, f"{NEW}/apply", **form | {"key": "a-b"}, basis="1")
    page = browser.post(NEW, f"{NEW}/check", **form | {"key": "a_b"}).text
    assert "its variable is that of a-b, too" in page.partition('id="wrong-password"')[2][:200]
