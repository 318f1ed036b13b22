"""The hours of the day in which an integration may be told: `window` (rule 56).

Scripts know no time zones. They are given the zone's minutes ahead of UTC for the years to come, and compute with those
(lanes/scripts/sparing.lua); what is computed here for people comes from the same numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

MINUTE_MS, DAY_MS = 60_000, 86_400_000
DAYS_AHEAD: Final = 800
"""For how long changes of a zone are known to scripts, from the last `apply` or upkeep on."""
DAYS_BEHIND: Final = 2
"""As long as a window that is open may have been so, and more."""
EXPECTED: Final = 'hours of the day, as in "22:00-06:00" or "22:00-06:00 Europe/Berlin"'
_TEXT = re.compile(r"([01]\d|2[0-3]):([0-5]\d) ?- ?([01]\d|2[0-3]):([0-5]\d)(?: +(\S+))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class DailyWindow:
    """From one time of the day to another, which may be the next day's.

    first, last  minutes since midnight, by the zone's clocks; never the same
    zone         IANA name

    Where clocks are put forward over its beginning, it begins when they have been; where they are put back over it, it
    is what the clocks show that counts, both times.
    """

    first: int
    last: int
    zone: str

    @classmethod
    def read(cls, text: str, zone: str) -> DailyWindow | None:
        """What stands in the file, "22:00-06:00" with or without a zone; `zone` where it names none. None: it is none.

        Raises ZoneInfoNotFoundError and ValueError for a zone that there is not.
        """
        found = _TEXT.fullmatch(text.strip())
        if found is None:
            return None
        hours = [int(part) for part in found.groups()[:4]]
        name = found[5] or zone
        if name != "UTC":
            ZoneInfo(name)
        first, last = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
        return cls(first, last, name) if first != last else None

    @property
    def words(self) -> str:
        """As it could stand in the file: "22:00-06:00 Europe/Berlin"."""
        return f"{spelled_minutes(self.first)}-{spelled_minutes(self.last)} {self.zone}"

    def clock(self, at_ms: float) -> str:
        """What the zone's clocks show at a time in Unix milliseconds: "22:00"."""
        ahead = next(ahead for _, ends, ahead in self._parts(at_ms) if at_ms < ends)
        return spelled_minutes(int(_time_of_day(at_ms, ahead)) // MINUTE_MS)

    def for_scripts(self, at_ms: float) -> str:
        """What scripts compute with, from a time in Unix milliseconds on: see opens_at in sparing.lua."""
        (_, ahead), *changes = _stretches(self.zone, int(at_ms) // DAY_MS)
        later = "".join(f" {begins:.0f}:{minutes}" for begins, minutes in changes)
        return f"{self.first} {self.last} {ahead}{later}"

    def opens_ms(self, at_ms: float) -> float:
        """When it is open, from a time in Unix milliseconds on: that time itself while it is."""
        for begins, ends, ahead in self._parts(at_ms):
            at = max(at_ms, begins)
            if at >= ends:
                continue
            opens = at if self._has(at, ahead) else at + (self.first * MINUTE_MS - _time_of_day(at, ahead)) % DAY_MS
            if opens < ends:
                return opens
        raise AssertionError("the last part has no end")  # pragma: no cover

    def opened_ms(self, at_ms: float) -> float | None:
        """Since when it is open; None where it is not."""
        parts = [part for part in self._parts(at_ms) if part[0] <= at_ms]
        begins, _, ahead = parts.pop()
        if not self._has(at_ms, ahead):
            return None
        opened = at_ms - (_time_of_day(at_ms, ahead) - self.first * MINUTE_MS) % DAY_MS
        while opened < begins and parts:
            since, (begins, _, ahead) = begins, parts.pop()
            if not self._has(since - 1, ahead):
                return since
            opened = since - (_time_of_day(since, ahead) - self.first * MINUTE_MS) % DAY_MS
        return opened

    def _has(self, at_ms: float, ahead: int) -> bool:
        time, first, last = _time_of_day(at_ms, ahead), self.first * MINUTE_MS, self.last * MINUTE_MS
        return first <= time < last if first < last else time >= first or time < last

    def _parts(self, at_ms: float) -> Iterator[tuple[float, float, int]]:
        """Stretches of time in which the zone's clocks are the same ahead of UTC: begin, end, minutes."""
        stretches = _stretches(self.zone, int(at_ms) // DAY_MS)
        for (begins, ahead), (ends, _) in pairwise((*stretches, (float("inf"), 0))):
            yield begins, ends, ahead


def spelled_minutes(minutes: int) -> str:
    """Minutes since midnight as "22:00"."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _time_of_day(at_ms: float, ahead: int) -> float:
    return (at_ms + ahead * MINUTE_MS) % DAY_MS


@lru_cache(maxsize=256)
def _stretches(zone: str, day: int) -> tuple[tuple[float, int], ...]:
    """From when on a zone is how many minutes ahead of UTC, around a day since 1970; the first holds before it, too."""
    if zone == "UTC":
        return ((float("-inf"), 0),)
    known = ZoneInfo(zone)
    first = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day - DAYS_BEHIND)
    found = [(float("-inf"), _ahead(known, first))]
    for number in range(DAYS_AHEAD + DAYS_BEHIND):
        begins, ends = first + timedelta(days=number), first + timedelta(days=number + 1)
        if _ahead(known, ends) != found[-1][1]:
            change = _change(known, begins, ends)
            found.append((change.timestamp() * 1000, _ahead(known, ends)))
    return tuple(found)


def _ahead(zone: ZoneInfo, at: datetime) -> int:
    offset = at.astimezone(zone).utcoffset()
    return 0 if offset is None else round(offset.total_seconds() / 60)


def _change(zone: ZoneInfo, begins: datetime, ends: datetime) -> datetime:
    """The first minute of which the zone is ahead as at the end; a zone changes once in a day at the most."""
    after = _ahead(zone, ends)
    low, high = 0, 24 * 60
    while low < high:
        middle = (low + high) // 2
        if _ahead(zone, begins + timedelta(minutes=middle)) == after:
            high = middle
        else:
            low = middle + 1
    return begins + timedelta(minutes=low)
