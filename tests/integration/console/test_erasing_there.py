"""Erasing a person by the console and the API: found, asked, erased, and of whom it was nothing is written down."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.console.browser import text_of
from tests.integration.console.entering import Person, console_of, token_table, users
from tests.integration.console.test_api import Program
from tests.integration.place import caller, integration
from workers.control.drain import drain
from workers.ledger.past_acts import list_acts
from workers.quarantine import entries

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from tests.integration.place import Place
    from workers.runtime import Runtime

EMAIL = "planted@example.com"
WHOM: dict[str, Any] = {"profiles": ["planted-id"], "values": [EMAIL]}
CONSOLE = users(ann="operator", eve="viewer") + token_table("worker", "worker-text", "operate")


@pytest.fixture
def runtime(place: Place) -> Runtime:
    """A person in the quarantine and in a run of a resync, among others."""
    runtime = place.publish(integration())
    with place.producer() as producer:
        for number in ("planted-id", "other"):
            producer.add(7, [{"_id": number, "email": EMAIL if number == "planted-id" else "b@example.com"}])
    place.redis.hset(place.keys.run("1"), mapping={"id": "1", "shown": json.dumps({"missing": ["planted-id"]})})
    place.let_timeouts_pass()
    drain(runtime)
    runtime.drain_outcomes(5)
    return runtime


@pytest.fixture
def app(place: Place, runtime: Runtime) -> ASGIApp:
    assert runtime.applied.revision == 1
    return console_of(place, CONSOLE)


def acts(runtime: Runtime) -> list[tuple[str, str, str, str, str, bool]]:
    runtime.drain_outcomes(5)
    told = [(e.who, e.via, e.act, e.target, e.reason, bool(e.failed)) for e in list_acts(runtime.ledger)]
    return [each for each in told if each[2] != "sign in"]


def test_a_program_looks_and_erases(
    place: Place, runtime: Runtime, app: ASGIApp, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    worker, command = Program(app, "worker-text"), caller(place, monkeypatch, capsys)
    file = place.folder / "values.txt"
    file.write_text(EMAIL)
    found = worker.post("/api/erase/look", **WHOM)
    assert [(each["where"], each["found"], each["left"]) for each in found] == [
        ("the quarantine", 1, True),
        ("runs of resyncs", 1, True),
    ]
    looked = command("erase", "--profile", "planted-id", "--values", str(file), "--dry-run", "--json")
    assert json.loads(looked.stdout) == found
    assert acts(runtime) == [], "who looks has done nothing"
    erased = worker.post("/api/erase", **WHOM, reason="request 1142")
    assert [(each["where"], each["left"]) for each in erased] == [("the quarantine", False), ("runs of resyncs", False)]
    assert worker.post("/api/erase/look", **WHOM) == []
    assert acts(runtime) == [("worker", "api", "erase", "1 profile, 1 value", "request 1142", False)]
    assert [each.profile for each in entries.list_entries(runtime.ledger)] == ["other"]


WRONG = [
    ({}, "nobody is named; expected profiles, by their `_id` or key, or values"),
    ({"profiles": ["a", " "]}, "profile 2: empty"),
    ({"values": ["ann@example.com", "x"]}, "value 2: fewer than 3 characters"),
    ({"values": ["+1 2-3-4", "+-- 4 ---"]}, "value 2: fewer than 3 letters or digits"),
    ({"values": ["a@b.c d@e.f"]}, "value 1: more than one @"),
    ({"values": ["a\0b"]}, "value 1: a NUL in it"),
    ({"profiles": ["a\0b"]}, "profile 1: a NUL in it"),
    ({"values": ["ann"] * 10_001}, "10,001 profiles and values; expected 10,000 at most"),
    ({"profile": ["a"]}, "unknown field `profile`"),
]


def test_what_would_find_others_too_is_refused(app: ASGIApp) -> None:
    worker = Program(app, "worker-text")
    for body, said in WRONG:
        for path in ("/api/erase/look", "/api/erase"):
            assert said in worker.post(path, 400, **body)["error"]


def test_somebody_looks_types_and_erases(runtime: Runtime, app: ASGIApp) -> None:
    ann = Person(app)
    ann.sign_in("ann")
    form = {"token": ann.token("/erase"), "ids": "planted-id\r\n", "values": f" {EMAIL} \r\n", "reason": "request 1"}
    page = ann.client.post("/erase/look", data=form)
    assert "the quarantine 1" in text_of(page.text)
    assert "Erase it" in page.text
    for typed in ("", "yes", "Erase"):
        refused = ann.client.post("/erase", data={**form, "confirm": typed})
        assert (refused.status_code, "nothing was done" in text_of(refused.text)) == (400, True)
    assert "the quarantine 1" in text_of(ann.client.post("/erase/look", data=form).text)
    done = ann.client.post("/erase", data={**form, "confirm": "erase"})
    assert (done.status_code, "is emptied of it" in text_of(done.text)) == (200, True)
    assert "Nothing is left of it" in ann.client.post("/erase/look", data=form).text
    told = ("ann", "console", "erase", "1 profile, 1 value", "request 1")
    assert acts(runtime)[0] == (*told, False)
    assert {each[:4] for each in acts(runtime)} == {told[:4]}
    every = " ".join(map(repr, list_acts(runtime.ledger)))
    assert ("planted" in every, EMAIL in every) == (False, False)


def test_viewers_neither_look_nor_erase(place: Place, runtime: Runtime, app: ASGIApp) -> None:
    eve = Person(app)
    eve.sign_in("eve")
    assert eve.client.get("/erase").status_code == 403
    assert "/erase" not in eve.client.get("/find").text
    for path in ("/erase/look", "/erase"):
        form = {"token": eve.token("/find"), "ids": "planted-id", "confirm": "erase"}
        assert eve.client.post(path, data=form).status_code == 403
    for path in ("/api/erase/look", "/api/erase"):
        Program(console_of(place, CONSOLE + token_table("r", "r-text", "read", "edit")), "r-text").post(path, 403)
    assert Program(app, "worker-text").post("/api/erase/look", **WHOM), "they are still there"
    assert [each[5] for each in acts(runtime)] == [True, False], "and that it was tried is written down"
