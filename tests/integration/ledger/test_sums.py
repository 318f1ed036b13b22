"""Sums by the hour: as right as single deliveries, and cheap to read however many there were."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from alembic import command
from sqlalchemy import select, text

from tests.integration.ledger.records import ADD, NOON, delivery, entry, failure, rows
from workers.errors import WrongUsage
from workers.ledger import migrations
from workers.ledger.counting import Count
from workers.ledger.database import Ledger
from workers.ledger.periods import period
from workers.ledger.rows import delivery_row, query_rows
from workers.ledger.statistics import errors, stats
from workers.ledger.sums import COUNTS, rounded, rounded_column
from workers.ledger.tables import deliveries, failed_hours, hours, identity, queries
from workers.outcomes import QueryRun

if TYPE_CHECKING:
    from sqlalchemy import Select

    from workers.outcomes import Record

MINUTE = 60_000
HOUR = 60 * MINUTE
NOON_TIME = datetime(2023, 11, 15, 12, tzinfo=UTC)
DAY = NOON_TIME - timedelta(hours=12), NOON_TIME + timedelta(hours=12)
REMOVE = QueryRun(event_type="remove", profiles=1, statements=2, rows=3, duration_us=4)
UNSENT = QueryRun(event_type="remove", profiles=0, statements=0, rows=0, duration_us=0, runs=0, unsent=2)


def some(count: int, other: QueryRun = UNSENT) -> list[Record]:
    """Deliveries, failures and entries of three hours, waits short enough to stay as they are.

    other  a query that may stand before an add
    """
    draw = random.Random(7)
    found: list[Record] = []
    for _ in range(count):
        at = NOON - HOUR + draw.randrange(3 * HOUR)
        of: dict[str, Any] = {
            "integration": draw.choice(("crm", "erp")),
            "started_ms": at,
            "waited_ms": draw.randrange(90),
        }
        counts = {"merged": draw.randrange(3), "moot": draw.randrange(2)}
        found.append(delivery(**of, **counts, queries=draw.choice(([], [ADD], [REMOVE], [other, ADD]))))
        found.append(failure(**of, outcome=draw.choice(("retry", "held")), event_type=draw.choice(("", "add"))))
        found.append(entry(integration=of["integration"], at_ms=at))
    return found


@pytest.mark.parametrize("by", ["hour", "total"])
def test_whole_hours_and_single_deliveries_tell_the_same(ledger: Ledger, by: Any) -> None:
    """A period that begins and ends within hours is made of both."""
    ledger.write(some(150))
    since, until = NOON_TIME - timedelta(minutes=59), NOON_TIME + timedelta(minutes=119)

    both, failures = stats(ledger, since, until, by=by), errors(ledger, since, until=until)

    # Pieces that hold no whole hour are counted one by one.
    pieces = [since + timedelta(minutes=59 * n) for n in range(4)]
    pieces[-1] = until
    singles = [stats(ledger, *each, by="total") for each in pairwise(pieces)]
    for name in (*COUNTS, "retries", "failures", "quarantined"):
        assert sum(getattr(row, name) for row in both) == sum(getattr(row, name) for part in singles for row in part)
    assert sum(row.unsent for row in both) > 0
    assert sum(row.count for row in failures) == sum(row.retries + row.failures + row.quarantined for row in both)


def test_the_sums_are_those_of_single_deliveries(ledger: Ledger) -> None:
    """By event type, too, and with the very percentiles, where no wait is rounded."""
    ledger.write(some(150))
    in_hour = NOON_TIME, NOON_TIME + timedelta(hours=1)
    summed = stats(ledger, *in_hour), errors(ledger, *in_hour[:1], until=in_hour[1], by="hour")

    with ledger.changing() as connection:
        connection.execute(hours.delete())
        connection.execute(failed_hours.delete())
        assert period(connection, *in_hour, None).edges == ()
    within = NOON_TIME + timedelta(milliseconds=1), NOON_TIME + timedelta(minutes=59, seconds=59.999)
    assert (stats(ledger, *within), errors(ledger, *within[:1], until=within[1], by="hour")) == summed


def test_a_delivery_that_is_written_twice_is_counted_once(ledger: Ledger) -> None:
    again = delivery()
    ledger.write([again])
    ledger.write([again, again])

    (row,) = stats(ledger, *DAY)

    assert (row.queries, row.merged) == (1, 1)


def test_days_are_those_of_a_zone(ledger: Ledger) -> None:
    """Also where the clock is put back: 29 October 2023 has 25 hours in Berlin."""
    berlin = ZoneInfo("Europe/Berlin")
    midnight = datetime(2023, 10, 29, tzinfo=berlin)
    ends = datetime(2023, 10, 30, tzinfo=berlin)
    first, last = int(midnight.timestamp() * 1000), int(ends.timestamp() * 1000) - 1
    ledger.write([delivery(started_ms=at) for at in (first - 1, first, last, last + 1)])

    found = stats(ledger, midnight - timedelta(days=2), ends + timedelta(days=2), by="day", zone=berlin)

    assert [(row.hour.astimezone(berlin).isoformat(), row.queries) for row in found] == [
        ("2023-10-28T00:00:00+02:00", 1),
        ("2023-10-29T00:00:00+02:00", 2),
        ("2023-10-30T00:00:00+01:00", 1),
    ]


def test_a_day_may_begin_within_an_hour(ledger: Ledger) -> None:
    """India is five and a half hours off."""
    kolkata = ZoneInfo("Asia/Kolkata")
    midnight = datetime(2023, 11, 16, tzinfo=kolkata)
    at = int(midnight.timestamp() * 1000)
    ledger.write([delivery(started_ms=at - 1), delivery(started_ms=at), delivery(started_ms=at + HOUR)])

    found = stats(ledger, midnight - timedelta(days=1), midnight + timedelta(days=1), by="day", zone=kolkata)

    assert [row.queries for row in found] == [1, 2]


def test_an_hour_at_midnight_is_counted_on_one_day_where_deliveries_may_be_gone(ledger: Ledger) -> None:
    """In the hour of 18:00 UTC a day of India ends and the next begins: it is told with the later one."""
    kolkata = ZoneInfo("Asia/Kolkata")
    midnight = datetime(2023, 11, 16, tzinfo=kolkata)
    at = int(midnight.timestamp() * 1000)
    ledger.write([delivery(started_ms=each) for each in (at - HOUR, at - 1, at, at + 24 * HOUR - 1, at + 24 * HOUR)])
    with ledger.changing() as connection:
        connection.execute(identity.update().values(kept_ms=at + 48 * HOUR + MINUTE * 30))
    since, until = midnight - timedelta(days=1), midnight + timedelta(days=1)

    by_day = stats(ledger, since, until, by="day", zone=kolkata)

    assert [(row.hour.astimezone(kolkata).day, row.queries) for row in by_day] == [(15, 1), (16, 4)]
    assert sum(row.queries for row in stats(ledger, since, until, by="total")) == 5


def test_more_days_than_anybody_reads_are_refused(ledger: Ledger) -> None:
    with pytest.raises(WrongUsage, match=r"more than 3,700 days; expected fewer, or `--by total`"):
        stats(ledger, NOON_TIME - timedelta(days=3_701), NOON_TIME, by="day")


def test_errors_have_an_end_too(ledger: Ledger) -> None:
    ledger.write([failure(started_ms=NOON), failure(started_ms=NOON + MINUTE), failure(started_ms=NOON + 2 * HOUR)])

    counts = [
        row.count for n in (0, 1, 61, 180) for row in errors(ledger, NOON_TIME, until=NOON_TIME + timedelta(minutes=n))
    ]

    assert counts == [1, 2, 3]


def test_a_sum_keeps_the_newest_segment_and_both_times(ledger: Ledger) -> None:
    ledger.write([failure(started_ms=NOON + 5, segment="newest"), failure(started_ms=NOON + 2, segment="8")])
    ledger.write([failure(started_ms=NOON + 1, segment="9"), failure(started_ms=NOON + 3, segment="7")])

    (row,) = errors(ledger, NOON_TIME)

    assert (row.count, row.segment) == (4, "newest")
    assert (row.first_seen, row.last_seen) == (
        NOON_TIME + timedelta(milliseconds=1),
        NOON_TIME + timedelta(milliseconds=5),
    )


def test_a_reason_that_no_index_could_hold(ledger: Ledger) -> None:
    reason = "".join(random.Random(1).choices("abcdefgh\u1234", k=4_000))
    ledger.write([failure(reason=reason), failure(reason=reason), failure(reason=reason + "!")])

    assert [row.count for row in errors(ledger, NOON_TIME)] == [3]  # a reason is cut at 4,000 characters


@pytest.mark.parametrize("wait", [0, 99, 100, 101, 110, 999, 1_000, 1_001, 99_999, 123_456, 10**12 - 1, 10**12])
def test_the_database_rounds_waits_as_the_code_does(ledger: Ledger, wait: int) -> None:
    assert 0 <= rounded(wait) - wait <= max(wait // 10, 0)
    ledger.write([delivery(waited_ms=wait)])
    with ledger.reading() as connection:
        assert connection.execute(select(rounded_column(queries.c.waited_ms))).scalar() == rounded(wait)


def test_an_upgrade_sums_up_what_there_is(empty_url: str) -> None:
    records = some(60, REMOVE)  # nobody counted yet what was not sent
    ledger = Ledger(empty_url)
    with ledger.writing() as writer, writer._connection.begin():
        config = migrations._config()
        config.attributes["connection"] = writer._connection
        command.upgrade(config, "0005")
        for record in records:
            if hasattr(record, "outcome"):
                into = deliveries.insert().returning(deliveries.c.id)
                id_ = writer._connection.execute(into, delivery_row(record)).scalar_one()  # type: ignore[arg-type]
                for row in query_rows(id_, record):  # type: ignore[arg-type]
                    writer._connection.execute(queries.insert(), {name: row[name] for name in row if name != "unsent"})
    ledger.upgrade()
    anew = rows(ledger, hours), [{**row, "segment": ""} for row in rows(ledger, failed_hours)]

    with ledger.changing() as connection:
        for table in (queries, deliveries, hours, failed_hours):
            connection.execute(table.delete())
    ledger.write(records)

    assert anew == (rows(ledger, hours), [{**row, "segment": ""} for row in rows(ledger, failed_hours)])


def test_whole_hours_are_read_from_the_sums_alone(ledger: Ledger) -> None:
    """How many deliveries there are does not matter then: neither table is read but by an index, and for no row."""
    ledger.write(some(20))
    with ledger.reading() as connection:
        whole = period(connection, *DAY, None)
        assert (whole.hours[1] or 0) - whole.hours[0] == 24
        assert whole.edges == ()
        nothing = replace(whole, hours=(0, 0))
        assert connection.execute(Count(nothing, by_hour=True).committed()).all() == []
        count = Count(whole, by_hour=True)
        for statement in (count.committed(), count.failed(), count.causes(None)):
            assert read_whole(ledger, statement) == set()


def test_edges_are_read_by_the_time(ledger: Ledger) -> None:
    ledger.write(some(20))
    with ledger.reading() as connection:
        parted = period(connection, DAY[0] + timedelta(minutes=1), DAY[1] + timedelta(minutes=1), None)
    assert len(parted.edges) == 2
    count = Count(parted, by_hour=False)
    for statement in (count.committed(), count.failed(), count.causes("add")):
        assert read_whole(ledger, statement) == set()


def read_whole(ledger: Ledger, statement: Select[Any]) -> set[str]:
    """The large tables that the database reads from end to end."""
    with ledger.changing() as connection:
        written = str(statement.compile(connection, compile_kwargs={"literal_binds": True}))
        if ledger.dialect == "sqlite":
            plan = [row[3] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {escaped(written)}"))]
            return {name for name in ("deliveries", "queries") if any(f"SCAN {name}" in line for line in plan)}
        # So few rows are read in one go otherwise.
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = [row[0] for row in connection.execute(text(f"EXPLAIN {escaped(written)}"))]
        return {name for name in ("deliveries", "queries") if any(f"Seq Scan on {name}" in line for line in plan)}


def escaped(statement: str) -> str:
    return statement.replace(":", r"\:")
