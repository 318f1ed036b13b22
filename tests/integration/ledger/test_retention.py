"""`[ledger] keep`: single deliveries go, sums stay, and nobody waits for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, select

from tests.integration.ledger.records import NOON, delivery, entry, failure, resynced, rows
from tests.integration.place import integration
from workers.ledger import periods, retention, statistics
from workers.ledger.retention import SLICE, forget, has_old
from workers.ledger.statistics import errors, stats
from workers.ledger.tables import deliveries, identity, quarantine, queries, resyncs

if TYPE_CHECKING:
    from tests.integration.place import Place
    from workers.ledger.database import Ledger

HOUR = 3_600_000
NOON_TIME = datetime(2023, 11, 15, 12, tzinfo=UTC)
DAY = NOON_TIME - timedelta(hours=12), NOON_TIME + timedelta(hours=12)


@pytest.fixture
def claimed(ledger: Ledger) -> Ledger:
    """A ledger with an id, as whoever writes to it gives it one."""
    with ledger.changing() as connection:
        connection.execute(insert(identity).values(id="one"))
    return ledger


def test_old_deliveries_go_and_their_sums_stay(claimed: Ledger) -> None:
    claimed.write([delivery(started_ms=NOON - HOUR), failure(started_ms=NOON - 1), entry(at_ms=NOON - HOUR)])
    claimed.write([delivery(started_ms=NOON), failure(started_ms=NOON)])
    before = stats(claimed, *DAY), errors(claimed, DAY[0])

    assert has_old(claimed, NOON + HOUR - 1)
    assert forget(claimed, NOON + HOUR - 1, 10.0) == (2, True)

    assert [row["started_ms"] for row in rows(claimed, deliveries)] == [NOON, NOON]
    assert [row["started_ms"] for row in rows(claimed, queries)] == [NOON]
    assert len(rows(claimed, quarantine)) == 1
    assert (stats(claimed, *DAY), errors(claimed, DAY[0])) == before
    assert not has_old(claimed, NOON + HOUR - 1)


def test_old_runs_of_resyncs_go(claimed: Ledger) -> None:
    """Also where nothing was delivered: verifications that find nothing are runs, too."""
    claimed.write([resynced(ended_ms=at) for at in (NOON - HOUR, NOON - 1, NOON, NOON + HOUR)])
    assert has_old(claimed, NOON + HOUR - 1)
    assert forget(claimed, NOON + HOUR - 1, 10.0) == (0, True)
    assert [row["ended_ms"] for row in rows(claimed, resyncs)] == [NOON, NOON + HOUR]
    assert not has_old(claimed, NOON + HOUR - 1)


def test_what_has_gone_is_told_by_whole_hours(claimed: Ledger) -> None:
    """A period that ends within such an hour has no single deliveries to count."""
    claimed.write([delivery(started_ms=NOON - 1), delivery(started_ms=NOON + HOUR - 1)])
    forget(claimed, NOON, 10.0)
    within = timedelta(minutes=10)

    found = stats(claimed, NOON_TIME - within, NOON_TIME + within, by="total")
    earlier = stats(claimed, NOON_TIME - 3 * within, NOON_TIME - 2 * within, by="total")

    assert [row.queries for row in found] == [1]  # the whole hour before noon, and ten minutes after it
    assert [row.queries for row in earlier] == [1]


@pytest.mark.parametrize("what", ["stats", "errors"])
def test_what_goes_while_it_is_counted_is_counted_all_the_same(
    claimed: Ledger, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The period is chosen first: what it takes from single deliveries must be there when it is read."""
    claimed.write([delivery(started_ms=NOON - 1), failure(started_ms=NOON - 1)])
    chosen = periods.period

    def meanwhile(*given: Any, **how: Any) -> Any:
        found = chosen(*given, **how)
        forget(claimed, NOON, 10.0)
        return found

    monkeypatch.setattr(statistics, "period", meanwhile)
    since, until = NOON_TIME - timedelta(minutes=10), NOON_TIME
    if what == "stats":
        assert [(row.queries, row.retries + row.failures) for row in stats(claimed, since, until, by="total")] == [
            (0, 1),
            (1, 0),
        ]
    else:
        assert [row.count for row in errors(claimed, since, until=until)] == [1]


def test_a_slice_ends_when_its_time_is_up(claimed: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "SLICE", 2)
    claimed.write([delivery(started_ms=NOON - HOUR) for _ in range(5)])
    claimed.write([resynced(ended_ms=NOON - HOUR) for _ in range(4)])
    ticks = iter([0.0, 1.0, 1.0, 2.0, 2.0, 3.0])

    assert forget(claimed, NOON, 1.0, clock=lambda: next(ticks)) == (2, False)
    assert forget(claimed, NOON, 1.0, clock=lambda: next(ticks)) == (2, False)
    assert forget(claimed, NOON, 1.0, clock=lambda: next(ticks)) == (1, False)
    assert len(rows(claimed, resyncs)) == 3
    assert forget(claimed, NOON, 9.0) == (0, True)
    assert rows(claimed, resyncs) == []


def test_old_ones_are_found_by_their_time(claimed: Ledger) -> None:
    with claimed.reading() as connection:
        column = deliveries.c
        old = select(column.id).where(column.started_ms < NOON).order_by(column.started_ms).limit(SLICE)
        written = str(old.compile(connection, compile_kwargs={"literal_binds": True}))
        if claimed.dialect == "postgresql":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        explain = "EXPLAIN QUERY PLAN " if claimed.dialect == "sqlite" else "EXPLAIN "
        plan = " ".join(str(row) for row in connection.exec_driver_sql(explain + written))
    assert "deliveries_once" in plan or "Index" in plan


def test_upkeep_lets_go_of_what_is_older_than_the_file_says(place: Place) -> None:
    runtime = place.publish(integration(), ledger='ledger.db"\nkeep = "2d')
    ledger, now = runtime.ledger, datetime.now(UTC)
    ages = {hours: round((now - timedelta(hours=hours)).timestamp() * 1000) for hours in (1, 47, 72)}
    ledger.write([delivery(started_ms=at) for at in ages.values()])

    runtime.drain_outcomes(5.0)

    assert [row["started_ms"] for row in rows(ledger, deliveries)] == [ages[1], ages[47]]
    assert sum(row.queries for row in stats(ledger, now - timedelta(days=5), now)) == 3
