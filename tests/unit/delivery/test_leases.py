"""How long the heartbeat keeps a lane (rule 12)."""

from __future__ import annotations

from typing import Any

import pytest
from redis import RedisError

from workers.delivery import leases
from workers.delivery.leases import RENEW_EVERY, Heartbeat, Lease


class Lanes:
    """What answers the heartbeat."""

    def __init__(self, answer: bool | RedisError) -> None:
        self.answer = answer
        self.asked = 0

    def renew(self, *_: str) -> bool:
        self.asked += 1
        if isinstance(self.answer, RedisError):
            raise self.answer
        return self.answer


def beat(lease: Lease, answer: bool | RedisError = True) -> Lanes:
    """One look of the heartbeat at a lease."""
    lanes = Lanes(answer)
    given: Any = lanes
    Heartbeat(lambda: given)._renew(lease)
    return lanes


@pytest.fixture
def lease(monkeypatch: pytest.MonkeyPatch) -> Lease:
    """A lane claimed at 1,000 s, looked at when it is time to renew it."""
    monkeypatch.setattr(leases, "now", lambda: 1000.0 + RENEW_EVERY)
    return Lease("crm", "7", "claim", "deliver.db", "token", 1000.0)


def test_a_step_that_takes_no_longer_than_allowed_keeps_its_lane(lease: Lease) -> None:
    lease.deadline = 1000.0 + RENEW_EVERY
    assert beat(lease).asked == 1
    assert lease.renewed == 1000.0 + RENEW_EVERY


def test_a_step_that_hangs_keeps_its_lane_no_longer_than_allowed(lease: Lease) -> None:
    """A thread that renews for one that hangs would keep the lane for ever, however alive it looks (rule 12)."""
    lease.deadline = 1000.0 + RENEW_EVERY - 0.001
    assert beat(lease).asked == 0
    assert lease.renewed == 1000.0


def test_a_lane_that_is_anothers_has_no_time_left(lease: Lease) -> None:
    lease.deadline = 2000.0
    assert lease.left() > 0
    beat(lease, answer=False)
    assert lease.left() == 0


def test_without_redis_the_lease_runs_on(lease: Lease) -> None:
    lease.deadline = 2000.0
    beat(lease, answer=RedisError("away"))
    assert lease.renewed == 1000.0
    assert lease.left() > 0
