"""Who comes in: by a password, by a proxy's word, and in no other way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from tests.integration.console.entering import PASSWORD, Person, cheap_hash, console_of, users
from tests.integration.place import integration
from workers.console import sessions
from workers.console.guesses import OF_BOTH
from workers.console.proxied import Proxied
from workers.console.shield import Shield
from workers.lanes.clock import redis_ms
from workers.ledger.past_acts import list_acts

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from tests.integration.place import Place

OPEN = {"/login", "/logout", "/health", "/static", "/api/openapi.json"}
"""What needs neither a session nor a token; all else does."""
PROXY = '[console.proxy]\nheader = "X-User"\naddresses = ["10.0.0.7"]\n'


def routes_of(app: ASGIApp) -> list[Route | Mount]:
    while isinstance(app, (Proxied, Shield)):
        app = app.app
    assert isinstance(app, Starlette)
    return [route for route in app.routes if isinstance(route, (Route, Mount))]


def test_every_route_but_a_few_is_closed_to_strangers(place: Place) -> None:
    app = console_of(place, users("ann"))
    stranger = Person(app)
    found = routes_of(app)
    assert len(found) > 30
    for route in found:
        if route.path in OPEN:
            continue
        path = route.path.replace("{key}", "crm").replace("{id}", "1").replace("/live", "/live?at=/")
        for method in getattr(route, "methods", None) or {"GET"}:
            answer = stranger.client.request(method, path)
            assert answer.status_code in {303, 401}, (method, path, answer.status_code)
            assert answer.headers.get("location", "/login").startswith("/login")
            assert "crm" not in answer.text


def test_signing_in_and_out(place: Place) -> None:
    ann = Person(console_of(place, users("ann")))
    answer = ann.sign_in("ann", to="/runs?failed=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/runs?failed=1")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert PASSWORD not in cookie
    kept = ann.client.cookies["segsync_session"]
    assert "ann · viewer" in ann.client.get("/").text

    assert ann.client.post("/logout", data={"token": "0"}).status_code == 403
    assert ann.client.post("/logout", data={"token": ann.token("/")}).status_code == 303
    ann.client.cookies.set("segsync_session", kept)
    assert ann.client.get("/").headers["location"] == "/login?to=/"


def test_a_wrong_password_and_a_wrong_name_are_answered_alike(place: Place) -> None:
    ann = Person(console_of(place, users("ann")))
    answers = [ann.sign_in(name, "something else") for name in ("ann", "bob")]
    assert [answer.status_code for answer in answers] == [403, 403]
    texts = [answer.text.replace("ann", "bob") for answer in answers]
    assert texts[0] == texts[1]
    assert "segsync_session" not in ann.client.cookies


def test_guessing_is_bounded_whatever_is_guessed(place: Place) -> None:
    app = console_of(place, users("ann", "bob"))
    guesser = Person(app)
    for _ in range(OF_BOTH):
        assert guesser.sign_in("ann", "guess").status_code == 403
    answer = guesser.sign_in("ann")
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 900
    assert guesser.sign_in("ann").status_code == 429
    assert guesser.sign_in("bob").status_code == 303
    assert Person(app, "192.0.2.2").sign_in("ann").status_code == 303
    runtime = place.publish(integration())
    runtime.drain_outcomes(10)
    told = [(act.who, act.address, bool(act.failed)) for act in reversed(list_acts(runtime.ledger))]
    assert told == [("ann", "192.0.2.1", True), ("bob", "192.0.2.1", False), ("ann", "192.0.2.2", False)]


def test_who_mistypes_and_then_does_not_begins_anew(place: Place) -> None:
    ann = Person(console_of(place, users("ann")))
    for _ in range(3):
        for _ in range(OF_BOTH - 1):
            assert ann.sign_in("ann", "typo").status_code == 403
        assert ann.sign_in("ann").status_code == 303


def test_a_cookie_that_is_not_ours_opens_nothing(place: Place) -> None:
    ann = Person(console_of(place, users("ann", eve="viewer")))
    ann.sign_in("ann")
    packed, _, seal = ann.client.cookies["segsync_session"].partition(".")
    stranger = Person(console_of(place, users("ann")))
    for forged in ("", "x", f"{packed}.", f"{packed}.{'0' * 64}", f"{packed[:-4]}AAAA.{seal}", f"ä.{seal}", "é" * 9):
        cookie = f"segsync_session={forged}".encode()
        assert stranger.client.get("/", headers=[(b"cookie", cookie)]).status_code == 303, forged


def test_a_sentence_that_was_sealed_is_no_session(place: Place) -> None:
    ann = Person(console_of(place, users(ann="operator")))
    ann.sign_in("ann")
    ann.client.post("/integrations/crm/pause", data={"token": ann.token("/integrations/crm"), "reason": "x"})
    said = ann.client.cookies["segsync_said"]
    assert Person(console_of(place, users("ann")), cookie=f"segsync_session={said}").client.get("/").status_code == 303


def test_a_session_ends_with_its_users_password(place: Place) -> None:
    ann = Person(console_of(place, users("ann")))
    ann.sign_in("ann")
    cookie = f"segsync_session={ann.client.cookies['segsync_session']}"
    assert Person(console_of(place, users("ann")), cookie=cookie).client.get("/").status_code == 200
    other = users("ann").replace(cheap_hash(), cheap_hash("another one entirely"))
    assert Person(console_of(place, other), cookie=cookie).client.get("/").status_code == 303
    assert Person(console_of(place, users("bob")), cookie=cookie).client.get("/").status_code == 303


def test_a_session_ends_with_its_time(place: Place) -> None:
    ann = Person(console_of(place, users("ann").replace("[console", "[console]\nhours = 1\n[console", 1)))
    ann.sign_in("ann")
    assert ann.client.get("/").status_code == 200
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "redis_ms", lambda redis: redis_ms(redis) + 3_600_001)
        assert ann.client.get("/").status_code == 303


def test_forms_of_others_do_nothing(place: Place) -> None:
    """The form to sign in, too: nobody is to work in somebody else's session without knowing it."""
    app = console_of(place, users(ann="operator", eve="operator"))
    ann, eve = Person(app), Person(app)
    assert ann.client.post("/login", data={"name": "ann", "password": PASSWORD}).status_code == 403
    assert ann.sign_in("ann", token=eve.token()).status_code == 403
    ann.sign_in("ann")
    eve.sign_in("eve")
    for token in ("", "0" * 64, eve.token("/integrations/crm")):
        assert ann.client.post("/integrations/crm/pause", data={"token": token}).status_code == 403
    good = {"token": ann.token("/integrations/crm")}
    assert ann.client.post("/integrations/crm/pause", data=good, headers={"sec-fetch-site": "cross-site"}).status_code == 403  # fmt: skip  # noqa: E501
    assert ann.client.post("/integrations/crm/pause", json=good).status_code == 403
    assert place.redis.hget(place.keys.integration("crm"), "paused") is None
    assert ann.client.post("/integrations/crm/pause", data=good).status_code == 303


@pytest.mark.parametrize(
    "to", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/\n/evil", "", "//["]
)
def test_nobody_is_led_elsewhere(place: Place, to: str) -> None:
    ann = Person(console_of(place, users("ann")))
    assert ann.sign_in("ann", to=to).headers["location"] == "/"


def test_a_viewer_may_only_look_and_that_they_tried_is_kept(place: Place) -> None:
    ann = Person(console_of(place, users("ann")))
    ann.sign_in("ann")
    answer = ann.client.post("/integrations/crm/pause", data={"token": ann.token("/find")})
    assert answer.status_code == 403
    runtime = place.publish(integration())
    runtime.drain_outcomes(10)
    refused, asked, _ = list_acts(runtime.ledger)
    assert (asked.act, asked.target, asked.failed) == ("pause", "crm", "")
    assert (refused.who, refused.act, refused.target) == ("ann", "pause", "crm")
    assert "this needs the role operator" in refused.failed


def test_the_audit_log_is_for_those_who_act(place: Place) -> None:
    app = console_of(place, users(ann="operator", eve="viewer"))
    ann, eve = Person(app), Person(app)
    ann.sign_in("ann")
    eve.sign_in("eve")
    told = {"token": ann.token("/integrations/crm"), "reason": "<b>moved</b>"}
    ann.client.post("/integrations/crm/pause", data=told)
    page = ann.client.get("/audit").text
    for word in ("sign in", "pause", "crm", "192.0.2.1", "&lt;b&gt;moved&lt;/b&gt;"):
        assert word in page
    assert "sign in" not in ann.client.get("/audit?target=crm").text
    assert "/audit" not in eve.client.get("/").text
    assert eve.client.get("/audit").status_code == 403


def test_edit_false_makes_viewers_of_all(place: Place) -> None:
    ann = Person(console_of(place, "[console]\nedit = false\n" + users(ann="editor")))
    ann.sign_in("ann")
    assert "ann · viewer" in ann.client.get("/").text
    assert ann.client.get("/create").status_code == 403
    me = Person(console_of(place, "[console]\nedit = false\n"))
    assert "me@here · viewer" in me.client.get("/").text


def test_a_proxys_word_is_taken_and_nobody_elses(place: Place) -> None:
    app = console_of(place, PROXY + '[console.users.ann]\nrole = "editor"\n')
    assert "ann · editor" in Person(app, "10.0.0.7", **{"x-user": "ann"}).client.get("/").text
    for address, name in (("192.0.2.1", "ann"), ("10.0.0.7", "bob"), ("10.0.0.7", ""), ("10.0.0.71", "ann")):
        assert Person(app, address, **{"x-user": name}).client.get("/").status_code == 303, (address, name)
    twice = Person(app, "10.0.0.7").client.get("/", headers=[("x-user", "ann"), ("x-user", "bob")])
    assert twice.status_code == 303
    others = console_of(place, PROXY + 'role = "viewer"\n')
    assert "bob · viewer" in Person(others, "10.0.0.7", **{"x-user": "bob"}).client.get("/").text


def test_addresses_behind_a_proxy_are_told_apart_and_cannot_be_made_up(place: Place) -> None:
    app = console_of(place, PROXY + users("ann"))
    for n in range(OF_BOTH):
        forged = Person(app, "10.0.0.7", **{"x-forwarded-for": f"198.51.100.{n}, 192.0.2.1"})
        assert forged.sign_in("ann", "guess").status_code == 403
    assert Person(app, "10.0.0.7", **{"x-forwarded-for": "192.0.2.1"}).sign_in("ann").status_code == 429
    assert Person(app, "10.0.0.7", **{"x-forwarded-for": "192.0.2.9"}).sign_in("ann").status_code == 303


def test_cookies_go_back_only_as_they_came(place: Place) -> None:
    app = console_of(place, PROXY + users("ann"))
    tls = {"x-forwarded-proto": "https"}
    assert "Secure" in Person(app, "10.0.0.7", **tls).client.get("/login").headers["set-cookie"]
    assert "Secure" not in Person(app, "192.0.2.1", **tls).client.get("/login").headers["set-cookie"]


def test_what_is_too_long_is_not_read(place: Place) -> None:
    ann = Person(console_of(place, users("ann")))
    assert ann.sign_in("ann", "x" * 10_000).status_code == 413
    assert ann.sign_in("<script>alert(1)</script>", "x").text.count("<script>alert") == 0


def test_without_users_only_names_of_this_host_are_answered(place: Place) -> None:
    """A page of another site can have its own name lead here."""
    app = console_of(place, "")
    assert Person(app).client.get("/", headers={"host": "evil.example"}).status_code == 421
    assert "me@here · editor" in Person(app).client.get("/").text
    assert Person(app).client.get("/login").status_code == 404


def test_a_redis_that_is_away_lets_nobody_in(place: Place) -> None:
    ann = Person(console_of(place, users("ann")))
    ann.sign_in("ann")
    with pytest.MonkeyPatch.context() as patch:
        from redis import ConnectionError as Away  # noqa: PLC0415

        import workers.console.sessions as sessions  # noqa: PLC0415, PLR0402

        def away(_: object) -> int:
            raise Away("no route to host")

        patch.setattr(sessions, "redis_ms", away)
        assert ann.client.get("/").status_code == 503
