"""What `stats`, `errors` and `quarantine` read back."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.integration.ledger.records import ADD, NOON, delivery, entry, failure
from workers.errors import WrongUsage
from workers.ledger.database import Ledger
from workers.ledger.errors import LedgerError
from workers.ledger.runs import runs
from workers.ledger.statistics import ErrorRow, StatsRow, errors, stats
from workers.ledger.sums import rounded
from workers.outcomes import QueryRun
from workers.quarantine.entries import QuarantineEntry, UnknownEntry, count_open, list_entries, show

if TYPE_CHECKING:
    from pathlib import Path

MINUTE = 60_000
HOUR = 60 * MINUTE
NOON_TIME = datetime(2023, 11, 15, 12, tzinfo=UTC)
ONE_TIME = NOON_TIME + timedelta(hours=1)
DAY = NOON_TIME - timedelta(hours=12), NOON_TIME + timedelta(hours=12)


def row(integration: str, event_type: str, hour: datetime, latencies: tuple[int, int, int], **counts: Any) -> StatsRow:
    """What came of an hour; `latencies` are the median, the 95th percentile and the longest, in milliseconds."""
    p50, p95, longest = latencies
    told = StatsRow(integration=integration, event_type=event_type, hour=hour)
    return replace(told, latency_p50_ms=p50, latency_p95_ms=p95, latency_max_ms=longest, **counts)


def test_stats_per_integration_event_type_and_hour(ledger: Ledger) -> None:
    remove = QueryRun(event_type="remove", profiles=1, statements=2, rows=3, duration_us=4)
    ledger.write(
        [
            delivery(started_ms=NOON + MINUTE, waited_ms=100, queries=[remove, ADD]),
            delivery(started_ms=NOON + 59 * MINUTE, waited_ms=300),
            delivery(started_ms=NOON + HOUR, waited_ms=7),
            delivery(integration="erp"),
        ]
    )

    found = stats(ledger, *DAY)

    once: dict[str, Any] = {"queries": 1, "statements": 1, "rows": 8, "profiles": 8, "merged": 1}
    assert found == [
        StatsRow(integration="crm", event_type=None, hour=NOON_TIME, merged=1),  # of a batch of two event types
        row(
            "crm", "add", NOON_TIME, latencies=(100, 300, 300), queries=2, statements=2, rows=16, profiles=16, merged=1
        ),
        row("crm", "remove", NOON_TIME, queries=1, statements=2, rows=3, profiles=1, latencies=(100, 100, 100)),
        row("erp", "add", NOON_TIME, latencies=(50, 50, 50), **once),
        row("crm", "add", ONE_TIME, latencies=(7, 7, 7), **once),
    ]


def test_a_statement_that_was_not_sent_is_no_successful_query(ledger: Ledger) -> None:
    """It has no latency either; one beside others of its query is counted with them."""
    empty = QueryRun(event_type="remove", profiles=0, statements=0, rows=0, duration_us=0, runs=0, unsent=2)
    some = QueryRun(event_type="add", profiles=8, statements=1, rows=8, duration_us=900, unsent=1)
    ledger.write([delivery(queries=[empty, some], merged=0)])
    counts: dict[str, Any] = {"queries": 1, "statements": 1, "rows": 8, "profiles": 8, "unsent": 1}
    expected = [
        row("crm", "add", NOON_TIME, latencies=(50, 50, 50), **counts),
        StatsRow(integration="crm", event_type="remove", hour=NOON_TIME, unsent=2),
    ]
    assert stats(ledger, *DAY) == expected
    within = NOON_TIME - timedelta(minutes=1), NOON_TIME + timedelta(minutes=1)
    at = within[0]
    assert stats(ledger, *within, by="total") == [replace(each, hour=at) for each in expected], "counted one by one"
    (told,) = runs(ledger)
    assert (told.event_types, told.statements, told.unsent) == (["add"], 1, 3)


def test_tries_that_failed_are_no_successful_queries(ledger: Ledger) -> None:
    ledger.write([failure("retry"), failure("retry"), failure("held"), failure("who knows")])

    assert stats(ledger, *DAY) == [StatsRow(integration="crm", event_type=None, hour=NOON_TIME, retries=2, failures=2)]


def test_a_query_that_failed_counts_for_its_event_type(ledger: Ledger) -> None:
    ledger.write([failure(event_type="add"), failure(event_type="add", outcome="held"), failure()])
    found = {row.event_type: (row.retries, row.failures) for row in stats(ledger, *DAY)}
    assert found == {"add": (1, 1), None: (1, 0)}


def test_what_is_quarantined_counts_for_its_event_type(ledger: Ledger) -> None:
    malformed = entry(integration=None, segment=None, event_type=None, profile=None, code="malformed")
    ledger.write([delivery(), entry(), entry(), entry(event_type="remove"), malformed])

    found = {(row.integration, row.event_type): (row.queries, row.quarantined) for row in stats(ledger, *DAY)}

    assert found == {("crm", "add"): (1, 2), ("crm", "remove"): (0, 1), (None, None): (0, 1)}


def test_no_name_and_an_empty_name_are_two(ledger: Ledger) -> None:
    ledger.write([entry(integration=None), entry(integration=""), entry(event_type=""), entry(event_type=None)])

    assert [(row.integration, row.event_type) for row in stats(ledger, *DAY)] == [
        (None, "add"),
        ("", "add"),
        ("crm", None),
        ("crm", ""),
    ]


def test_stats_of_one_integration_and_span(ledger: Ledger) -> None:
    """`since` is in, `until` is not; any zone will do."""
    ledger.write(
        [
            delivery(started_ms=NOON - 1),
            delivery(started_ms=NOON),
            delivery(started_ms=NOON + MINUTE - 1),
            delivery(started_ms=NOON + MINUTE),
            delivery(integration="erp"),
            failure(started_ms=NOON + MINUTE),
            entry(at_ms=NOON - 1),
        ]
    )
    since = NOON_TIME.astimezone(timezone(timedelta(hours=5)))

    found = stats(ledger, since, since + timedelta(minutes=1), "crm")

    assert [(row.integration, row.queries, row.retries, row.quarantined) for row in found] == [("crm", 2, 0, 0)]


@pytest.mark.parametrize("count", [1, 2, 3, 19, 20, 21, 100, 997])
def test_percentiles_are_the_nearest_ranks(ledger: Ledger, count: int) -> None:
    waits = [random.Random(count + number).randrange(2 * count) for number in range(count)]
    ledger.write([delivery(waited_ms=wait) for wait in waits])

    (row,) = stats(ledger, *DAY)
    (exactly,) = stats(ledger, NOON_TIME, NOON_TIME + timedelta(minutes=59))

    ranked = sorted(waits)
    p50, p95, longest = ranked[-(-count * 50 // 100) - 1], ranked[-(-count * 95 // 100) - 1], ranked[-1]
    assert (exactly.latency_p50_ms, exactly.latency_p95_ms, exactly.latency_max_ms) == (p50, p95, longest)
    expected = min(rounded(p50), longest), min(rounded(p95), longest), longest
    assert (row.latency_p50_ms, row.latency_p95_ms, row.latency_max_ms) == expected


def test_stats_of_hostile_numbers(ledger: Ledger) -> None:
    """Sums stay within 64 bits, times within the calendar."""
    most = 2**64 - 1
    huge = QueryRun(event_type="add", profiles=most, statements=most, rows=most, duration_us=most)
    ledger.write([delivery(started_ms=most, waited_ms=most, queries=[huge] * 20)])

    (row,) = stats(ledger, NOON_TIME, datetime.max.replace(tzinfo=UTC))

    assert row.hour.year == 9999
    assert row.rows == 20 * 10**12


def test_errors_by_cause_the_newest_first(ledger: Ledger) -> None:
    ledger.write(
        [
            delivery(),
            failure("retry", started_ms=NOON + 3, segment="9"),
            failure("retry", started_ms=NOON + 1, segment="7"),
            failure("held", started_ms=NOON + 2, segment="8"),
            failure("held", started_ms=NOON + 5, code="postgresql 42P01", reason="no such table"),
            entry(at_ms=NOON + 4),
            entry(at_ms=NOON + 9, integration=None, segment=None, code="malformed", reason="no JSON"),
            failure(started_ms=NOON - 1, reason="before"),
        ]
    )

    found = errors(ledger, NOON_TIME)

    assert [(row.integration, row.code, row.segment) for row in found] == [
        (None, "malformed", None),
        ("crm", "postgresql 42P01", "7"),
        ("crm", "mysql 1406", "7"),
        ("crm", "mysql 1213", "9"),
    ]
    assert found[-1] == ErrorRow(
        hour=NOON_TIME,
        integration="crm",
        event_type=None,
        code="mysql 1213",
        reason="deadlock",
        count=3,
        retries=2,
        failures=1,
        quarantined=0,
        first_seen=NOON_TIME + timedelta(milliseconds=1),
        last_seen=NOON_TIME + timedelta(milliseconds=3),
        segment="9",
    )
    assert found[2].quarantined == found[2].count == 1
    assert [row.code for row in errors(ledger, NOON_TIME, "erp")] == []


def test_errors_by_event_type_and_hour_or_day(ledger: Ledger) -> None:
    """One cause is as many rows as it has event types and hours; the newest hour comes first."""
    late = NOON + 13 * HOUR
    ledger.write(
        [
            failure(event_type="add", started_ms=NOON + MINUTE),
            failure(event_type="remove", started_ms=NOON + 2 * MINUTE, outcome="held"),
            failure(started_ms=NOON + 3 * MINUTE),
            failure(event_type="add", started_ms=NOON + HOUR, segment="8"),
            failure(event_type="add", started_ms=late),
            entry(event_type="remove", at_ms=late),
        ]
    )
    until = NOON_TIME + timedelta(days=2)

    def told(**how: Any) -> list[tuple[datetime, str | None, int]]:
        return [(row.hour, row.event_type, row.count) for row in errors(ledger, NOON_TIME, until=until, **how)]

    at_one = NOON_TIME + timedelta(hours=13)
    first = [(NOON_TIME, None, 1), (NOON_TIME, "remove", 1), (NOON_TIME, "add", 1)]
    assert sorted(told(by="hour")[:2]) == [(at_one, "add", 1), (at_one, "remove", 1)]
    assert told(by="hour")[2:] == [(ONE_TIME, "add", 1), *first]
    midnight = NOON_TIME + timedelta(hours=12)
    assert sorted(told(by="day")[:2]) == [(midnight, "add", 1), (midnight, "remove", 1)]
    assert told(by="day")[2:] == [(NOON_TIME, "add", 2), *first[:2]]
    assert told(by="total", event_type="remove") == [(NOON_TIME, "remove", 1), (NOON_TIME, "remove", 1)]
    assert told(by="hour", event_type="add") == [(at, "add", 1) for at in (at_one, ONE_TIME, NOON_TIME)]
    assert [row.segment for row in errors(ledger, NOON_TIME, event_type="add")] == ["7"]


def test_errors_that_cannot_be_told_so(ledger: Ledger) -> None:
    with pytest.raises(WrongUsage, match="'ad' is no event type; expected one of add, remove, clear"):
        errors(ledger, NOON_TIME, event_type="ad")
    with pytest.raises(ValueError, match="days without an end"):
        errors(ledger, NOON_TIME, by="day")


@pytest.mark.parametrize("read", [lambda ledger, time: stats(ledger, time, time), errors])
def test_a_time_without_a_zone_is_refused(ledger: Ledger, read: object) -> None:
    assert callable(read)
    with pytest.raises(ValueError, match="'2023-11-15T12:00:00' has no zone; expected one"):
        read(ledger, NOON_TIME.replace(tzinfo=None))


def test_open_entries_the_newest_first(ledger: Ledger) -> None:
    ledger.write([entry(profile=str(number), integration="crm" if number % 2 else "erp") for number in range(6)])

    assert [found.profile for found in list_entries(ledger)] == ["5", "4", "3", "2", "1", "0"]
    assert [found.profile for found in list_entries(ledger, "crm", limit=2)] == ["5", "3"]
    assert list_entries(ledger, "nobody's \0 \ud800") == []


@pytest.mark.parametrize("limit", [0, -1, 10_001])
def test_limits_are_checked(ledger: Ledger, limit: int) -> None:
    with pytest.raises(ValueError, match=f"limit {limit}: expected 1 to 10000"):
        list_entries(ledger, limit=limit)


def test_a_listed_entry_has_no_data_of_its_profile(ledger: Ledger) -> None:
    ledger.write([entry()])

    (found,) = list_entries(ledger)

    assert found == QuarantineEntry(
        id=1,
        integration="crm",
        segment="7",
        event_type="add",
        profile="61f0",
        at=NOON_TIME,
        code="mysql 1406",
        reason="a value is too long for its column",
        size=14,
        source="lane",
        state="open",
    )


def test_a_shown_entry_has_everything(ledger: Ledger) -> None:
    payload = bytes(range(256))
    kept = entry(payload=payload, size=10_000_000)
    ledger.write([entry(), kept])

    found = show(ledger, 2)

    assert (found.uid, found.payload, found.size) == (kept.uid, payload, 10_000_000)
    assert (found.sha256, found.detail, found.sequence) == (kept.sha256, kept.detail, kept.sequence)
    assert (found.state, found.changed) == ("open", None)


@pytest.mark.parametrize("number", [0, -1, 2, 2**63, 10**40])
def test_an_entry_that_is_not_there(ledger: Ledger, number: int) -> None:
    ledger.write([entry()])

    with pytest.raises(UnknownEntry, match=f"no quarantine entry {number}$"):
        show(ledger, number)


def test_open_entries_are_counted_per_integration(ledger: Ledger) -> None:
    assert count_open(ledger) == {}

    ledger.write([entry(), entry(), entry(integration="erp"), entry(integration=None)])

    assert count_open(ledger) == {"crm": 2, "erp": 1, None: 1}


def test_everything_that_is_read_can_be_json(ledger: Ledger) -> None:
    ledger.write([delivery(), failure(), entry(payload=b"\xff")])
    found = [*stats(ledger, *DAY), *errors(ledger, DAY[0]), *list_entries(ledger), show(ledger, 1)]

    plain = json.loads(msgspec.json.encode(found))

    assert plain[-1]["payload"] == "/w=="
    assert plain[-1]["at"] == "2023-11-15T12:00:00Z"
    assert len(plain) == 6


def test_a_ledger_without_tables_says_so(empty_url: str) -> None:
    with pytest.raises(LedgerError, match=r"^ledger (sqlite|postgresql) '.*: its tables are missing \("):
        count_open(Ledger(empty_url))


def test_a_file_that_is_no_ledger_says_so(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"ann@example.com" * 100)

    with pytest.raises(LedgerError, match=r"no SQLite database \(SQLITE_NOTADB\)$"):
        Ledger(f"sqlite:///{tmp_path}/ledger.db").upgrade()
