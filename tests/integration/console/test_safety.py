"""What an attacker would try on the console: each page and act, for each role, with hostile names and requests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from redis import ConnectionError as Away

from segsync import Producer
from tests.integration.console.browser import TOKEN, Browser, Recorded, text_of
from tests.integration.place import integration
from workers.console.pages import ACTS, PAGES
from workers.console.seals import Seals, new_cookie
from workers.console.shield import HEADERS
from workers.console.viewers import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp

    from tests.integration.place import Place

NASTY = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"


@pytest.fixture
def app(place: Place, make_console: Callable[..., ASGIApp]) -> ASGIApp:
    """A hostile name wherever one may stand: segment, tag, profile, field, reason, vendor's text."""
    runtime = place.publish(integration("crm"), integration("shop", segments="[9]"))
    with Producer(place.url, namespace=place.keys.namespace) as producer:
        producer.segment_upsert("7", name=NASTY, groups=[NASTY], tags=[NASTY])
        producer.add("7", [{"_id": NASTY, NASTY: NASTY}])
        producer.add(NASTY, [{"_id": "1", "id": NASTY}])
    runtime.route("t", 5)
    place.let_timeouts_pass()
    for _ in range(3):
        runtime.deliver("db", "t", 5)
    runtime.drain_outcomes(5)
    place.redis.hset(
        place.keys.integration("crm"),
        mapping={"hold": NASTY, "hold_code": NASTY, "paused": "1", "paused_reason": NASTY, "paused_by": NASTY},
    )
    place.redis.hset(place.keys.connector("db"), mapping={"hold": NASTY, "hold_code": NASTY})
    return make_console()


@pytest.fixture
def empty(place: Place, make_console: Callable[..., ASGIApp]) -> ASGIApp:
    """A console of nothing but two integrations."""
    place.publish(integration("crm"), integration("shop", segments="[9]"))
    return make_console()


def filled(path: str) -> str:
    """A route's path with something in its places."""
    return re.sub(r"{(\w+)}", lambda place: {"key": "crm", "id": "1", "number": "1", "run": "1"}[place[1]], path)


def test_no_page_lets_a_name_become_markup(app: ASGIApp) -> None:
    browser = Browser(app)
    segment = f"/segment?{browser.client.build_request('GET', '/', params={'id': NASTY}).url.query.decode()}"
    paths = [filled(page.path) for page in PAGES] + ["/segment?id=7", segment, f"/segments?q={NASTY}", f"/?q={NASTY}"]
    shown = 0
    for path in paths:
        page = browser.client.get(path).text
        assert not re.search(r"<script>|<img|onerror=alert\(1\)>|style=", page.replace('src="/static/', "")), path
        shown += NASTY in text_of(page)
    assert shown > 5


def test_every_answer_says_what_a_page_may_do(empty: ASGIApp) -> None:
    browser = Browser(empty)
    for path in ("/", "/integrations/none", "/no/such/page", "/static/console.css", "/static/../app.py"):
        answer = browser.client.get(path)
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, path
        assert answer.headers["cache-control"] == (
            "max-age=300" if answer.url.path.startswith("/static/") else "no-store"
        )
    assert "unsafe" not in HEADERS["content-security-policy"]


def test_no_page_holds_a_script_or_a_style_of_its_own(app: ASGIApp) -> None:
    browser = Browser(app)
    for page in PAGES:
        text = browser.client.get(filled(page.path)).text
        assert re.findall(r"<script[^>]*>", text) == ['<script src="/static/live.js" defer>'], page.path
        tags = " ".join(re.findall(r"<[^>]*>", text))
        assert not re.search(r"\son\w+=|<style|javascript:|https?://", tags), page.path


def test_nobody_sees_a_page_without_being_known_or_with_too_small_a_role(empty: ASGIApp) -> None:
    for page in PAGES:
        answer = Browser(empty, "nobody").client.get(filled(page.path))
        assert (answer.status_code, answer.text) == (401, "who are you?"), page.path
        for role in Role:
            status = Browser(empty, role.word).client.get(filled(page.path)).status_code
            assert (status == 403) == (role < page.role), (page.path, role)


def test_nobody_does_anything_unknown_or_with_too_small_a_role(empty: ASGIApp, acts: Recorded) -> None:
    for act in ACTS:
        assert Browser(empty, "nobody").client.post(filled(act.path)).status_code == 401, act.path
        for role in (role for role in Role if role < act.role):
            assert Browser(empty, role.word).post("/find", filled(act.path)).status_code == 403, (act.path, role)
    assert {outcome.partition(" ")[0] for _, _, outcome in acts.all} == {"this"}, "refusals are written down"


def test_no_other_site_has_anything_done(empty: ASGIApp, acts: Recorded) -> None:
    browser, other = Browser(empty), Browser(empty)
    token = TOKEN.findall(browser.get("/find"))[0]
    other.get("/find")
    for path in (filled(act.path) for act in ACTS):
        assert browser.client.post(path, data={}).status_code == 403, f"{path}: no token"
        assert other.client.post(path, data={"token": token}).status_code == 403, f"{path}: another browser's token"
        for name, value in (("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("content-type", "a/b")):
            headers = {"content-type": "application/x-www-form-urlencoded", name: value}
            answer = browser.client.post(path, content=f"token={token}", headers=headers)
            assert answer.status_code == 403, (path, name, value)
    assert acts.all == []


def test_what_is_posted_is_not_done_by_a_link(empty: ASGIApp, acts: Recorded) -> None:
    pages = {page.path for page in PAGES}
    for act in ACTS:
        if act.path not in pages:
            assert Browser(empty).client.get(filled(act.path)).status_code in (404, 405), act.path
    assert acts.all == []


def test_a_token_is_worth_nothing_to_another_person_of_the_same_browser() -> None:
    seals, cookie = Seals(), new_cookie()
    assert seals.knows(seals.token(cookie, "ann"), cookie, "ann")
    assert not seals.knows(seals.token(cookie, "ann"), cookie, "bob")
    assert not seals.knows(seals.token("", "ann"), "", "ann")
    assert not seals.knows("é", cookie, "ann")
    assert not Seals().knows(seals.token(cookie, "ann"), cookie, "ann")


def test_a_sentence_that_we_did_not_seal_is_not_said(empty: ASGIApp) -> None:
    for cookie in ("x", "eA==.00", "é.0", f"{'A' * 5000}.0", "=.="):
        page = Browser(empty).client.get("/find", headers={b"cookie": f"segsync_said={cookie}".encode("latin-1")})
        assert (page.status_code, "said" in page.text.partition("<main")[2]) == (200, False)


def test_what_is_too_long_is_not_read(empty: ASGIApp) -> None:
    browser = Browser(empty)
    token = TOKEN.findall(browser.get("/find"))[0]
    sent = []

    def body() -> Iterator[bytes]:
        yield f"token={token}&segment=".encode()
        for _ in range(1_000):
            sent.append(1)
            yield b"x" * 100_000

    answer = browser.client.post(
        "/find",
        content=body(),
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert (answer.status_code, "expected at most 2,097,152 bytes" in answer.text) == (413, True)
    many = "&".join(f"f{n}=" for n in range(10_001))
    answer = browser.client.post(
        "/find", content=f"token={token}&{many}", headers={"content-type": "application/x-www-form-urlencoded"}
    )
    assert answer.status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "", "[::2]:80"])
def test_a_name_of_another_site_that_leads_here_is_refused(host: str, empty: ASGIApp) -> None:
    assert Browser(empty).client.get("/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080"])
def test_names_of_this_host_are_taken(host: str, empty: ASGIApp) -> None:
    assert Browser(empty).client.get("/find", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd", "/static/"]
)
def test_no_file_is_served_but_ours(path: str, empty: ASGIApp) -> None:
    assert Browser(empty).client.get(path).status_code in (404, 405)


def test_a_way_back_leads_nowhere_else(app: ASGIApp) -> None:
    browser = Browser(app)
    answer = browser.post("/quarantine", "/quarantine/drop", id="1", back="//evil.example/")
    assert answer.headers["location"] == "/quarantine"
    split = "integration=\r\nset-cookie: x=y"
    answer = browser.post("/quarantine?state=dropped", "/quarantine/drop", id="1", back=split)
    assert (answer.status_code, "x" in answer.cookies) == (303, False)
    assert "\n" not in answer.headers["location"]


def test_cookies_are_no_scripts_and_go_to_no_other_site(empty: ASGIApp) -> None:
    answer = Browser(empty).client.get("/find")
    assert answer.headers["set-cookie"].lower().endswith("httponly; path=/; samesite=strict")


def test_a_mistake_of_ours_shows_nothing_of_itself(empty: ASGIApp, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ValueError("secret")

    monkeypatch.setattr("workers.monitoring.status.read", fails)
    browser = Browser(empty)
    browser.client._transport.raise_server_exceptions = False  # type: ignore[attr-defined]
    answer = browser.client.get("/")
    assert (answer.status_code, "secret" in answer.text) == (500, False)
    assert answer.headers["content-security-policy"] == HEADERS["content-security-policy"]


def test_while_redis_is_away_a_page_says_so(place: Place, make_console: Callable[..., ASGIApp]) -> None:
    place.write(integration("crm"))
    app = make_console()
    browser = Browser(app)

    def away(*_: object, **__: object) -> None:
        raise Away("refused")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("redis.Redis.execute_command", away)
        answer = browser.client.get("/")
    assert (answer.status_code, "Redis is out of reach: refused" in text_of(answer.text)) == (503, True)
