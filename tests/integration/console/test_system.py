"""The system page, and what leaves for which target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.console.browser import Browser, text_of
from tests.integration.place import integration

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
