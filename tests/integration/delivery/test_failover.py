"""A Redis that forgets a claim, as after a failover, gives the lane to another deliverer: the first must not commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from redis import ConnectionError  # noqa: A004 - Redis's own, as it would be raised

from tests.integration.jobs import add, clear, remove
from workers.delivery import attempt
from workers.lanes import store

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
    monkeypatch.setattr(attempt, "CONFIRM_AFTER", 0.0)  # whatever time it was held up for is enough
    slow: Any = job.installation.runtime()._deliverer("crm")
    begin = slow._turns.begin

    def stalls(*arguments: Any) -> Any:
        turn = begin(*arguments)
        keys = job.installation.keys
        job.installation.redis.hdel(keys.lane("members", "7"), "owner", "until")
        job.installation.redis.zadd(keys.full("members"), {"7": 0}, xx=True)
        job.runtime.deliver("crm", "fast", 5)
        assert job.installation.backlog() == 0
        return turn

    monkeypatch.setattr(slow._turns, "begin", stalls)
    result = slow.work("slow", 5)

    assert "lease" in str(result)
    assert job.target.members() == set()


def test_a_lane_whose_settlement_was_not_heard_is_served_again_at_once(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis was away for a moment: its lease would otherwise keep the lane for another hour."""
    monkeypatch.setattr(store, "LEASE_MS", 3_600_000)
    job.push(clear(7), add(7, "A"))
    job.runtime.route("t", 10)
    deliverer: Any = job.runtime._deliverer("crm")

    def unheard(*_: Any) -> None:
        raise ConnectionError("gone")

    with monkeypatch.context() as away:
        away.setattr(deliverer._lanes, "settle", unheard)
        with pytest.raises(ConnectionError):
            deliverer.work("one", 5)

    job.ends_right()

    assert job.installation.backlog() == 0
