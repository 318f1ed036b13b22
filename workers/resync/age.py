"""How old a source's data is, as its query `fresh` says (rule 46)."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from workers.resync.profiles import UnfitSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.connectors.sql.listing import Lister

    Judge = Callable[[Callable[[], float]], None]

NO_AGE = (
    "`fresh` gives null, which does not say how old its data is: expected seconds, or an interval. A standby gives it "
    'until it has replayed something, and the primary always: there, write delay = "0s" in place of `fresh`'
)


SKEW_SECONDS = 1.0
"""Clocks that are kept right may differ by a little; data from further ahead is dated by a clock that is wrong."""


class AheadOfItsClock(UnfitSource):
    """A source says that its data is from the future: the clock that tells its age is behind the one that dates it.

    seconds  by how much it is behind at the least
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"`fresh` gives {-seconds:,g} s, which is no age: expected 0 or more. Less, where the source's clock is "
            "behind the one that dates its data: set it right, or have one clock tell both times"
        )
        self.seconds = seconds


def believe(_age: Callable[[], float]) -> None:
    """Takes what there is, however old, and does not ask."""


def age_by(lister: Lister, statement: str) -> float:
    """Seconds that what this session gives is behind, as `fresh` says there; TargetError and UnfitSource."""
    rows = [row for page in lister.pages(statement) for row in page.rows]
    if len(rows) != 1 or len(rows[0]) != 1:
        raise UnfitSource(f"`fresh` gives {len(rows)} rows; expected one with one column, the data's age")
    return seconds_of(rows[0][0])


def seconds_of(value: object) -> float:
    """An age, at least 0: a number of seconds, an interval, or its text as HH:MM:SS.

    Null is no age: a standby that has replayed nothing yet gives it, and what it has may be as old as its base backup.
    Nor is less than nothing, of which only one thing is known: that the two clocks it comes from do not agree. A small
    difference is none. UnfitSource.
    """
    age = _seconds(value)
    if not math.isfinite(age):
        raise UnfitSource(f"`fresh` gives {age:,g} s, which is no age: expected 0 or more")
    if age < -SKEW_SECONDS:
        raise AheadOfItsClock(-age)
    return max(0.0, age)


def _seconds(value: object) -> float:
    if value is None:
        raise UnfitSource(NO_AGE)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (int, float, Decimal)):
        return float(value)
    if isinstance(value, str) and (found := re.fullmatch(r"(-?)(\d+):(\d\d):(\d\d(?:\.\d+)?)", value)):
        return float(f"{found[1]}{int(found[2]) * 3600 + int(found[3]) * 60 + float(found[4])}")
    raise UnfitSource(f"`fresh` gives {type(value).__name__}; expected seconds, or an interval")
