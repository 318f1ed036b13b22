"""The quarantine's pages: masked data, what is revealed and to whom, retry and drop."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from segsync import Producer
from tests.integration.console.browser import Browser, Recorded, text_of
from tests.integration.place import integration
from workers.outcomes import OF_NO_LANE, Quarantined
from workers.quarantine import entries as quarantine
from workers.quarantine import refused_members

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from tests.integration.place import Place
    from workers.runtime import Runtime

SECRET = "ann@example.com"


@pytest.fixture
def runtime(place: Place) -> Runtime:
    """Three entries: two of crm (their key is missing), one of bytes that are no event."""
    runtime = place.publish(integration("crm"))
    with Producer(place.url, namespace=place.keys.namespace) as producer:
        producer.add("7", [{"_id": "p1", "email": SECRET, "<i>": [1]}, {"_id": "p2", "email": SECRET}])
    place.redis.xadd(place.keys.events, {"event": b"{" + SECRET.encode()})
    runtime.route("t", 5)
    place.let_timeouts_pass()
    runtime.deliver("db", "t", 5)
    runtime.drain_outcomes(5)
    assert sum(quarantine.count_open(runtime.ledger).values()) == 3
    return runtime


@pytest.fixture
def app(runtime: Runtime, make_console: Callable[..., ASGIApp]) -> ASGIApp:
    assert runtime
    return make_console()


def ids(runtime: Runtime) -> list[int]:
    return [each.id for each in quarantine.list_entries(runtime.ledger, "crm")]


def test_entries_are_listed_and_left_out(app: ASGIApp) -> None:
    browser = Browser(app)
    told = text_of(browser.get("/quarantine"))
    assert "add of p1" in told
    assert "(intake)" in told
    assert "malformed" not in text_of(browser.get("/quarantine?integration=crm"))
    assert "No entry fits" in browser.get("/quarantine?state=dropped")
    assert "state 'x': expected one of open" in text_of(browser.get("/quarantine?state=x", 400))


@pytest.fixture
def eighth(runtime: Runtime) -> int:
    """An entry of segment 8."""
    at_ms, empty = 1_790_000_000_000, {"payload": b"{}", "size": 2, "sha256": ""}
    of = {"uid": "u8", "integration": "crm", "segment": "8", "event_type": "add", "profile": "of-8"}
    why = {"code": "missing key", "reason": "no id", "sequence": OF_NO_LANE, "at_ms": at_ms}
    refused_members.append(runtime.redis, runtime.keys, [Quarantined(**of, **why, **empty)])  # type: ignore[arg-type]
    runtime.drain_outcomes(5)
    (entry,) = quarantine.list_entries(runtime.ledger, segment="8")
    return entry.id


def test_those_of_a_segment_are_shown_and_given_up_alone(app: ASGIApp, runtime: Runtime, eighth: int) -> None:
    browser, at = Browser(app), "/quarantine?segment=8"
    told = text_of(browser.get(at))
    assert ("add of of-8" in told, "add of p1" in told) == (True, False)
    assert "Nothing is in the quarantine that fits" in browser.get("/quarantine?segment=9")
    assert 'href="/quarantine?segment=7"' in browser.get("/segment?id=7")
    told = browser.press(at, "/quarantine/drop", which="fitting", segment="8", back="integration=&segment=8")
    assert "1 entry is dropped" in told
    assert "Nothing is in the quarantine that fits" in told  # the page after it is of the same segment
    assert quarantine.show(runtime.ledger, eighth).state == "dropped"
    assert sum(quarantine.count_open(runtime.ledger).values()) == 3


def test_a_viewer_sees_no_profile(app: ASGIApp, runtime: Runtime) -> None:
    viewer = Browser(app, "viewer")
    for path in ("/quarantine", *(f"/quarantine/{entry}" for entry in ids(runtime))):
        page = viewer.get(path)
        assert SECRET not in page
        assert "p1" not in text_of(page)
        assert "<form method" not in page or "formaction" not in page


def test_data_is_masked_until_somebody_asks_which_is_written_down(
    app: ASGIApp, runtime: Runtime, acts: Recorded
) -> None:
    browser, entry = Browser(app), ids(runtime)[-1]
    page = browser.get(f"/quarantine/{entry}")
    assert SECRET not in page
    assert '"email": "•••"' in text_of(page)
    assert acts.all == []
    answer = browser.post(f"/quarantine/{entry}", f"/quarantine/{entry}/reveal")
    assert SECRET in answer.text
    assert "<i>" not in answer.text
    assert acts.all == [("quarantine show", "ann@test", "done")]


def test_what_is_no_json_shows_nothing_of_itself(app: ASGIApp, runtime: Runtime) -> None:
    (entry,) = (each.id for each in quarantine.list_entries(runtime.ledger) if each.integration is None)
    page = Browser(app).get(f"/quarantine/{entry}")
    assert SECRET not in page
    assert "••• (16 bytes)" in page


def test_of_what_an_ad_platform_refuses_there_is_no_payload(app: ASGIApp, runtime: Runtime) -> None:
    said = {"code": "vk-ads invalid_email", "reason": "VK Ads refuses what was sent of it"}
    empty = {"payload": b"", "size": 0, "sha256": "", "at_ms": 1_790_000_000_000, "sequence": OF_NO_LANE}
    of = {"uid": "u", "integration": "crm", "segment": "7", "event_type": "add", "profile": "A-17"}
    refused_members.append(runtime.redis, runtime.keys, [Quarantined(**of, **said, **empty)])  # type: ignore[arg-type]
    runtime.drain_outcomes(5)
    (entry,) = quarantine.list_entries(runtime.ledger, "crm", code="vk-ads invalid_email")
    browser = Browser(app)
    assert "add of A-17" in text_of(browser.get("/quarantine?code=vk-ads%20invalid_email"))
    page = browser.get(f"/quarantine/{entry.id}")
    assert "It has no payload" in text_of(page)
    assert "Show the data" not in page
    assert "/quarantine/retry" in page


def test_marked_entries_are_dropped_and_those_that_fit_retried(app: ASGIApp, runtime: Runtime, acts: Recorded) -> None:
    browser, (second, first) = Browser(app), ids(runtime)
    told = browser.press("/quarantine", "/quarantine/drop", id=[str(first)], which="marked")
    assert "1 entry is dropped" in told
    told = browser.press(
        "/quarantine?integration=crm", "/quarantine/retry", which="fitting", integration="crm", back="integration=crm"
    )
    assert "1 entry is on its way once more" in told
    states = {each.id: each.state for each in quarantine.list_entries(runtime.ledger, "crm", state=None)}
    assert (states[first], states[second]) == ("dropped", "retried")
    assert quarantine.show(runtime.ledger, first).changed_by == "ann@test"
    assert [each[0] for each in acts.all] == ["quarantine drop", "quarantine retry"]


def test_what_was_resolved_is_deleted_and_nothing_else(app: ASGIApp, runtime: Runtime, acts: Recorded) -> None:
    browser, (second, first) = Browser(app), ids(runtime)
    browser.press("/quarantine", "/quarantine/drop", id=[str(first)], which="marked")
    answer = browser.post("/quarantine", "/quarantine/purge", older_than="soon")
    assert (answer.status_code, "'soon' is no time; expected an age" in text_of(answer.text)) == (400, True)
    assert browser.post("/quarantine", "/quarantine/purge").status_code == 400
    assert "0 resolved entries are deleted" in browser.press("/quarantine", "/quarantine/purge", older_than="30d")
    told = browser.press("/quarantine", "/quarantine/purge", older_than="2999-01-01")
    assert "1 resolved entry is deleted: all from before 2999-01-01 00:00 UTC" in told
    assert [each.id for each in quarantine.list_entries(runtime.ledger, "crm", state=None)] == [second]
    assert [each[0] for each in acts.all][1:] == ["quarantine purge"] * 4
    assert "/quarantine/purge" not in Browser(app, "viewer").get("/quarantine")


def test_entries_are_exported_with_their_data(app: ASGIApp, acts: Recorded) -> None:
    fields = {"which": "fitting", "integration": "crm"}
    answer = Browser(app).post("/quarantine?integration=crm", "/quarantine/export", **fields)
    assert answer.headers["content-disposition"].startswith("attachment")
    assert [json.loads(line)["profile"] for line in answer.text.splitlines()] == ["p1", "p2"]
    assert SECRET in answer.text
    assert acts.all == [("quarantine export", "ann@test", "done")]


def test_nothing_is_done_where_nobody_said_to_what(app: ASGIApp, runtime: Runtime) -> None:
    browser = Browser(app)
    answer = browser.post("/quarantine", "/quarantine/drop", which="fitting")
    assert (answer.status_code, "expected an integration, a segment or a code" in answer.text) == (400, True)
    answer = browser.post("/quarantine", "/quarantine/drop", which="marked")
    assert (answer.status_code, "no entry is marked" in answer.text) == (400, True)
    assert sum(quarantine.count_open(runtime.ledger).values()) == 3


@pytest.mark.parametrize("entry", ["999", "x", "-1", "٣", "9" * 30])
def test_an_entry_that_is_none_is_not_found(entry: str, app: ASGIApp) -> None:
    assert "no quarantine entry" in Browser(app).get(f"/quarantine/{entry}", 404)
