"""The page of one integration, and the toggle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.console.browser import Browser, Recorded, text_of
from tests.integration.place import integration

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from tests.integration.place import Place

PAGE = "/integrations/crm"


@pytest.fixture
def browser(place: Place, make_console: Callable[..., ASGIApp]) -> Browser:
    place.publish(integration("crm"))
    return Browser(make_console())


def test_it_is_paused_with_a_reason_and_resumed(browser: Browser, acts: Recorded, place: Place) -> None:
    told = browser.press(PAGE, f"{PAGE}/pause", reason="stocktaking <script>")
    assert "crm is paused; its events are kept" in told
    assert "by ann@test: stocktaking <script>" in told
    assert place.redis.hget(place.keys.integration("crm"), "paused") == b"1"
    assert "crm goes on" in browser.press(PAGE, f"{PAGE}/resume")
    assert place.redis.hget(place.keys.integration("crm"), "paused") is None
    assert acts.all == [("pause", "ann@test", "done"), ("resume", "ann@test", "done")]


def test_the_sentence_after_an_act_is_said_once(browser: Browser) -> None:
    assert "crm is tried at once" in browser.press(PAGE, f"{PAGE}/retry")
    assert "crm is tried at once" not in browser.get(PAGE)


def test_what_was_delivered_is_counted_and_drawn(place: Place, browser: Browser) -> None:
    runtime = place.publish(integration("crm"))
    place.add("7", 3)
    runtime.route("t", 5)
    place.let_timeouts_pass()
    runtime.deliver("db", "t", 5)
    runtime.drain_outcomes(5)
    page = browser.get(PAGE)
    assert "1 successful query, 3 rows" in page
    assert "3 rows</title>" in page
    assert 'style="' not in page


def test_a_period_that_is_none_is_said_with_what_was_expected(browser: Browser) -> None:
    assert "since 'soon' is no time; expected an age" in text_of(browser.get(f"{PAGE}?since=soon", 400))
    assert "is not before" in text_of(browser.get(f"{PAGE}?since=now", 400))
    assert "is no time zone" in text_of(browser.get(f"{PAGE}?tz=Mars", 400))
    assert browser.get(f"{PAGE}?since=90d&tz=Europe/Berlin")


def test_an_integration_that_is_none_is_not_found(browser: Browser) -> None:
    assert "no integration 'crn'; did you mean 'crm'?" in text_of(browser.get("/integrations/crn", 404))


def test_errors_and_runs_are_those_up_to_the_end_of_the_period(place: Place, browser: Browser) -> None:
    runtime = place.publish(integration("crm", table="missing"))
    place.add("7", 1)
    runtime.route("t", 5)
    place.let_timeouts_pass()
    runtime.deliver("db", "t", 5)
    runtime.drain_outcomes(5)
    told = browser.get(PAGE)
    assert "Each try that failed" in told
    assert "SQLITE_ERROR add " in text_of(told)
    assert "Nothing has failed from" in browser.get(f"{PAGE}?until=2h")
    assert "crm 7 held" in text_of(browser.get("/runs?integration=crm&failed=1"))
    assert "Nothing has failed from" in browser.get("/runs?integration=crm&failed=1&until=2h")
