"""Runs of resyncs by integration, segment and state: what the API and the page say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient

from tests.integration.console.browser import Browser, text_of
from tests.integration.console.entering import console_of, token_table
from tests.integration.ledger.records import NOON, resynced
from tests.integration.place import integration
from workers.cli.commands import resync as command
from workers.console import run_filter
from workers.console.run_filter import STATES, RunFilter
from workers.errors import WrongUsage
from workers.lanes.runs import ResyncRuns

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from tests.integration.place import Place


@pytest.fixture
def runs(place: Place) -> ResyncRuns:
    """Four that are open, the last of which has begun, and three that have ended."""
    runtime = place.publish(integration())
    found = ResyncRuns(runtime.lanes)
    for key, segment in (("crm", "7"), ("crm", "8"), ("erp", "7"), ("crm", "9")):
        found.ask(key, segment, "ann")
    place.redis.hset(place.keys.run("4"), mapping={"state": "marked", "reached": 1})
    place.redis.zrem(place.keys.runs_waiting, "4")
    place.redis.zadd(place.keys.runs, {"4": 1})
    ended = [("crm", "7", "equal"), ("crm", "8", "failed"), ("erp", "7", "equal")]
    runtime.ledger.write(
        [
            resynced(run=str(10 + n), integration=key, segment=segment, outcome=outcome, ended_ms=NOON + n)
            for n, (key, segment, outcome) in enumerate(ended)
        ]
    )
    return found


MEANT: list[tuple[dict[str, Any], list[str], list[str]]] = [
    ({}, ["4", "1", "2", "3"], ["12", "11", "10"]),
    ({"limit": 1}, ["4"], ["12"]),
    ({"limit": 3}, ["4", "1", "2"], ["12", "11", "10"]),
    ({"integration": "crm"}, ["4", "1", "2"], ["11", "10"]),
    ({"integration": "crm", "segment": "7"}, ["1"], ["10"]),
    ({"segment": 7, "limit": 1}, ["1"], ["12"]),
    ({"integration": "nobody"}, [], []),
    ({"state": "open"}, ["4", "1", "2", "3"], []),
    ({"state": "waiting", "segment": "7"}, ["1", "3"], []),
    ({"state": "marked"}, ["4"], []),
    ({"state": "ended", "integration": "crm"}, [], ["11", "10"]),
    ({"state": "equal"}, [], ["12", "10"]),
    ({"state": "needs confirmation"}, [], []),
]
"""What is asked for, and which open and ended runs are told then."""


@pytest.mark.usefixtures("runs")
def test_programs_are_told_of_those_that_they_mean(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_filter, "AT_ONCE", 2)
    app = console_of(place, token_table("reader", "reader-text", "read"))
    client = TestClient(app, base_url="http://127.0.0.1", headers={"authorization": "Bearer reader-text"})
    for wanted, opened, ended in MEANT:
        found = client.get("/api/resyncs", params=wanted).json()
        told = [each["id"] for each in found["open"]], [each["run"] for each in found["ended"]]
        assert told == (opened, ended), wanted


@pytest.mark.usefixtures("runs")
def test_which_keys_differ_is_told_to_who_may_see_people_alone(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else programs are told what the command prints, and no token at which member a run is."""
    place.redis.hset(place.keys.run("4"), mapping={"shown": '{"missing": ["A-17"]}', "after": '"61f0"'})
    tokens = token_table("reader", "reader-text", "read") + token_table("both", "both-text", "read", "operate")
    app, told = console_of(place, tokens), {}
    for token in ("reader-text", "both-text"):
        client = TestClient(app, base_url="http://127.0.0.1", headers={"authorization": f"Bearer {token}"})
        told[token] = client.get("/api/resyncs").json()
    assert told["reader-text"]["open"][0]["shown"] == {}
    assert told["both-text"]["open"][0]["shown"] == {"missing": ["A-17"]}
    assert "61f0" not in json.dumps(told)
    monkeypatch.setenv("SEGSYNC_CONFIG", str(place.file))
    assert command.show_runs(as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == told["both-text"]


@pytest.mark.parametrize(
    ("segment", "state", "said"),
    [("7", "waitin", "state 'waitin': expected one of open, waiting"), ("\0", None, "is no id")],
)
def test_what_no_run_can_be_is_said(segment: str, state: str | None, said: str) -> None:
    with pytest.raises(WrongUsage, match=said):
        RunFilter.of("crm", segment, state)
    assert len(set(STATES)) == len(STATES)


@pytest.mark.usefixtures("runs")
def test_the_page_shows_those_that_are_meant(place: Place, make_console: Callable[..., ASGIApp]) -> None:
    browser = Browser(make_console(file=place.file))
    everything = text_of(browser.get("/resyncs"))
    assert all(f"Run {n}" in everything for n in range(1, 5))
    assert "11 crm 8 ann" in everything
    told = text_of(browser.get("/resyncs?integration=crm&segment=7&state="))
    assert ("Run 1" in told, "Run 2" in told, "Run 3" in told) == (True, False, False)
    assert ("10 crm 7 ann" in told, "11 crm 8" in told, "12 erp 7" in told) == (True, False, False)
    failed = text_of(browser.get("/resyncs?state=failed"))
    assert ("No such run is open" in failed, "11 crm 8 ann" in failed, "10 crm 7" in failed) == (True, True, False)
    place.redis.hset(place.keys.runs_asking, "erp:7", "3")
    place.redis.hset(place.keys.run("3"), mapping={"state": "ended", "outcome": "needs confirmation"})
    place.redis.zrem(place.keys.runs_waiting, "3")
    for query, shown in (("", True), ("state=needs+confirmation", True), ("state=open", True), ("state=done", False)):
        assert ("Run 3" in text_of(browser.get(f"/resyncs?{query}"))) is shown, query
    assert "Run 3" not in text_of(browser.get("/resyncs?integration=crm"))
