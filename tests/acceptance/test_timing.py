"""When things arrive, with real worker and beat processes."""

from __future__ import annotations

import json
import statistics
import time
from typing import TYPE_CHECKING

import pytest

from tests.model import profiles
from tests.targets import TargetDatabase

if TYPE_CHECKING:
    from tests.installation import Installation

pytestmark = pytest.mark.alone

ROUNDS = 10


@pytest.fixture
def target(postgresql_url: str) -> TargetDatabase:
    database = TargetDatabase("postgresql", postgresql_url)
    database.create()
    return database


def start(installation: Installation, text: str) -> None:
    installation.configure(text)
    installation.worker("-Q", "route,upkeep", name="route")
    installation.worker("-Q", "deliver.crm,deliver.slow", name="deliver", concurrency=4)
    installation.beat()
    installation.ready()


def seconds_until(installation: Installation, target: TargetDatabase, segment: str, count: int) -> float:
    started = time.monotonic()
    sql = f"SELECT count(*) FROM member WHERE segment_id = {segment}"
    with target.connect() as connection:
        while connection.execute(sql).fetchone()[0] < count:
            if time.monotonic() > started + 10:
                raise AssertionError(f"{count} profiles of segment {segment} are late\n{installation.logs()[-4000:]}")
            time.sleep(0.005)
    return time.monotonic() - started


def test_full_batches_go_at_once_and_partial_ones_after_their_timeout(
    installation: Installation, target: TargetDatabase
) -> None:
    """Batch of 1000, timeout 2 s."""
    start(installation, target.connector() + target.integration(batch='{ size = 1000, timeout = "2s" }'))
    installation.producer.add(1, profiles(*range(1000)))
    assert seconds_until(installation, target, "1", 1000) < 1.9

    waited = []
    for n in range(ROUNDS):
        event = {"type": "add", "segment": {"id": 100 + n}, "profiles": profiles("a", "b", "c")}
        installation.redis.xadd(installation.keys.events, {"event": json.dumps(event)})
        waited.append(seconds_until(installation, target, f"{100 + n}", 3))
    assert min(waited) >= 2.0 - 0.005  # the clock here starts after XADD
    assert statistics.median(waited) < 2.5
    assert max(waited) < 4.0

    # A segment event goes at once, with all that stands before it.
    installation.producer.add(200, profiles("a"))
    installation.producer.segment_upsert(200, name="VIP")
    assert seconds_until(installation, target, "200", 1) < 1.5
    installation.settle(5)
    assert target.names() == {"200": "VIP"}


def test_a_slow_connector_does_not_hold_up_another(installation: Installation, target: TargetDatabase) -> None:
    """One connector takes 2 s a statement; the other's batches stay within 3 s."""
    keys = "{for $i, $lead = $batch}('{$lead.CustomID}'){autocomma}{end}"
    slow = target.integration(
        "slow", "slow", add=f"SELECT pg_sleep(2), {{segment_id}} FROM (VALUES {keys}) AS v LIMIT 1"
    )
    text = target.connector(parallelism=2) + target.connector("slow", parallelism=2) + target.integration() + slow
    start(installation, text)
    for n in range(5):
        for segment in range(4):
            installation.producer.add(10 * n + segment, profiles(n))
        assert seconds_until(installation, target, f"{10 * n}", 1) < 3.0
