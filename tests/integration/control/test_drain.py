"""`segsync drain`: routing and delivering without Celery, on a real Redis and SQLite."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.integration.place import integration
from workers.control.drain import drain
from workers.ledger import statistics

if TYPE_CHECKING:
    from tests.integration.place import Place


def backlog(place: Place, key: str = "crm") -> int:
    return int(place.redis.hget(place.keys.integration(key), "backlog") or 0)


def test_everything_that_is_due_is_routed_delivered_and_recorded(place: Place) -> None:
    runtime = place.publish(integration())
    place.add("7", 35)
    place.add("8", 10)
    place.let_timeouts_pass()

    report = drain(runtime)

    assert (report.events, report.failed, report.causes, report.ledger) == (2, 0, (), "")
    assert report.batches == 5
    assert len(place.rows()) == 45
    assert backlog(place) == 0
    assert place.redis.xlen(place.keys.outcomes) == 0
    hour = timedelta(hours=1)
    rows = statistics.stats(runtime.ledger, datetime.now(UTC) - hour, datetime.now(UTC) + hour)
    assert sum(row.profiles for row in rows) == 45


def test_a_batch_that_waits_for_its_timeout_is_left(place: Place) -> None:
    runtime = place.publish(integration(timeout="1h"))
    place.add("7", 12)

    report = drain(runtime)

    assert report.batches == 1
    assert backlog(place) == 2


def test_what_fails_is_reported_once_for_each_cause_and_not_waited_for(place: Place) -> None:
    """The target is locked: a lane's retry time is half a second, and it comes due again and again."""
    place.wait = "200ms"
    runtime = place.publish(integration())
    place.add("7", 10)
    with closing(sqlite3.connect(place.target)) as other:
        other.execute("BEGIN EXCLUSIVE")
        report = drain(runtime)

    assert report.failed >= 1
    assert len(report.causes) == 1
    assert report.causes[0].startswith("crm/7: ")
    assert backlog(place) == 10
    assert place.redis.zcard(place.keys.permits("deliver.db")) == 0


def test_a_failing_lane_does_not_end_the_drain_while_others_are_due(place: Place) -> None:
    """Its retry time passes during the drain, and it must neither be waited for nor stop the rest."""
    runtime = place.publish(integration(), integration("erp", table="missing"))
    for segment in range(30):
        place.add(str(segment), 10)

    report = drain(runtime)

    assert report.failed >= 1
    assert len(place.rows()) == 300
    assert backlog(place, "erp") == 300


def test_a_dead_ledger_stops_no_delivery_and_loses_no_outcome(place: Place) -> None:
    (place.folder / "ledger").mkdir()
    runtime = place.publish(integration(), ledger="ledger")
    place.add("7", 10)

    report = drain(runtime)

    assert len(place.rows()) == 10
    assert "ledger" in report.ledger
    assert place.redis.xlen(place.keys.outcomes) == 1


def test_it_ends_when_its_time_is_over(place: Place) -> None:
    runtime = place.publish(integration())
    place.add("7", 10)
    assert drain(runtime, 0).events == 0
    assert drain(runtime, 60).events == 1


def test_it_waits_for_the_permits_of_workers_that_died(place: Place) -> None:
    """All permits of the connector are out; they run out after a while, and nothing else gives them back."""
    runtime = place.publish(integration())
    place.add("7", 10)
    seconds, _ = place.redis.time()
    tokens = {f"dead{n}": (seconds + 2) * 1000 for n in range(4)}
    place.redis.zadd(place.keys.permits("deliver.db"), tokens)

    assert drain(runtime).batches == 1
    assert len(place.rows()) == 10


def test_a_paused_integration_is_left_alone(place: Place) -> None:
    runtime = place.publish(integration())
    place.redis.hset(place.keys.integration("crm"), "paused", "1")
    place.add("7", 10)

    report = drain(runtime)

    assert (report.events, report.batches) == (1, 0)
    assert backlog(place) == 10


def test_a_target_that_is_away_is_reported_and_not_waited_for(place: Place) -> None:
    runtime = place.publish(integration())
    place.target.unlink()
    place.target.mkdir()
    place.add("7", 10)
    place.add("8", 10)

    report = drain(runtime)

    assert report.failed >= 1
    assert report.batches == 0
    assert backlog(place) == 20
