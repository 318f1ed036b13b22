"""Runs that read ClickHouse on both sides, and change it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.jobs import add
from tests.integration.resync.platform import Platform
from tests.servers.clickhouse import PASSWORD
from tests.targets import TargetDatabase

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.jobs import Job

LISTED = "SELECT client_id FROM member FINAL WHERE segment_id = {segment_id}"


@pytest.fixture
def platform(
    make_job: Callable[[TargetDatabase], Job], clickhouse_url: str, monkeypatch: pytest.MonkeyPatch
) -> Platform:
    monkeypatch.setenv("CLICKHOUSE_PASSWORD", PASSWORD)
    target = TargetDatabase("clickhouse", clickhouse_url, "${CLICKHOUSE_PASSWORD}")
    target.create()
    return Platform(make_job(target))


@pytest.mark.proof
def test_clickhouse_is_made_equal_by_difference_and_never_cleared_first(platform: Platform) -> None:
    platform.configure(members_query=LISTED)
    platform.has(7, "a", "b", "c")
    platform.has(8, "x")
    platform.job.push(add(7, "a", "gone"))
    platform.job.drain()
    found = platform.resync(7, "verify")
    assert (found.outcome, found.missing, found.strays) == ("differs", 2, 1)
    run = platform.resync(7, accept_removals=1)
    assert (run.outcome, run.mode, run.removed, run.added) == ("done", "diff", 1, 3)
    assert platform.rows(7) == {"a", "b", "c"}
    assert platform.resync(7, "verify").outcome == "equal"

    platform.loses(7, "c")
    platform.configure(members_query=None)
    run = platform.resync(7, accept_removals=1)
    assert (run.outcome, run.mode, platform.rows(7)) == ("done", "resend", {"a", "b", "c"})
