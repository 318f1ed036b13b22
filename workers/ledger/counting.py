"""The statements behind the statistics: what was committed, what failed, what was quarantined, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Text, and_, case, cast, func, literal, literal_column, null, select, union_all

from workers.ledger.periods import time_column
from workers.ledger.sums import COUNTS, HOUR_MS, OF_QUERIES
from workers.ledger.tables import FAILED, deliveries, failed_hours, hours, purged, quarantine, queries

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, FromClause, Select
    from sqlalchemy.sql.base import ReadOnlyColumnCollection

    from workers.ledger.periods import Period

    Columns = ReadOnlyColumnCollection[str, Any]

KEY: Final = ("integration", "event_type", "hour")
CAUSE: Final = (*KEY, "code", "reason")
_ZERO: Final = literal_column("0", BigInteger())


class Count:
    """Statements for one period.

    by_hour  each hour by itself; else all under the hour 0
    """

    def __init__(self, period: Period, *, by_hour: bool) -> None:
        self._period = period
        self._by_hour = by_hour

    def committed(self) -> Select[Any]:
        """Successful queries, what they did, and how long it took."""
        ranked = _ranked(self._by_wait().subquery().c).subquery().c
        key = [ranked[name] for name in KEY]
        sums = [_sum(ranked[name]).label(name) for name in COUNTS]
        percentiles = [_percentile(percent, ranked).label(f"latency_p{percent}_ms") for percent in (50, 95)]
        longest = func.max(case((ranked.total > 0, ranked.longest_ms))).label("latency_max_ms")
        return select(*key, *sums, *percentiles, longest).group_by(*key)

    def _by_wait(self) -> Select[Any]:
        # Few waits are unique: ranking them once they are grouped is four times as fast as ranking the queries.
        each = union_all(self._summed(), *self._single(), *self._skipped()).subquery().c
        key = [each[name] for name in (*KEY, "waited_ms")]
        sums = [_sum(each[name]).label(name) for name in COUNTS]
        return select(*key, *sums, func.max(each.longest_ms).label("longest_ms")).group_by(*key)

    def _summed(self) -> Select[Any]:
        column = hours.c
        counts = [column[name] for name in (*COUNTS, "longest_ms")]
        return select(*self._key(hours), column.waited_ms, *counts).where(*self._period.within_hours(hours))

    def _single(self) -> list[Select[Any]]:
        """Queries at the edges, one by one."""
        column = queries.c
        counts = [column.runs.label("queries"), *(column[name] for name in OF_QUERIES[1:])]
        nothing = [_ZERO.label("merged"), _ZERO.label("moot")]
        wait = column.waited_ms
        longest = case((column.runs > _ZERO, wait), else_=_ZERO).label("longest_ms")
        each = select(*self._key(queries), wait, *counts, *nothing, longest)
        return [each.where(*edge) for edge in self._period.at_edges(queries)]

    def _skipped(self) -> list[Select[Any]]:
        """What the batches at the edges merged and left out: under their event type, where they had one alone."""
        column = deliveries.c
        first, last = func.min(queries.c.event_type), func.max(queries.c.event_type)
        # Asked for each delivery by itself: grouped by the delivery's id, databases read the whole table in its order.
        only = select(case((first == last, first))).where(queries.c.delivery == column.id).scalar_subquery()
        nothing = [_ZERO.label(name) for name in OF_QUERIES]
        each = (
            select(column.integration, only.label("event_type"), self._label(deliveries))
            .add_columns(column.waited_ms, *nothing, column.merged, column.moot, _ZERO.label("longest_ms"))
            .where(column.outcome == literal_column("'delivered'"), column.merged + column.moot > _ZERO)
        )
        return [each.where(*edge) for edge in self._period.at_edges(deliveries)]

    def failed(self) -> Select[Any]:
        """Tries that failed."""
        whole = select(*self._key(failed_hours), failed_hours.c.outcome, failed_hours.c.tries)
        single = select(*self._key(deliveries), deliveries.c.outcome, deliveries.c.tries)
        each = union_all(
            whole.where(*self._period.within_hours(failed_hours)),
            *(single.where(FAILED, *edge) for edge in self._period.at_edges(deliveries)),
        ).subquery()
        key, retried = [each.c[name] for name in KEY], each.c.outcome == "retry"
        retries, failures = _count_if(retried, each.c.tries), _count_if(~retried, each.c.tries)
        return select(*key, retries.label("retries"), failures.label("failures")).group_by(*key)

    def quarantined(self) -> Select[Any]:
        """What was quarantined, whatever became of it since: what was purged counts on."""
        parts = [
            select(table.c.integration, table.c.event_type, self._label(table), many.label("many")).where(
                *self._period.within(table)
            )
            for table, many in ((quarantine, literal_column("1")), (purged, purged.c.many))
        ]
        each = union_all(*parts).subquery()
        key = [each.c[name] for name in KEY]
        return select(*key, _sum(each.c.many).label("quarantined")).group_by(*key)

    def causes(self, event_type: str | None) -> Select[Any]:
        """Tries that failed, and what was quarantined, by cause and event type: of all, or of one event type."""
        each = union_all(*self._tries(), *self._entries()).subquery()
        cause = [each.c[name] for name in CAUSE]
        newest = func.row_number().over(partition_by=cause, order_by=each.c.last_ms.desc())
        wanted = [] if event_type is None else [each.c.event_type == event_type]
        ranked = select(each, newest.label("rank")).where(*wanted).subquery()
        cause, kind, many = [ranked.c[name] for name in CAUSE], ranked.c.kind, ranked.c.many
        last_seen = func.max(ranked.c.last_ms).label("last_seen")
        return (
            select(*cause, _sum(many).label("count"))
            .add_columns(_count_if(kind == "retry", many).label("retries"))
            .add_columns(_count_if(kind.not_in(("retry", "quarantined")), many).label("failures"))
            .add_columns(_count_if(kind == "quarantined", many).label("quarantined"))
            .add_columns(func.min(ranked.c.first_ms).label("first_seen"), last_seen)
            .add_columns(func.max(case((ranked.c.rank == 1, ranked.c.segment))).label("segment"))
            .group_by(*cause)
            .order_by(ranked.c.hour.desc(), last_seen.desc())
        )

    def _tries(self) -> list[Select[Any]]:
        """Tries that failed: of whole hours, then single ones."""
        tables = failed_hours, deliveries
        whole, single = (_facts(self._key(table), table, table.c.outcome, table.c.tries) for table in tables)
        edges = [single.where(FAILED, *edge) for edge in self._period.at_edges(deliveries)]
        return [whole.where(*self._period.within_hours(failed_hours)), *edges]

    def _entries(self) -> list[Select[Any]]:
        """What was quarantined, and what was purged of it."""
        quarantined = literal("quarantined")
        return [
            _facts([table.c.integration, table.c.event_type, self._label(table)], table, quarantined, many).where(
                *self._period.within(table)
            )
            for table, many in ((quarantine, literal(1)), (purged, purged.c.many))
        ]

    def _key(self, table: FromClause) -> list[ColumnElement[Any]]:
        event_type = func.nullif(table.c.event_type, literal_column("''"))
        return [table.c.integration, event_type.label("event_type"), self._label(table)]

    def _label(self, table: FromClause) -> ColumnElement[int]:
        # Literals: PostgreSQL takes two parameters for two values, and the selected hour for an ungrouped one.
        if not self._by_hour:
            return _ZERO.label("hour")
        if "hour" in table.c:
            return table.c.hour.label("hour")
        return time_column(table).op("/", return_type=BigInteger())(literal_column(str(HOUR_MS))).label("hour")


def _facts(
    key: list[ColumnElement[Any]], table: FromClause, kind: ColumnElement[str], many: ColumnElement[int]
) -> Select[Any]:
    """What `many` failures of a kind say of their cause."""
    column = table.c
    times = (column.first_ms, column.last_ms) if "last_ms" in column else (time_column(table),) * 2
    facts = [time.label(name) for time, name in zip(times, ("first_ms", "last_ms"), strict=True)]
    segment = column.segment if "segment" in column else cast(null(), Text).label("segment")
    return select(*key, column.code, column.reason, segment, *facts, kind.label("kind"), many.label("many"))


def _ranked(group: Columns) -> Select[Any]:
    """Each latency with `upto`, how many queries had it or less, and `total`, how many there are."""
    key = [group[name] for name in KEY]
    upto = _sum(group.queries, over={"partition_by": key, "order_by": group.waited_ms})
    total = _sum(group.queries, over={"partition_by": key})
    facts = [group[name] for name in (*COUNTS, "longest_ms")]
    return select(*key, group.waited_ms, *facts, upto.label("upto"), total.label("total"))


def _percentile(percent: int, ranked: Columns) -> ColumnElement[int]:
    """The smallest latency that at least `percent` of the queries do not exceed (nearest rank)."""
    reached = and_(ranked.total > 0, ranked.upto * 100 >= ranked.total * percent)
    return func.min(case((reached, ranked.waited_ms)))


def _sum(column: ColumnElement[int], over: dict[str, Any] | None = None) -> ColumnElement[int]:
    total = func.sum(column)
    # PostgreSQL's sum of bigint is numeric.
    return cast(total if over is None else total.over(**over), BigInteger)


def _count_if(condition: ColumnElement[bool], many: ColumnElement[int]) -> ColumnElement[int]:
    """How many fulfil it, where a row stands for `many`."""
    return _sum(case((condition, many), else_=0))
