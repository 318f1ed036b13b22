"""Sources that are slow, or never come to an end: their runs do, and others' go on."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from tests.integration.resync.platform import Platform
from tests.integration.resync.test_feed_runs import ACCEPTED, DELAY
from workers.resync import feed, work

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.jobs import Job
    from tests.targets import TargetDatabase

pytestmark = pytest.mark.parametrize("target", ["sqlite"], indirect=True)

BLANKS = 'echo \'{"_id": 1, "CustomID": "c1"}\'; while :; do echo; sleep 0.05; done'
"""A program that has one member, and is never silent."""


@pytest.fixture
def platform(make_job: Callable[[TargetDatabase], Job], target: TargetDatabase) -> Platform:
    return Platform(make_job(target))


def trickles(platform: Platform, monkeypatch: pytest.MonkeyPatch, script: str, more: str = "") -> None:
    monkeypatch.setenv("SEGSYNC_SOURCE_COMMANDS", "/bin/sh")
    command = json.dumps(["/bin/sh", "-c", script, "{segment_id}"])
    platform.configure_feed(f'command = {command}\ntimeout = "1s"\n{DELAY}\n{more}')
    platform.target_has(7, "c1", "x")


@pytest.mark.parametrize("readers", [1, 2])
def test_a_source_without_end_fails_its_run_and_changes_nothing(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, readers: int
) -> None:
    monkeypatch.setattr(feed, "SILENT_SECONDS", 0.0)
    trickles(platform, monkeypatch, BLANKS, f"readers = {readers}")
    run = platform.resync(7, **ACCEPTED)
    assert run.outcome == "failed"
    assert "source 'main' has given no new member for 1 s, after 1; expected one at least that often" in run.why
    assert (platform.rows(7), platform.lane(7)) == ({"c1", "x"}, {})


def test_a_run_whose_source_is_slow_can_be_cancelled(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else moves runs on meanwhile."""
    monkeypatch.setattr(work, "LOOK_SECONDS", 0.1)
    trickles(platform, monkeypatch, BLANKS)
    name = platform.ask(7, **ACCEPTED)
    platform.until(name, lambda run: bool(run.state == "marked"))
    threading.Timer(0.3, lambda: platform.cancel(name)).start()
    run = platform.ends(name)
    assert (run.outcome, run.why) == ("cancelled", "by test")
    assert (platform.rows(7), platform.lane(7)) == ({"c1", "x"}, {})
