"""An integration that is taken out by the API and the console: drained, asked for, taken back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.console.entering import Person, console_of, token_table, users
from tests.integration.console.test_api import Program
from tests.integration.place import integration
from tests.waiting import until
from workers.control.drain import drain
from workers.control.pause import pause
from workers.lanes.answers import members_of
from workers.ledger.past_acts import list_acts
from workers.settings import revision

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from tests.integration.place import Place
    from workers.runtime import Runtime

CONSOLE = users(ann="editor", bob="operator") + token_table("changer", "changer-text", "edit", "read")
AT = "/api/integrations/shop"


@pytest.fixture
def runtime(place: Place, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """Of two integrations, `shop` owes one operation."""
    monkeypatch.setattr("workers.console.publishing.DRAIN_SECONDS", 0.1)
    found = place.publish(integration("crm", segments="[9]"), integration("shop"))
    place.add("7", 1)
    found.route("t", 5)
    return found


@pytest.fixture
def app(place: Place, runtime: Runtime) -> ASGIApp:
    assert runtime.applied.revision == 1
    return console_of(place, CONSOLE)


@pytest.fixture
def program(app: ASGIApp) -> Program:
    return Program(app, "changer-text")


def told(state: str, owes: int, number: int, *, waited_for: bool = False, dropped: int = 0) -> dict[str, Any]:
    return {
        "key": "shop",
        "state": state,
        "owes": owes,
        "dropped": dropped,
        "waited_for": waited_for,
        "failed": "",
        "revision": number,
        "stays_in": "",
    }


def applied(place: Place) -> dict[str, Any]:
    found = revision.published(place.redis, place.keys)
    assert found is not None
    tables: dict[str, Any] = json.loads(found.text)["integrations"]
    return tables


def deliver(place: Place, runtime: Runtime) -> None:
    """As a worker would."""
    place.let_timeouts_pass()
    runtime.follow()
    drain(runtime)


def drained(program: Program) -> None:
    """It is drained from now on: on a busy machine the answer may come before that is published."""
    program.post(f"{AT}/remove", how="drain")
    until(lambda: program.get(f"{AT}/remove")["state"] == "draining")


def test_one_is_drained_asked_for_and_gone(place: Place, runtime: Runtime, program: Program) -> None:
    assert program.get(f"{AT}/remove") == told("applied", 1, 1)
    drained(program)
    again = program.post(f"{AT}/remove", 409, how="drain")
    assert "shop is being drained, and leaves when it owes nothing" in again["error"]
    assert program.get(f"{AT}/remove") == told("draining", 1, 2, waited_for=True)
    deliver(place, runtime)
    until(lambda: program.get(f"{AT}/remove")["state"] == "removed")
    assert until(lambda: not program.get(f"{AT}/remove")["waited_for"])
    assert program.get(f"{AT}/remove") == told("removed", 0, 3)
    assert (place.rows(), set(applied(place))) == ({("7", "0")}, {"crm"})
    runtime.drain_outcomes(5)
    acts = [(act.who, act.via, act.address, act.act, act.target, bool(act.failed)) for act in list_acts(runtime.ledger)]
    who = ("changer", "api", "192.0.2.9", "apply", "shop")
    assert acts == [(*who, True), (*who, False), (*who, False)], "asked for twice, and refused once"
    assert [each["by"] for each in program.get("/api/revisions")][:2] == ["changer", "changer"]


def test_what_it_owes_is_not_lost_by_mistake(place: Place, program: Program) -> None:
    refused = program.post(f"{AT}/remove", 400)
    assert "shop still owes 1 operation, and nothing was chosen" in refused["error"]
    assert "Invalid enum value 'away' - at `$.how`" in program.post(f"{AT}/remove", 400, how="away")["error"]
    late = program.post(f"{AT}/remove", 409, how="drop", basis=7)
    assert "revision 1 is applied, and this was made from 7" in late["error"]
    assert "did you mean 'shop'" in program.post("/api/integrations/shpo/remove", 404)["error"]
    assert program.get("/api/integrations/shpo/remove", 404)
    pause(place.redis, place.keys, "shop")
    paused = program.post(f"{AT}/remove", 409, how="drain")["error"]
    assert paused == "shop is paused, so it would never be drained; resume it first, or drop what it owes"
    given = program.get("/api/configuration")["configuration"]
    del given["integrations"]["shop"]
    taken = program.post("/api/apply", 409, configuration=given)["error"]
    assert "shop is taken out and still owes 1 operation; expected a choice for it: to drain it" in taken
    assert "--" not in taken
    assert applied(place).keys() == {"crm", "shop"}
    assert program.post(f"{AT}/remove", how="drop") == told("removed", 0, 2, dropped=1)
    assert program.get(f"{AT}/remove") == told("removed", 0, 2), "a revision that is kept knows it"
    program.post(f"{AT}/stay", 404)


def test_who_owes_nothing_needs_no_choice(place: Place, program: Program) -> None:
    done = program.post("/api/integrations/crm/remove")
    assert (done["state"], done["revision"], set(applied(place))) == ("removed", 2, {"shop"})


def test_one_is_taken_back_with_the_scope_that_it_had(place: Place, runtime: Runtime, program: Program) -> None:
    before = applied(place)["shop"]
    assert "nobody is removing shop" in program.post(f"{AT}/stay", 409)["error"]
    drained(program)
    place.add("8", 1)
    runtime.follow()
    runtime.route("t", 5)
    assert program.get(f"{AT}/remove")["owes"] == 1, "it gets nothing new"
    assert program.post(f"{AT}/stay", reason="not this one")["state"] == "applied"
    assert applied(place)["shop"] == before
    assert members_of(place.redis, place.keys.resync("shop")) == {"7", "8"}, "which have had events meanwhile, or may"

    def failed() -> str:
        text: str = program.get(f"{AT}/remove")["failed"]
        return text

    assert until(failed) == "shop was put back meanwhile, by revision 3: it stays, and nothing was removed"
    assert program.get(f"{AT}/remove")["waited_for"] is False
    drained(program)
    assert program.get(f"{AT}/remove")["failed"] == "", "of the wait that is"
    program.post(f"{AT}/stay")


def test_a_page_takes_it_back_too_for_editors(place: Place, app: ASGIApp, program: Program) -> None:
    before = applied(place)["shop"]
    drained(program)
    ann, bob = Person(app), Person(app)
    for person, name, code, shown in ((bob, "bob", 403, False), (ann, "ann", 303, True)):
        person.sign_in(name)
        page = person.client.get("/integrations/shop").text
        assert ("Let it stay" in page) == shown
        answer = person.client.post("/integrations/shop/stay", data={"token": person.token("/integrations/shop")})
        assert answer.status_code == code, answer.text
    assert applied(place)["shop"] == before
    assert "Let it stay" not in ann.client.get("/integrations/shop").text


def test_a_scope_that_no_kept_revision_has_is_said(place: Place, runtime: Runtime, program: Program) -> None:
    drained(program)
    place.redis.hdel(place.keys.revisions, "1")
    assert "no revision that is kept has a scope of shop" in program.post(f"{AT}/stay", 409)["error"]
    deliver(place, runtime)
    until(lambda: not program.get(f"{AT}/remove")["waited_for"])
