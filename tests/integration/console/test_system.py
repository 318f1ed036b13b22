"""The system page, and what leaves for which target."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.integration.console.browser import Browser, text_of
from tests.integration.place import integration
from workers import presence

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from starlette.types import ASGIApp

    from tests.integration.place import Place


def test_it_shows_targets_and_what_stops_them(place: Place, make_console: Callable[..., ASGIApp]) -> None:
    place.publish(integration("crm"))
    place.redis.hset(place.keys.connector("db"), mapping={"hold": "wrong <password>", "hold_code": "sqlite 1"})
    page = Browser(make_console()).get("/system")
    assert "db SQLite held" in text_of(page)
    assert "sqlite 1: wrong <password>" in text_of(page)


def test_workers_are_asked_only_when_somebody_wants_it(place: Place, make_console: Callable[..., ASGIApp]) -> None:
    place.publish(integration("crm"))
    browser = Browser(make_console())
    assert "deliver.db" not in browser.get("/system")
    told = text_of(browser.get("/system?ask=1"))
    assert "route 1 worker" in told
    assert "deliver.db 0 workers" in told


def test_workers_are_named_as_they_say_it_themselves(
    place: Place, make_console: Callable[..., ASGIApp], monkeypatch: pytest.MonkeyPatch
) -> None:
    place.publish(integration("crm"))
    browser = Browser(make_console())
    assert "Workers None says that it is there" in text_of(browser.get("/system"))
    presence.say(place.redis, place.keys, "b", "crm@<i>two", ["route", "deliver.db"])
    presence.say(place.redis, place.keys, "a", "crm@one", [])
    page = browser.get("/system")
    assert "crm@<i>two deliver.db, route as that of Redis" in text_of(page)
    assert "crm@one nothing: it does not reach its broker" in text_of(page)
    assert "<i>" not in page
    monkeypatch.setattr("workers.presence.time.time", lambda real=time.time: real() + 7_500)
    presence.say(place.redis, place.keys, "a", "crm@one", ["route"])
    assert "crm@one route 2.1 h ahead of that of Redis" in text_of(browser.get("/system"))
    presence.leave(place.redis, place.keys, "b")
    assert "two" not in text_of(browser.get("/system"))


def test_everything_is_examined_as_by_doctor(
    place: Place, make_console: Callable[..., ASGIApp], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.doctor._address", lambda: "127.0.0.1")
    place.publish(integration("crm"), integration("late", table="missing"))
    told = text_of(Browser(make_console()).get("/system?examine=1"))
    assert "connector db mistake" in told
    assert "rights fine" in told


def test_the_fields_that_leave_are_named(place: Place, make_console: Callable[..., ASGIApp]) -> None:
    place.publish(integration("crm"))
    browser = Browser(make_console())
    assert "crm db (SQLite) id not hashed: add, remove the segment's id not hashed: add, remove, clear" in text_of(
        browser.get("/transmitted")
    )
    assert "No integration fits" in browser.get("/transmitted?q=email")
