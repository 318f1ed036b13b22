"""The overview page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.integration.console.browser import Browser, text_of
from tests.integration.place import integration
from tests.waiting import until
from workers.control.pause import pause

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from tests.integration.place import Place


def test_each_integration_stands_there_with_what_stops_it(place: Place, make_console: Callable[..., ASGIApp]) -> None:
    place.publish(integration("crm"), integration("shop"))
    pause(place.redis, place.keys, "shop", reason="stocktaking <b>", by="bob")
    page = Browser(make_console()).get("/")
    assert "<b>" not in page
    told = text_of(page)
    assert "crm active" in told
    assert "shop paused" in told
    assert "by bob: stocktaking <b>" in told


def test_one_that_waits_for_its_window_stands_there_too(place: Place, make_console: Callable[..., ASGIApp]) -> None:
    now = datetime.now(UTC)
    closed = f"{now + timedelta(hours=2):%H:%M}-{now + timedelta(hours=4):%H:%M}"
    runtime = place.publish(integration("crm").replace('key = "id"', f'key = "id"\nwindow = "{closed}"'))
    place.add("7")
    runtime.route("t", 5)
    browser = Browser(make_console())
    assert "crm waiting" in text_of(browser.get("/"))
    assert "crm waiting" in text_of(browser.get("/?state=waiting"))


def test_integrations_are_found_by_key_and_state(place: Place, make_console: Callable[..., ASGIApp]) -> None:
    place.publish(integration("crm"), integration("shop"))
    pause(place.redis, place.keys, "shop")
    browser = Browser(make_console())
    assert "crm active" not in text_of(browser.get("/?q=SHO"))
    assert "shop paused" not in text_of(browser.get("/?state=active"))
    assert "No integration fits" in browser.get("/?q=none")


def test_a_name_stands_beside_its_key_and_is_found(place: Place, make_console: Callable[..., ASGIApp]) -> None:
    named = integration("crm").replace('key = "id"', 'name = "Customers <b>"\nkey = "id"')
    place.publish(named, integration("shop"))
    browser = Browser(make_console())
    assert "crm Customers <b> active" in text_of(browser.get("/"))
    told = text_of(browser.get("/?q=customers"))
    assert ("crm Customers" in told, "shop active" in told) == (True, False)


def test_a_page_that_is_none_is_the_first(place: Place, make_console: Callable[..., ASGIApp]) -> None:
    place.publish(integration("crm"))
    browser = Browser(make_console())
    for number in ("", "0", "x", "-1", "9" * 5_000):
        assert "crm active" in text_of(browser.get(f"/?page={number}"))
    assert "crm active" not in text_of(browser.get("/?page=2"))


def test_before_anything_is_applied_the_page_says_so(place: Place, make_console: Callable[..., ASGIApp]) -> None:
    place.write()
    assert "no configuration is applied" in text_of(Browser(make_console()).get("/"))


def test_what_each_did_in_the_last_day_is_drawn_without_waiting_for_the_ledger(
    place: Place, make_console: Callable[..., ASGIApp]
) -> None:
    runtime = place.publish(integration("crm"), integration("quiet", segments="[9]"))
    place.add("7", 3)
    runtime.route("t", 5)
    place.let_timeouts_pass()
    runtime.deliver("db", "t", 5)
    runtime.drain_outcomes(5)
    browser = Browser(make_console())
    until(lambda: browser.get("/").count("<polyline") == 1)
