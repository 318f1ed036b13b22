"""Pages that only look: segments, runs, find, revisions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from segsync import Producer
from tests.integration.console.browser import Browser, Recorded, text_of
from tests.integration.place import integration
from workers.control.acting import Actor, record
from workers.runtime import Runtime
from workers.settings import load, load_local, revision

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from tests.integration.place import Place

NASTY = '"><script>alert(1)</script>'


@pytest.fixture
def browser(place: Place, make_console: Callable[..., ASGIApp]) -> Browser:
    """Segment 7 with a hostile name, one delivery of two rows, and 8, which nobody has described."""
    runtime = place.publish(integration("crm"))
    with Producer(place.url, namespace=place.keys.namespace) as producer:
        producer.segment_upsert("7", name=NASTY, groups=["sales"], tags=[NASTY])
        producer.add("7", [{"_id": "p1", "id": "a"}, {"_id": "p2", "id": "b"}])
    runtime.route("t", 5)
    place.let_timeouts_pass()
    runtime.deliver("db", "t", 5)
    runtime.drain_outcomes(5)
    place.add("8", 1)
    runtime.route("t", 5)
    return Browser(make_console())


def test_segments_are_listed_found_and_shown(browser: Browser) -> None:
    page = browser.get("/segments")
    assert "<script>alert" not in page
    assert NASTY in text_of(page)
    assert "No segment fits" in browser.get("/segments?q=nothing-like-it")
    page = browser.get("/segment?id=7")
    assert "<script>alert" not in page
    assert "delivered" in text_of(page)
    assert "no event has told of segment '..'" in text_of(browser.get("/segment?id=..", 404))


def test_runs_are_listed_and_left_out(browser: Browser) -> None:
    assert "delivered" in text_of(browser.get("/runs?segment=7"))
    assert "Nothing was tried" in browser.get("/runs?segment=9")
    assert "Nothing has failed" in browser.get("/runs?failed=1")


def test_whose_operation_a_segment_stands_at_is_said(browser: Browser, place: Place) -> None:
    place.redis.hset(place.keys.lane("crm", "8"), mapping={"attempts": 1, "limit": 1, "why": "code: reason"})
    whole = {"integration": "crm", "segment": "8", "profile": ""}
    page = text_of(browser.post("/find?segment=8", "/find", **whole).text)
    assert "1 failed tries: code: reason stands at the add of" in page
    assert "of profile 0, which fails by itself" in page
    browser.client.headers["x-role"] = "viewer"
    page = text_of(browser.post("/find?segment=8", "/find", **whole).text)
    assert "stands at the add of" in page
    assert "of profile 0" not in page


def test_a_profile_is_found_and_its_id_stands_in_no_address(browser: Browser) -> None:
    answer = browser.post("/find?segment=8", "/find", integration="crm", segment="8", profile="0")
    assert "profile 0 waits in the lane" in text_of(answer.text)
    answer = browser.post("/find", "/find", integration="crm", segment="7", profile="p1")
    assert "profile p1: nothing of it waits" in text_of(answer.text)


def test_who_had_what_done_is_told(place: Place, browser: Browser) -> None:
    record(place.redis, place.keys, Actor("bob", "command"), "pause", "crm", reason=NASTY)
    Runtime(load_local(place.file)).drain_outcomes(5)
    page = browser.get("/audit")
    assert f"bob pause crm {NASTY} command" in text_of(page)
    assert "<script>alert" not in page
    assert "Nobody has had anything done" in browser.get("/audit?target=shop")


def test_before_anything_is_applied_no_revision_is_kept(place: Place, make_console: Callable[..., ASGIApp]) -> None:
    place.write()
    assert "No revision is kept yet" in text_of(Browser(make_console()).get("/revisions"))


def test_a_revision_is_compared_and_gone_back_to(place: Place, browser: Browser, acts: Recorded) -> None:
    place.write(integration("crm", timeout="2s"))
    revision.publish(place.redis, place.keys, load(place.file))
    assert '+"2s"' in text_of(browser.get("/revisions/2"))
    assert '-"2s"' in text_of(browser.get("/revisions/1"))
    told = browser.press("/revisions/1", "/revisions/1/rollback", basis="2")
    assert "revision 3 is applied" in told
    assert "ann@test rollback to 1" in told
    assert acts.all == [("rollback", "ann@test", "done")]


def test_nobody_goes_back_on_what_they_have_not_seen(place: Place, browser: Browser) -> None:
    place.write(integration("crm", timeout="2s"))
    revision.publish(place.redis, place.keys, load(place.file))
    answer = browser.post("/revisions/1", "/revisions/1/rollback", basis="1")
    assert answer.status_code == 409
    assert "revision 2 is applied, and this was made from" in text_of(answer.text)


@pytest.mark.parametrize("number", ["99", "x", "9" * 30])
def test_a_revision_that_is_none_is_not_found(number: str, browser: Browser) -> None:
    assert "no revision" in browser.get(f"/revisions/{number}", 404)
