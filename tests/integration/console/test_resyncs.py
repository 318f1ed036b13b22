"""Resyncs in the console: asked for, watched, confirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.console.browser import Browser, Recorded, text_of
from tests.integration.resync.platform import Platform
from workers.console import open_runs
from workers.control import resync
from workers.lanes.runs import ResyncRuns

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from tests.integration.jobs import Job
    from tests.targets import TargetDatabase

pytestmark = pytest.mark.parametrize("target", ["sqlite"], indirect=True)
FORM = "/integrations/members/resync"


@pytest.fixture
def platform(make_job: Callable[[TargetDatabase], Job], target: TargetDatabase) -> Platform:
    return Platform(make_job(target))


@pytest.fixture
def browser(platform: Platform, make_console: Callable[..., ASGIApp]) -> Browser:
    return Browser(make_console(file=platform.job.installation.file))


def test_a_segment_is_made_equal(platform: Platform, browser: Browser, acts: Recorded) -> None:
    platform.has(7, "a", "b")
    told = browser.press(FORM, FORM, which="named", segments="7")
    assert "1 run asked for" in told
    assert "Run 1 · resync of segment 7 for members · asked by ann@test" in told
    platform.ends("1")
    platform.job.runtime.drain_outcomes(5)
    assert "1 members 7 ann@test" in text_of(browser.get("/resyncs"))
    assert platform.rows(7) == {"a", "b"}
    assert acts.all == [("resync", "ann@test", "done")]


def test_more_segments_than_one_form_may_ask_for_are_refused(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resync, "MOST_ASKED", 1)
    answer = browser.post(FORM, FORM, which="named", segments="7 8")
    assert answer.status_code == 400
    assert "these are 2 segments; expected at most 1 at once" in text_of(answer.text)
    assert "No such run is open" in text_of(browser.get("/resyncs"))


def test_a_dry_run_changes_nothing(platform: Platform, browser: Browser) -> None:
    platform.has(7, "a")
    browser.press(FORM, "/integrations/members/verify", which="named", segments="7")
    assert platform.ends("1").outcome == "differs"
    assert platform.rows(7) == set()


def test_a_run_that_would_remove_much_waits_for_the_word_of_who_saw_the_numbers(
    platform: Platform, browser: Browser
) -> None:
    platform.target_has(7, *(f"k{n}" for n in range(300)))
    browser.press(FORM, FORM, which="named", segments="7")
    assert platform.ends("1").outcome == "needs confirmation"
    page = browser.get("/resyncs")
    assert "Remove 300 and add 0" in text_of(page)
    answer = browser.post("/resyncs", "/resyncs/1/confirm", removals="many", adds="0")
    told = text_of(answer.text)
    assert (answer.status_code, "accept 'removals=many,adds=0': expected" in told, "--" in told) == (400, True, False)
    browser.press("/resyncs", "/resyncs/1/confirm", removals="300", adds="0")
    assert platform.ends("2").outcome == "done"
    assert platform.rows(7) == set()


def test_an_integrations_own_page_shows_its_open_runs_and_no_others(
    platform: Platform, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = "/integrations/members"
    assert "None is open" in browser.get(page)
    platform.target_has(8, *(f"k{n}" for n in range(300)))
    browser.press(FORM, FORM, which="named", segments="8")
    assert platform.ends("1").outcome == "needs confirmation"
    ResyncRuns(platform.job.runtime.lanes).ask("another", "9", "bob")  # run 2
    browser.press(FORM, FORM, which="named", segments="7")
    told = text_of(browser.get(page))
    assert "Run 1 · resync of segment 8" in told
    assert "Remove 300 and add 0" in told
    assert "Run 3 · resync of segment 7 for members · asked by ann@test" in told
    assert "Run 2" not in told
    assert "There may be more" not in told
    assert "Remove 300" not in browser.client.get(page, headers={"x-role": "viewer"}).text
    monkeypatch.setattr(open_runs, "LOOKED_AT", 1)
    told = text_of(browser.get(page))
    assert ("Run 1" in told, "Run 3" in told, "There may be more" in told) == (True, False, True)
    browser.press(page, "/resyncs/3/cancel")
    assert platform.ends("3").outcome == "cancelled"


def test_a_run_is_cancelled(platform: Platform, browser: Browser) -> None:
    platform.has(7, "a")
    browser.press(FORM, FORM, which="named", segments="7")
    assert "run 1 ends" in browser.press("/resyncs", "/resyncs/1/cancel")
    assert platform.ends("1").outcome == "cancelled"


@pytest.mark.parametrize(
    ("segments", "told"),
    [
        ("", "no segment is named"),
        ("zz", "does not follow segment"),
        ("7 " + "8" * 256, "8…' is no id; expected 1 to 255 bytes"),
    ],
)
def test_what_cannot_begin_is_said(segments: str, told: str, platform: Platform, browser: Browser) -> None:
    platform.configure(scope="{ segments = [7] }")
    answer = browser.post(FORM, FORM, which="named", segments=segments)
    assert (answer.status_code, told in text_of(answer.text)) == (400, True)
