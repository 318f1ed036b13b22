"""The time that statistics are about, as it stands in a page's query."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from workers.errors import WrongUsage
from workers.monitoring.periods import minute, moment, zone_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

USUAL: Final = (("1h", "an hour"), ("24h", "a day"), ("7d", "a week"), ("30d", "30 days"))
MOST_HOURS: Final = 96
"""Hours that are shown one by one; a longer time is shown in days."""


@dataclass(frozen=True, slots=True)
class PickedPeriod:
    """From `since` up to `until`, in a zone; and how it was written."""

    since: datetime
    until: datetime
    zone: tzinfo
    since_text: str
    until_text: str
    zone_text: str

    @classmethod
    def of(cls, query: Mapping[str, str], since: str = "24h") -> PickedPeriod:
        """`since`, `until` and `tz` of the query, as `segsync stats` has them; WrongUsage."""
        since, until = query.get("since") or since, query.get("until") or "now"
        name = query.get("tz") or "UTC"
        zone, now = zone_of(name, "tz"), datetime.now(UTC)
        found = cls(moment(since, "since", now, zone), moment(until, "until", now, zone), zone, since, until, name)
        if found.since >= found.until:
            raise WrongUsage(f"since {since[:60]!r} is not before until {until[:60]!r}")
        return found

    @property
    def step(self) -> timedelta:
        """The length of a bar of a chart."""
        hours = (self.until - self.since) / timedelta(hours=1)
        return timedelta(hours=1 if hours <= MOST_HOURS else 24)

    def buckets(self) -> list[datetime]:
        """The beginnings of all bars, in UTC, none left out; days begin at midnight of the zone."""
        first = self.bucket(self.since)
        many = int((self.until - first) / self.step) + 1
        found = (first + n * self.step for n in range(min(many, 4_000)))
        return [each for each in found if each < self.until]

    def bucket(self, time: datetime) -> datetime:
        """The beginning of the bar that a time is in."""
        local = time.astimezone(self.zone)
        if self.step > timedelta(hours=1):
            offset = self.since.astimezone(self.zone).utcoffset() or timedelta()
            midnight = (time + offset).replace(hour=0, minute=0, second=0, microsecond=0)
            return midnight - offset
        return local.replace(minute=0, second=0, microsecond=0).astimezone(UTC)

    def spell(self, time: datetime) -> str:
        """A time in the zone."""
        return minute(time, self.zone)
