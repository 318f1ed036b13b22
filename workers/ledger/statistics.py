"""Statistics and failures, counted from the ledger.

Only a committed query is a successful one (rule 28). A try that failed has run no query to its end; it counts
for the event type of the one that failed, and for none where nothing came as far as a query.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Text, case, cast, func, literal, literal_column, null, select, union_all

from workers.ledger.rows import milliseconds_of, stored_text, time_of
from workers.ledger.tables import FAILED, deliveries, purged, quarantine, queries

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, FromClause, Select
    from sqlalchemy.sql.base import ReadOnlyColumnCollection

    from workers.ledger.database import Ledger

    Columns = ReadOnlyColumnCollection[str, Any]

_HOUR_MS: Final = 3_600_000
_KEY: Final = ("integration", "event_type", "hour")
_COUNTS: Final = ("queries", "statements", "rows", "profiles")
_RETRIED: Final = deliveries.c.outcome == "retry"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsRow:
    """What one integration did in one hour, for one event type.

    integration  None for what was quarantined before it reached one
    event_type   None for tries that failed before any query ran, and for quarantined events that have none
    hour         its beginning, UTC; a try counts in the hour it began in
    queries      committed
    statements   SQL statements in them
    rows         affected, as the driver counts them
    profiles     in them
    retries      tries that failed and that segsync repeats by itself
    failures     tries that failed and need someone
    quarantined  profiles and events, whatever became of them since
    latency_*    milliseconds from the stream time of a batch's first operation to the end of its delivery,
                 over the committed queries (nearest rank); None without any
    """

    integration: str | None
    event_type: str | None
    hour: datetime
    queries: int = 0
    statements: int = 0
    rows: int = 0
    profiles: int = 0
    retries: int = 0
    failures: int = 0
    quarantined: int = 0
    latency_p50_ms: int | None = None
    latency_p95_ms: int | None = None
    latency_max_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRow:
    """One cause of failures.

    reason       our sentence; never a value
    count        retries + failures + quarantined
    retries, failures, quarantined  as in StatsRow
    segment      of the newest; None where an event has none
    """

    integration: str | None
    code: str
    reason: str
    count: int
    retries: int
    failures: int
    quarantined: int
    first_seen: datetime
    last_seen: datetime
    segment: str | None


def stats(ledger: Ledger, since: datetime, until: datetime, integration: str | None = None) -> list[StatsRow]:
    """What was done from `since` up to, not including, `until`: by hour, integration and event type.

    ValueError where a time has no zone; LedgerError.
    """
    wanted = _Wanted(milliseconds_of(since), milliseconds_of(until), integration)
    found: dict[tuple[Any, ...], StatsRow] = {}
    with ledger.reading() as connection:
        for part in (_committed(wanted), _failed(wanted), _quarantined(wanted)):
            for row in connection.execute(part).mappings():
                # None, which has no order, comes before every name.
                key = row["hour"], *((row[name] is not None, row[name] or "") for name in ("integration", "event_type"))
                found[key] = _merged(found.get(key), dict(row))
    return [found[key] for key in sorted(found)]


def errors(ledger: Ledger, since: datetime, integration: str | None = None) -> list[ErrorRow]:
    """What failed since then, grouped by integration, code and reason, the newest first.

    ValueError where `since` has no zone; LedgerError.
    """
    with ledger.reading() as connection:
        wanted = _Wanted(milliseconds_of(since), None, integration)
        return [_error_row(dict(row)) for row in connection.execute(_causes(wanted)).mappings()]


def activity(ledger: Ledger, since: datetime) -> dict[str, dict[datetime, int]]:
    """Committed queries since then, by integration and the hour's beginning. ValueError as above; LedgerError."""
    wanted, hour = _Wanted(milliseconds_of(since), None, None), _hour(queries)
    query = (
        select(queries.c.integration, hour.label("hour"), _sum(queries.c.runs))
        .where(*wanted(queries))
        .group_by(queries.c.integration, hour)
    )
    found: dict[str, dict[datetime, int]] = {}
    with ledger.reading() as connection:
        for integration, number, many in connection.execute(query):
            found.setdefault(integration, {})[datetime.fromtimestamp(number * _HOUR_MS / 1000, UTC)] = many
    return found


def _merged(known: StatsRow | None, row: dict[str, Any]) -> StatsRow:
    if known is None:
        return StatsRow(**row | {"hour": time_of(row["hour"] * _HOUR_MS)})
    return replace(known, **{name: value for name, value in row.items() if name not in _KEY})


def _error_row(row: dict[str, Any]) -> ErrorRow:
    return ErrorRow(**row | {name: time_of(row[name]) for name in ("first_seen", "last_seen")})


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which rows count: from `since`, before `until`, in Unix milliseconds; of one integration, or of all."""

    since: int
    until: int | None
    integration: str | None

    def __call__(self, table: FromClause) -> list[ColumnElement[bool]]:
        time, integration = _time(table), table.c.integration
        conditions = [time >= self.since]
        if self.until is not None:
            conditions.append(time < self.until)
        if self.integration is not None:
            conditions.append(integration == stored_text(self.integration))
        return conditions


def _time(table: FromClause) -> ColumnElement[int]:
    column: ColumnElement[int] = table.c.at_ms if "at_ms" in table.c else table.c.started_ms
    return column


def _hour(table: FromClause) -> ColumnElement[int]:
    # A literal: PostgreSQL takes two parameters for two values, and the selected hour for an ungrouped one.
    return _time(table).op("/", return_type=BigInteger())(literal_column(str(_HOUR_MS)))


def _committed(wanted: _Wanted) -> Select[Any]:
    ranked = _ranked(_by_latency(wanted).subquery().c).subquery().c
    key = [ranked[name] for name in _KEY]
    sums = [_sum(ranked[name]).label(name) for name in _COUNTS]
    percentiles = [_percentile(percent, ranked).label(f"latency_p{percent}_ms") for percent in (50, 95)]
    return select(*key, *sums, *percentiles, func.max(ranked.waited_ms).label("latency_max_ms")).group_by(*key)


def _by_latency(wanted: _Wanted) -> Select[Any]:
    # Few waits are unique: ranking them once they are grouped is four times as fast as ranking the queries.
    column, hour = queries.c, _hour(queries)
    key = column.integration, column.event_type, hour, column.waited_ms
    return (
        select(column.integration, column.event_type, hour.label("hour"), column.waited_ms)
        .add_columns(_sum(column.runs).label("queries"))
        .add_columns(*(_sum(column[name]).label(name) for name in _COUNTS[1:]))
        .where(*wanted(queries))
        .group_by(*key)
    )


def _ranked(group: Columns) -> Select[Any]:
    """Each latency with `upto`, how many queries had it or less, and `total`, how many there are."""
    key = [group[name] for name in _KEY]
    upto = _sum(group.queries, over={"partition_by": key, "order_by": group.waited_ms})
    total = _sum(group.queries, over={"partition_by": key})
    return select(*key, group.waited_ms, *(group[name] for name in _COUNTS), upto.label("upto"), total.label("total"))


def _percentile(percent: int, ranked: Columns) -> ColumnElement[int]:
    """The smallest latency that at least `percent` of the queries do not exceed (nearest rank)."""
    return func.min(case((ranked.upto * 100 >= ranked.total * percent, ranked.waited_ms)))


def _failed(wanted: _Wanted) -> Select[Any]:
    column = deliveries.c
    hour, event_type = _hour(deliveries), func.nullif(column.event_type, literal_column("''"))
    return (
        select(column.integration, event_type.label("event_type"), hour.label("hour"))
        .add_columns(_count_if(_RETRIED, column.tries).label("retries"))
        .add_columns(_count_if(~_RETRIED, column.tries).label("failures"))
        .where(FAILED, *wanted(deliveries))
        .group_by(column.integration, event_type, hour)
    )


def _quarantined(wanted: _Wanted) -> Select[Any]:
    """What was quarantined, whatever became of it since: what was purged counts on."""
    parts = [
        select(table.c.integration, table.c.event_type, _hour(table).label("hour"), many.label("many")).where(
            *wanted(table)
        )
        for table, many in ((quarantine, literal_column("1")), (purged, purged.c.many))
    ]
    each = union_all(*parts).subquery()
    key = [each.c[name] for name in _KEY]
    return select(*key, _sum(each.c.many).label("quarantined")).group_by(*key)


def _causes(wanted: _Wanted) -> Select[Any]:
    """Tries that failed, and what was quarantined, by cause."""
    each = union_all(
        _each(deliveries, deliveries.c.outcome, deliveries.c.tries).where(FAILED, *wanted(deliveries)),
        _each(quarantine, literal("quarantined"), literal(1)).where(*wanted(quarantine)),
        _each(purged, literal("quarantined"), purged.c.many).where(*wanted(purged)),
    ).subquery()
    cause = [each.c[name] for name in ("integration", "code", "reason")]
    newest = func.row_number().over(partition_by=cause, order_by=each.c.at_ms.desc())
    ranked = select(each, newest.label("rank")).subquery()
    kind, many, last_seen = ranked.c.kind, ranked.c.many, func.max(ranked.c.at_ms).label("last_seen")
    return (
        select(ranked.c.integration, ranked.c.code, ranked.c.reason, _sum(many).label("count"))
        .add_columns(_count_if(kind == "retry", many).label("retries"))
        .add_columns(_count_if(kind.not_in(("retry", "quarantined")), many).label("failures"))
        .add_columns(_count_if(kind == "quarantined", many).label("quarantined"))
        .add_columns(func.min(ranked.c.at_ms).label("first_seen"), last_seen)
        .add_columns(func.max(case((ranked.c.rank == 1, ranked.c.segment))).label("segment"))
        .group_by(ranked.c.integration, ranked.c.code, ranked.c.reason)
        .order_by(last_seen.desc())
    )


def _each(table: FromClause, kind: ColumnElement[str], many: ColumnElement[int]) -> Select[Any]:
    column = table.c
    facts = _time(table).label("at_ms"), kind.label("kind"), many.label("many")
    segment = column.segment if "segment" in column else cast(null(), Text).label("segment")
    return select(column.integration, column.code, column.reason, segment, *facts)


def _sum(column: ColumnElement[int], over: dict[str, Any] | None = None) -> ColumnElement[int]:
    total = func.sum(column)
    # PostgreSQL's sum of bigint is numeric.
    return cast(total if over is None else total.over(**over), BigInteger)


def _count_if(condition: ColumnElement[bool], many: ColumnElement[int]) -> ColumnElement[int]:
    """How many fulfil it, where a row stands for `many`."""
    return _sum(case((condition, many), else_=0))
