"""A Redis that forgets a claim, as after a failover, gives the lane to another deliverer: the first must not commit."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.jobs import add, remove

if TYPE_CHECKING:
    from tests.integration.jobs import Job


@pytest.fixture
def forgetful(job: Job) -> Job:
    """One operation to a batch, so that the stalled deliverer holds only the first."""
    job.configure(batch='{ size = 1, timeout = "100ms" }')
    job.push(add(7, "A"), remove(7, "A"))
    job.runtime.route("t", 10)
    return job


def test_a_stalled_deliverer_whose_claim_was_forgotten_commits_nothing(
    forgetful: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = forgetful
    slow: Any = job.installation.runtime()._deliverer("crm")
    begin = slow._begin_turn

    def stalls(*arguments: Any) -> Any:
        turn = begin(*arguments)
        keys = job.installation.keys
        job.installation.redis.hdel(keys.lane("members", "7"), "owner", "until")
        job.installation.redis.zadd(keys.full("members"), {"7": 0}, xx=True)
        job.runtime.deliver("crm", "fast", 5)
        assert job.installation.backlog() == 0
        time.sleep(0.06)
        return turn

    monkeypatch.setattr(slow, "_begin_turn", stalls)
    result = slow.work("slow", 5)

    assert "lease" in str(result)
    assert job.target.members() == set()
