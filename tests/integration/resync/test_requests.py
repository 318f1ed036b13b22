"""The event that asks for a resync."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.integration.resync.platform import Platform
from workers.lanes.runs import ResyncRuns

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.jobs import Job
    from tests.targets import TargetDatabase


@pytest.fixture
def platform(make_job: Callable[[TargetDatabase], Job], target: TargetDatabase) -> Platform:
    return Platform(make_job(target))


@pytest.mark.parametrize("target", ["sqlite"], indirect=True)
def test_an_event_asks_for_a_run(platform: Platform) -> None:
    """Pushed twice, as after a crash between two steps, it is one run; the intake keeps nothing of it."""
    platform.has(7, "a")
    installation = platform.job.installation
    installation.producer.resync(7)
    installation.producer.resync("7", "members")
    platform.job.runtime.route("token", 1)
    assert ResyncRuns(platform.job.runtime.lanes).open() == ["1"]
    assert platform.run("1").by == "an event"
    assert platform.ends("1").outcome == "done"
    assert platform.rows(7) == {"a"}
    assert installation.redis.xlen(installation.keys.events) == 0


@pytest.mark.parametrize("target", ["sqlite"], indirect=True)
@pytest.mark.parametrize("integration", ["unknown", 7])
def test_what_cannot_be_asked_for_goes_to_the_quarantine(platform: Platform, integration: object) -> None:
    event = {"type": "resync", "segment": {"id": 7}, "integration": integration}
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    redis.xadd(keys.events, {"event": json.dumps(event)})
    platform.job.runtime.route("token", 1)
    assert ResyncRuns(platform.job.runtime.lanes).open() == []
    assert [entry.code for entry in platform.job.quarantined()] == [
        "not followed" if integration == "unknown" else "reserved"
    ]
