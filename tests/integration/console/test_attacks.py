"""What else an attacker would try: sessions that are planted, names that look alike, hosts, paths, headers, bombs."""

from __future__ import annotations

import gzip
import json
import logging
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.console.entering import PASSWORD, Person, cheap_hash, console_of, token_table, users
from tests.integration.console.test_api import Program
from tests.integration.console.test_safety import filled
from tests.integration.place import integration
from workers.console.entry import NO_NAME
from workers.console.guesses import OF_ADDRESS, OF_BOTH, counted_as
from workers.console.pages import ACTS, PAGES
from workers.console.seals import new_cookie
from workers.console.shield import HEADERS
from workers.control.drain import drain
from workers.ledger.past_acts import list_acts
from workers.settings import passwords

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from tests.integration.place import Place

CONSOLE = users(ann="editor", bob="operator", eve="viewer") + token_table("worker", "worker-text", "read", "operate")


@pytest.fixture
def app(place: Place) -> ASGIApp:
    return console_of(place, CONSOLE)


def signed_in(app: ASGIApp, name: str) -> Person:
    person = Person(app)
    assert person.sign_in(name).status_code == 303
    return person


def test_a_session_that_was_planted_before_is_not_the_one_after(app: ASGIApp) -> None:
    """Nor is a form's token of a cookie that somebody else knows."""
    planted = signed_in(app, "eve").client.cookies["segsync_session"]
    known = new_cookie()
    ann = Person(app)
    ann.client.cookies.set("segsync_session", planted)
    ann.client.cookies.set("segsync_browser", known)
    token = ann.token("/login")
    answer = ann.client.post("/login", data={"token": token, "name": "ann", "password": PASSWORD})
    assert answer.status_code == 303
    given = dict(re.findall(r"(segsync_\w+)=([^;]+)", ", ".join(answer.headers.get_list("set-cookie"))))
    assert given["segsync_session"] != planted
    assert given["segsync_browser"] != known
    assert "ann ·" not in Person(app, cookie=f"segsync_session={planted}").client.get("/").text
    after = Person(app, cookie="; ".join(f"{name}={value}" for name, value in given.items()))
    assert "ann · editor" in after.client.get("/").text
    assert after.client.post("/integrations/crm/pause", data={"token": token}).status_code == 403


def test_who_signs_out_ends_the_session_and_not_only_the_cookie(app: ASGIApp) -> None:
    """In all tabs, and for whoever has copied it; another session of the same person goes on."""
    ann, elsewhere = signed_in(app, "ann"), signed_in(app, "ann")
    copied = Person(app, cookie=f"segsync_session={ann.client.cookies['segsync_session']}")
    assert copied.client.get("/").status_code == 200
    answer = ann.client.post("/logout", data={"token": ann.token("/find")})
    assert re.search(r"segsync_session=.*Max-Age=0", answer.headers["set-cookie"])
    assert copied.client.get("/").status_code == 303
    assert copied.client.get("/live?at=/").status_code == 401
    assert elsewhere.client.get("/").status_code == 200


def test_cookies_are_for_this_site_alone(place: Place) -> None:
    proxy = '[console.proxy]\nheader = "X-User"\naddresses = ["10.0.0.7"]\n'
    ann = Person(console_of(place, CONSOLE + proxy), "10.0.0.7", **{"x-forwarded-proto": "https"})
    ann.client.base_url = "https://127.0.0.1"
    answer = ann.sign_in("ann")
    assert answer.status_code == 303
    for cookie in answer.headers.get_list("set-cookie"):
        flags = {each.strip().lower() for each in cookie.split(";")[1:] if "max-age" not in each.lower()}
        assert flags == {"httponly", "path=/", "samesite=strict", "secure"}, cookie


LOOK_ALIKE = ["Ann", "ANN", "\uff41\uff4e\uff4e", "a\u200bnn", "\u0430nn", "ann\0", "ann\u202e", "an\u0301n", "ann,"]


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's hash takes no time to look at."""
    monkeypatch.setattr(passwords, "_nobody", cheap_hash)


@pytest.mark.usefixtures("cheap")
def test_a_name_that_looks_like_a_users_is_nobodys(app: ASGIApp) -> None:
    for name in LOOK_ALIKE:
        assert Person(app).sign_in(name).status_code == 403, name


@pytest.mark.usefixtures("cheap")
def test_no_look_alike_gets_into_the_audit_log(place: Place, app: ASGIApp) -> None:
    guesser = Person(app)
    for _ in range(OF_BOTH + 1):
        guesser.sign_in("nn\u202ea\0<b>", "guess")
    runtime = place.publish(integration())
    runtime.drain_outcomes(10)
    (found,) = list_acts(runtime.ledger)
    assert (found.who, found.act, bool(found.failed)) == (NO_NAME, "sign in", True)


def test_a_name_that_is_none_is_looked_at_as_long_as_one_that_is(app: ASGIApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """One hash each, and for who is none not a cheaper one than new users have."""
    looked, hasher = [], passwords._hasher()
    verify = hasher.verify

    def counted(known: str, password: Any) -> bool:
        looked.append(known)
        return verify(known, password)

    monkeypatch.setattr(passwords, "_hasher", lambda: type("H", (), {"verify": staticmethod(counted), "hash": hasher.hash}))  # fmt: skip  # noqa: E501
    for name in ("ann", "nobody"):
        Person(app).sign_in(name, "guess")
    assert len(looked) == 2
    new = passwords.hash_of_password("x").partition(",p=")[0]
    assert looked[1].startswith(new)


def test_a_crowd_of_addresses_of_one_host_guesses_as_one(app: ASGIApp) -> None:
    assert counted_as("2001:db8::1") == counted_as("2001:db8::ffff:1") != counted_as("2001:db8:0:1::1")
    assert counted_as("::ffff:192.0.2.1") == counted_as("192.0.2.1") == "192.0.2.1"
    for number in range(OF_BOTH):
        assert Person(app, f"2001:db8::{number:x}").sign_in("ann", "guess").status_code == 403
    assert Person(app, "2001:db8::ffff").sign_in("ann").status_code == 429
    assert Person(app, "2001:db8:0:1::1").sign_in("ann").status_code == 303
    assert OF_BOTH < OF_ADDRESS


def test_no_answer_leads_to_the_host_that_was_asked_for(app: ASGIApp) -> None:
    """With users any name may be asked for: none of it stands in an answer."""
    ann, evil = signed_in(app, "ann"), {"host": "evil.example", "x-forwarded-host": "evil.example"}
    stranger = Person(app)
    for path in [filled(page.path) for page in PAGES] + ["/runs/", "/find/", "/login", "/login/", "/static", "//find"]:
        for person in (ann, stranger):
            answer = person.client.get(path, headers=evil)
            assert "evil.example" not in answer.text + str(answer.headers), path
            assert answer.headers.get("location", "/").startswith("/"), path
            assert not answer.headers.get("location", "/").startswith("//"), path


TRICKS = [
    "//evil.example/",
    "//evil.example/%2e%2e",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/integrations/%00",
    "/integrations/%0d%0aset-cookie:%20x=y",
    "/integrations/%ff%fe",
    "/integrations/crm%2fpause",
    "/integrations/" + "a" * 20_000,
    "/quarantine/-1",
    "/quarantine/99999999999999999999",
    "/quarantine/%D9%A3",
    "/revisions/0x1",
    "/revisions/1e3",
    "/segment?id=%00",
    "/segments?after=-1",
    "/segments?q=%00%ff",
    "/runs?segment=%00&since=%00",
    "/audit?target=%00",
    "/live?at=//evil.example/",
    "/live?at=/login",
    "/live?at=/static/console.css",
    "/integrations/crm?since=9999999999999999&until=%00&tz=../../etc/passwd",
]


@pytest.mark.parametrize("path", TRICKS)
def test_no_path_does_more_than_its_route(app: ASGIApp, path: str) -> None:
    answer = signed_in(app, "ann").client.get(path)
    assert answer.status_code in (200, 400, 401, 404, 405), answer.text
    assert "root:" not in answer.text
    assert "x" not in answer.cookies
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


def test_no_header_makes_another_request_of_one(place: Place, app: ASGIApp) -> None:
    ann = signed_in(app, "ann")
    told = {"x-http-method-override": "POST", "x-original-url": "/integrations/crm/pause", "x-rewrite-url": "/audit"}
    assert ann.client.get("/integrations/crm", headers=told).status_code == 200
    for method in ("PUT", "DELETE", "PATCH", "TRACE", "OPTIONS"):
        for path in ("/integrations/crm/pause", "/api/integrations/crm/pause", "/login"):
            assert ann.client.request(method, path).status_code == 405, (method, path)
    assert place.redis.hget(place.keys.integration("crm"), "paused") is None
    forged = Person(app, **{"x-user": "ann", "x-forwarded-user": "ann", "remote-user": "ann", "forwarded": "for=1"})
    assert forged.client.get("/").status_code == 303


def test_every_failure_says_what_a_page_may_do_too(place: Place, app: ASGIApp) -> None:
    ann = signed_in(app, "ann")
    answers = [
        Person(app).client.get("/"),
        Person(app, accept="*/*").client.get("/"),
        ann.client.get("/no/such"),
        ann.client.get("/integrations/none"),
        ann.client.get("/runs?since=someday"),
        signed_in(app, "eve").client.get("/audit"),
        ann.client.put("/"),
        ann.client.post("/find", data={}),
        ann.client.post("/login", data={"name": "x" * 10_000}),
        ann.client.get("/api/status"),
        Person(console_of(place, "")).client.get("/", headers={"host": "evil.example"}),
    ]
    assert [each.status_code for each in answers] == [303, 401, 404, 404, 400, 403, 405, 403, 413, 401, 421]
    for answer in answers:
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, answer.status_code
        assert answer.headers["cache-control"] == "no-store"


def test_nothing_that_holds_peoples_data_is_kept_by_anybody(place: Place, app: ASGIApp) -> None:
    runtime = place.publish(integration())
    with place.producer() as producer:
        producer.add(7, [{"_id": "planted", "email": "planted@example.com"}])
    place.let_timeouts_pass()
    drain(runtime)
    runtime.drain_outcomes(5)
    bob, worker = signed_in(app, "bob"), Program(app, "worker-text")
    token = bob.token("/find")
    answers = [
        bob.client.get("/quarantine"),
        bob.client.post("/quarantine/1/reveal", data={"token": token}),
        bob.client.post("/quarantine/export", data={"token": token, "id": "1"}),
        bob.client.post("/find", data={"token": token, "integration": "crm", "segment": "7", "profile": "planted"}),
        bob.client.post("/erase/look", data={"token": token, "ids": "planted"}),
        worker.client.post("/api/quarantine/1/reveal", json={}),
        worker.client.get("/api/quarantine"),
        worker.client.post("/api/why", json={"integration": "crm", "segment": 7, "profile": "planted"}),
        worker.client.post("/api/erase/look", json={"profiles": ["planted"]}),
    ]
    assert [each.status_code for each in answers] == [200] * len(answers)
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store", answer.url
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "planted" not in str(answer.url)


def test_what_is_packed_is_unpacked_where_events_are_pushed_and_nowhere_else(app: ASGIApp) -> None:
    """A thousand times as long as it comes: it is read as it comes, and is no JSON then."""
    bomb = gzip.compress(json.dumps({"reason": "x" * 10_000_000}).encode())
    packed = {"content-encoding": "gzip", "content-type": "application/json"}
    answer = Program(app, "worker-text").client.post("/api/integrations/crm/pause", content=bomb, headers=packed)
    assert (answer.status_code, "cannot be understood" in answer.text) == (400, True)
    form = {"content-encoding": "gzip", "content-type": "application/x-www-form-urlencoded"}
    assert signed_in(app, "ann").client.post("/integrations/crm/pause", content=bomb, headers=form).status_code == 403


def test_nobody_writes_a_line_of_their_own_into_the_log(app: ASGIApp, caplog: pytest.LogCaptureFixture) -> None:
    ann = signed_in(app, "ann")
    with caplog.at_level(logging.WARNING, "segsync"):
        ann.client.post("/integrations/a%0ab%1b[31m/pause", data={"token": ann.token("/find"), "reason": "c\nd"})
    (line,) = [each.getMessage() for each in caplog.records if "pause" in each.getMessage()]
    assert not re.search(r"[\n\r\x1b]", line)


def test_every_act_has_a_role_and_no_viewer_has_one_that_changes_anything(app: ASGIApp) -> None:
    """Looked at by their names, so that one which is added is thought of."""
    eve = signed_in(app, "eve")
    token = eve.token("/find")
    may = {act.name for act in ACTS if eve.client.post(filled(act.path), data={"token": token}).status_code != 403}
    assert may == {"why"}
