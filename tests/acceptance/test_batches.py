"""When batches go, with real worker and beat processes: in what order, and never before their time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.model import profiles
from tests.targets import TargetDatabase

if TYPE_CHECKING:
    from tests.installation import Installation


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


def count(target: TargetDatabase, segment: int) -> int:
    ((found,),) = target.run(f"SELECT count(*) FROM member WHERE segment_id = {segment}")
    return int(found)


def test_full_batches_and_segment_events_go_at_once_and_partial_ones_wait(
    installation: Installation, target: TargetDatabase
) -> None:
    start(installation, target.connector() + target.integration(batch='{ size = 1000, timeout = "24h" }'))
    installation.producer.add(100, profiles("a", "b", "c"))
    installation.producer.add(1, profiles(*range(1000)))
    installation.wait(lambda: count(target, 1) == 1000, "a full batch")

    # A segment event goes at once, with all that stands before it.
    installation.producer.add(200, profiles("a"))
    installation.producer.segment_upsert(200, name="VIP")
    installation.wait(lambda: target.names() == {"200": "VIP"}, "a segment event")
    assert count(target, 200) == 1

    assert count(target, 100) == 0
    assert installation.backlog() == 3


def test_a_partial_batch_goes_after_its_timeout_by_itself(installation: Installation, target: TargetDatabase) -> None:
    start(installation, target.connector() + target.integration(batch='{ size = 1000, timeout = "2s" }'))
    event = {"type": "add", "segment": {"id": 7}, "profiles": profiles("a", "b", "c")}
    pushed: Any = installation.redis.xadd(installation.keys.events, {"event": json.dumps(event)})
    installation.wait(lambda: count(target, 7), "a partial batch")
    seconds, micros = installation.redis.time()
    assert seconds * 1000 + micros // 1000 >= int(pushed.partition(b"-")[0]) + 2000, "not before its timeout"
    assert count(target, 7) == 3


def test_a_slow_connector_does_not_hold_up_another(installation: Installation, target: TargetDatabase) -> None:
    """All that one connector may run at once waits, and the other's batches come through."""
    target.run("CREATE TABLE locked (client_id varchar(100))")
    rows = "{for $i, $lead = $batch}('{$lead.CustomID}'){autocomma}{end}"
    slow = target.integration("slow", "slow", add=f"INSERT INTO locked (client_id) VALUES {rows}")
    waits = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'segsync:slow'"
        " AND datname = current_database()"
    )
    text = target.connector(parallelism=2) + target.connector("slow", parallelism=2) + target.integration() + slow
    start(installation, text)
    with target.connect() as holder:
        holder.execute("BEGIN; LOCK TABLE locked")
        for segment in range(4):
            installation.producer.add(segment, profiles("first"))
        installation.wait(lambda: target.run(waits) == [(2,)], "two statements that wait")
        for n in range(5):
            installation.producer.add(10 + n, profiles(n))
            installation.wait(lambda n=n: count(target, 10 + n) == 1, "another connector's batch meanwhile")  # type: ignore[misc]
    installation.settle()
