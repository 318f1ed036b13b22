"""Statistics and failures, counted from the ledger.

Only a committed query is a successful one (rule 28). A try that failed has run no query to its end; it counts
for the event type of the one that failed, and for none where nothing came as far as a query.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select

from workers.errors import WrongUsage
from workers.events.event import Kind
from workers.ledger.counting import KEY, Count
from workers.ledger.periods import days, period
from workers.ledger.rows import milliseconds_of, time_of
from workers.ledger.sums import HOUR_MS
from workers.ledger.tables import hours

if TYPE_CHECKING:
    from datetime import tzinfo

    from sqlalchemy import Connection

    from workers.ledger.database import Ledger
    from workers.ledger.periods import By

EVENT_TYPES: Final = tuple(kind.label for kind in Kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsRow:
    """What one integration did in one hour, day or period, for one event type.

    integration  None for what was quarantined before it reached one
    event_type   None for tries that failed before any query ran, for quarantined events that have none, and for what
                 was merged or moot in batches of several event types, or of none that has a query
    hour         its beginning, UTC, or that of the day or period; a try counts in the hour it began in
    queries      committed
    statements   SQL statements in them
    rows         affected, as the driver counts them
    profiles     in them
    unsent       statements that were not sent, since the list that is all of them came out empty
    merged       operations that a later one of their key replaced, in batches that were delivered
    moot         operations in such batches that a later clear made pointless, or that no query is for
    retries      tries that failed and that segsync repeats by itself
    failures     tries that failed and need someone
    quarantined  profiles and events, whatever became of them since
    latency_*    milliseconds from the stream time of a batch's first operation to the end of its delivery,
                 over the committed queries (nearest rank); None without any. Where whole hours are counted, the
                 percentiles' waits are rounded up to two digits
    """

    integration: str | None
    event_type: str | None
    hour: datetime
    queries: int = 0
    statements: int = 0
    rows: int = 0
    profiles: int = 0
    unsent: int = 0
    merged: int = 0
    moot: int = 0
    retries: int = 0
    failures: int = 0
    quarantined: int = 0
    latency_p50_ms: int | None = None
    latency_p95_ms: int | None = None
    latency_max_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRow:
    """One cause of failures, for one event type, in one hour, day or period.

    hour         its beginning, UTC, or that of the day or period
    event_type   as in StatsRow
    reason       our sentence; never a value
    count        retries + failures + quarantined
    retries, failures, quarantined  as in StatsRow
    segment      of the newest; None where an event has none
    """

    hour: datetime
    integration: str | None
    event_type: str | None
    code: str
    reason: str
    count: int
    retries: int
    failures: int
    quarantined: int
    first_seen: datetime
    last_seen: datetime
    segment: str | None


def stats(
    ledger: Ledger,
    since: datetime,
    until: datetime,
    integration: str | None = None,
    *,
    by: By = "hour",
    zone: tzinfo = UTC,
) -> list[StatsRow]:
    """What was done from `since` up to, not including, `until`: by hour, day or in total, integration and event type.

    zone  whose days are meant. A day of a zone that is off by half an hour is counted as exactly as any period; where
          single deliveries may be gone, the hour with midnight in it is counted on the later day.

    ValueError where a time has no zone; WrongUsage for too many days; LedgerError.
    """
    found: dict[tuple[Any, ...], StatsRow] = {}
    with ledger.reading() as connection:
        _prepare(connection)
        if by == "hour":
            _count(connection, Count(period(connection, since, until, integration), by_hour=True), None, found)
            return [found[key] for key in sorted(found)]
        for start, end in days(since, until, zone) if by == "day" else ((since, until),):
            one = period(connection, start, end, integration, goes_on=end < until)
            _count(connection, Count(one, by_hour=False), start, found)
    return [found[key] for key in sorted(found)]


def _prepare(connection: Connection) -> None:
    """All statements see one moment, as they do in SQLite: single deliveries go meanwhile, and whole hours count then.

    And without a compiler: PostgreSQL would take longer to compile these statements than to run them.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.exec_driver_sql("SET LOCAL jit = off")


def _count(
    connection: Connection, count: Count, start: datetime | None, found: dict[tuple[Any, ...], StatsRow]
) -> None:
    """Adds what is counted to `found`, all under `start`, or each under its hour."""
    for part in (count.committed(), count.failed(), count.quarantined()):
        for row in connection.execute(part).mappings():
            at = start or time_of(row["hour"] * HOUR_MS)
            # None, which has no order, comes before every name.
            key = at, *((row[name] is not None, row[name] or "") for name in ("integration", "event_type"))
            found[key] = _merged(found.get(key), dict(row) | {"hour": at})


def errors(
    ledger: Ledger,
    since: datetime,
    integration: str | None = None,
    *,
    until: datetime | None = None,
    by: By = "total",
    zone: tzinfo = UTC,
    event_type: str | None = None,
) -> list[ErrorRow]:
    """What failed since then, and before `until`, by integration, event type and cause, the newest first.

    until       None: for ever; not so where days are told
    by, zone    as in `stats`
    event_type  only of this one; WrongUsage for one that there is not

    ValueError where a time has no zone, or days have no end; WrongUsage for too many days; LedgerError.
    """
    if event_type is not None and event_type not in EVENT_TYPES:
        raise WrongUsage(f"{event_type[:60]!r} is no event type; expected one of {', '.join(EVENT_TYPES)}")
    with ledger.reading() as connection:
        _prepare(connection)
        if by == "hour":
            hourly = Count(period(connection, since, until, integration), by_hour=True)
            return _causes(connection, hourly, None, event_type)
        found: list[ErrorRow] = []
        for start, end in _days(since, until, zone) if by == "day" else [(since, until)]:
            count = Count(period(connection, start, end, integration, goes_on=end != until), by_hour=False)
            found += _causes(connection, count, start, event_type)
    return found


def _days(since: datetime, until: datetime | None, zone: tzinfo) -> list[tuple[datetime, datetime]]:
    """The last one first."""
    if until is None:
        raise ValueError("days without an end; expected `until`")
    return list(days(since, until, zone))[::-1]


def _causes(connection: Connection, count: Count, start: datetime | None, event_type: str | None) -> list[ErrorRow]:
    """All as of `start`, or each of its hour."""
    found = []
    for row in connection.execute(count.causes(event_type)).mappings():
        times = {name: time_of(row[name]) for name in ("first_seen", "last_seen")}
        found.append(ErrorRow(**dict(row) | times | {"hour": start or time_of(row["hour"] * HOUR_MS)}))
    return found


def activity(ledger: Ledger, since: datetime) -> dict[str, dict[datetime, int]]:
    """Committed queries from that hour on, by integration and the hour's beginning. ValueError, LedgerError."""
    first = milliseconds_of(since) // HOUR_MS
    query = (
        select(hours.c.integration, hours.c.hour, func.sum(hours.c.queries))
        .where(hours.c.hour >= first)
        .group_by(hours.c.integration, hours.c.hour)
    )
    found: dict[str, dict[datetime, int]] = {}
    with ledger.reading() as connection:
        for integration, number, many in connection.execute(query):
            found.setdefault(integration, {})[datetime.fromtimestamp(number * HOUR_MS / 1000, UTC)] = int(many)
    return found


def _merged(known: StatsRow | None, row: dict[str, Any]) -> StatsRow:
    longest = row.get("latency_max_ms")
    for name in ("latency_p50_ms", "latency_p95_ms"):
        if row.get(name) is not None:
            row[name] = min(row[name], longest)  # rounded up it may be longer than the longest
    if known is None:
        return StatsRow(**row)
    return replace(known, **{name: value for name, value in row.items() if name not in KEY})
