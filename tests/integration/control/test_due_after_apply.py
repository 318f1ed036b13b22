"""What waits when `apply` makes batches smaller, wait for less, or gives the intake a limit."""

from __future__ import annotations

from typing import Any

import pytest

from segsync import IntakeFull
from tests.integration.jobs import Job, add
from workers.control.drain import drain
from workers.lanes.clock import redis_ms
from workers.settings import load, revision

HOUR = '{ size = 1000, timeout = "1h" }'


@pytest.fixture
def waiting(sqlite_job: Job) -> Job:
    """Three profiles wait an hour for the rest of their batch."""
    sqlite_job.configure(batch=HOUR)
    sqlite_job.push(add(7, "a", "b", "c"))
    drain(sqlite_job.runtime, 300)
    assert sqlite_job.installation.backlog() == 3
    return sqlite_job


@pytest.mark.parametrize("batch", ['{ size = 3, timeout = "1h" }', '{ size = 1000, timeout = "100ms" }'])
def test_a_smaller_or_shorter_batch_is_due_at_once(waiting: Job, batch: str) -> None:
    """It stood until its old time."""
    waiting.configure(batch=batch)
    drain(waiting.runtime, 300)
    waiting.ends_right()


def test_a_worker_is_woken_for_it(waiting: Job) -> None:
    waiting.configure(batch='{ size = 3, timeout = "1h" }')
    assert "upkeep" in [wake.queue for wake in waiting.runtime.tick("task").wakes]
    waiting.runtime.upkeep("t", 1.0, rest=1.0, rest_of_ledger=1.0)
    keys = waiting.installation.keys
    score = waiting.installation.redis.zscore(keys.full("members"), "7")
    assert score <= redis_ms(waiting.installation.redis)


def test_nothing_is_looked_at_where_nothing_changed(waiting: Job) -> None:
    waiting.configure(batch=HOUR, tolerance='"none"')
    assert waiting.installation.redis.exists(waiting.installation.keys.rescore) == 0


def publish(job: Job, more: str) -> None:
    job.installation.configure(job.target.connector() + job.target.integration() + more)
    revision.publish(job.installation.redis, job.installation.keys, load(job.installation.file))


def test_an_intake_that_is_full_refuses_producers_until_the_limit_is_gone(waiting: Job) -> None:
    publish(waiting, "[intake]\nmax = 5\n")
    clear: Any = {"type": "clear", "segment": {"id": 1}}
    producer = waiting.installation.producer
    producer.push([clear] * 5)
    with pytest.raises(IntakeFull, match="5 events are waiting, 5 may"):
        producer.push([clear])
    publish(waiting, "")
    producer.push([clear])
