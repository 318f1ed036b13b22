"""Periods that are counted: whole hours from their sums, what is left at both ends from single deliveries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, cast, get_args

from sqlalchemy import func, select

from workers.errors import WrongUsage
from workers.ledger.rows import milliseconds_of, stored_text, time_of
from workers.ledger.sums import HOUR_MS
from workers.ledger.tables import identity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from sqlalchemy import ColumnElement, Connection, FromClause

By = Literal["hour", "day", "total"]
WAYS: Final[tuple[By, ...]] = get_args(By)
MOST_DAYS: Final = 3_700
"""Days that are told one by one: ten years."""


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` on, before `until` (None: for ever), in Unix milliseconds; of one integration, or of all.

    hours  whole ones, by their numbers since 1970: from the first on, before the second
    edges  what they leave at both ends, in milliseconds likewise
    """

    since: int
    until: int | None
    integration: str | None
    hours: tuple[int, int | None]
    edges: tuple[tuple[int, int], ...]

    def within(self, table: FromClause) -> list[ColumnElement[bool]]:
        """Conditions: rows of the period."""
        time = time_column(table)
        conditions = [time >= self.since, *self._of_integration(table)]
        return conditions if self.until is None else [*conditions, time < self.until]

    def within_hours(self, table: FromClause) -> list[ColumnElement[bool]]:
        """Conditions: rows of sums, of the whole hours."""
        first, end = self.hours
        conditions = [table.c.hour >= first, *self._of_integration(table)]
        return conditions if end is None else [*conditions, table.c.hour < end]

    def at_edges(self, table: FromClause) -> list[list[ColumnElement[bool]]]:
        """Conditions for each end: single rows. Apart, since SQLite reads the whole table for either of two spans."""
        time, of = time_column(table), self._of_integration(table)
        return [[time >= start, time < end, *of] for start, end in self.edges]

    def _of_integration(self, table: FromClause) -> list[ColumnElement[bool]]:
        return [] if self.integration is None else [table.c.integration == stored_text(self.integration)]


def time_column(table: FromClause) -> ColumnElement[int]:
    """The column by which a row belongs to a period."""
    column: ColumnElement[int] = table.c.at_ms if "at_ms" in table.c else table.c.started_ms
    return column


def period(
    connection: Connection, since: datetime, until: datetime | None, integration: str | None, *, goes_on: bool = False
) -> Period:
    """The period; hours of which single deliveries may be gone are taken whole. ValueError for a time without zone.

    goes_on  whether another period begins at its end, to which such an hour belongs that has both in it
    """
    start, end = milliseconds_of(since), None if until is None else milliseconds_of(until)
    kept = connection.execute(select(func.max(identity.c.kept_ms))).scalar() or 0
    if start - start % HOUR_MS < kept:
        start -= start % HOUR_MS
    if end is not None and end - end % HOUR_MS < kept:  # down to the hour's beginning, or up to its end
        end += -(end % HOUR_MS) if goes_on else -end % HOUR_MS
    return _parted(start, end, integration)


def _parted(start: int, end: int | None, integration: str | None) -> Period:
    first = -(-start // HOUR_MS)
    if end is None:
        return Period(start, end, integration, (first, None), _filled((start, first * HOUR_MS)))
    last = end // HOUR_MS
    if first > last:
        return Period(start, end, integration, (first, first), _filled((start, end)))
    return Period(start, end, integration, (first, last), _filled((start, first * HOUR_MS), (last * HOUR_MS, end)))


def _filled(*spans: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    return tuple((start, end) for start, end in spans if start < end)


def way(text: str, option: str) -> By:
    """How a period is told, as people say it; WrongUsage for anything else."""
    if text not in WAYS:
        raise WrongUsage(f"{option} {text[:60]!r} is none of {', '.join(WAYS)}")
    return text


def days(since: datetime, until: datetime, zone: tzinfo) -> Iterator[tuple[datetime, datetime]]:
    """The days of a zone that the period touches, each with its beginning and its end, cut to the period.

    WrongUsage for more than MOST_DAYS.
    """
    if until - since > timedelta(days=MOST_DAYS):
        raise WrongUsage(f"the period has more than {MOST_DAYS:,} days; expected fewer, or `--by total`")
    start = since
    while start < until:
        # The next midnight by the zone's own clock: a day may have 23 or 25 hours.
        following = start.astimezone(zone).date() + timedelta(days=1)
        midnight = datetime(following.year, following.month, following.day, tzinfo=zone)
        # In UTC: two times of one zone are compared by their clocks, and differ by what these show.
        end = min(cast("datetime", time_of(milliseconds_of(midnight))), until)
        yield start, end
        start = end
