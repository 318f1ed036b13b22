"""Times: how a query's own time is written, and what `{date}` makes of a profile's."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from datetime import timezone as fixed_offset
from decimal import ROUND_FLOOR, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from workers.templates.model import BAD_VALUE, RowProblem
from workers.templates.values import Instant, digits_of, is_number, type_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_TIMES = 4096
"""Times whose text is remembered: the profiles of an event share theirs."""

_LARGEST_SECONDS = 253_402_300_800
"""Unix time of the year 10000. What is larger is no time in seconds, and probably one in milliseconds."""

_ZONE_NAME = re.compile(r"[A-Za-z0-9_+/-]{1,64}", re.ASCII)
_YEARS = "expected a time between the years 1 and 9999, in the zone it is moved to, too"
_DAY = re.compile(r"[0-9W-]{7,10}(?:[Tt ]|\Z)", re.ASCII)
"""How ISO 8601 begins. Python takes any character between day and time: so in 1764123112345, which are milliseconds."""
_DIRECTIVE = re.compile(r"%(.?)", re.DOTALL)

DIRECTIVES: dict[str, Callable[[datetime], str]] = {
    "Y": lambda t: f"{t.year:04d}",
    "m": lambda t: f"{t.month:02d}",
    "d": lambda t: f"{t.day:02d}",
    "H": lambda t: f"{t.hour:02d}",
    "I": lambda t: f"{(t.hour + 11) % 12 + 1:02d}",
    "p": lambda t: "AM" if t.hour < 12 else "PM",  # noqa: PLR2004 - noon
    "M": lambda t: f"{t.minute:02d}",
    "S": lambda t: f"{t.second:02d}",
    "f": lambda t: f"{t.microsecond:06d}",
    "y": lambda t: f"{t.year % 100:02d}",
    "j": lambda t: f"{t.timetuple().tm_yday:03d}",
    "u": lambda t: str(t.isoweekday()),
    "G": lambda t: f"{t.isocalendar().year:04d}",
    "V": lambda t: f"{t.isocalendar().week:02d}",
    "F": lambda t: f"{t.year:04d}-{t.month:02d}-{t.day:02d}",
    "T": lambda t: f"{t.hour:02d}:{t.minute:02d}:{t.second:02d}",
    "z": lambda t: t.strftime("%z"),
    "%": lambda _: "%",
}
"""strftime's directives that read the same on every machine, whatever its locale. Only these are allowed."""


def zone(name: str) -> tzinfo | None:
    """The time zone of that name, None if there is none."""
    if name == "UTC":
        return UTC
    if not _ZONE_NAME.fullmatch(name):
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return None


def clock(timezone: tzinfo, *, offset: bool) -> Callable[[int], Instant]:
    """A function from Unix microseconds to an Instant whose text is the wall clock of `timezone`.

    With `offset` the text ends in the zone's offset, as in "2026-11-21 10:00:00.000001+01:00".
    """

    @lru_cache(MAX_TIMES)
    def instant(us: int) -> Instant:
        return Instant(us, _local(us, timezone, "_event_time").isoformat(" ", "microseconds")[: None if offset else 26])

    return instant


def _local(us: int, timezone: tzinfo, field: str) -> datetime:
    try:
        return (_EPOCH + timedelta(microseconds=us)).astimezone(timezone)
    except (OverflowError, ValueError):
        raise RowProblem(field, BAD_VALUE, _YEARS) from None


def format_mistake(pattern: str) -> str | None:
    """What is wrong with a format of `{date}`; None if nothing is."""
    for match in _DIRECTIVE.finditer(pattern):
        if match[1] not in DIRECTIVES:
            known = " ".join(f"%{letter}" for letter in DIRECTIVES)
            return f"{match[0]!r} is no directive that reads the same everywhere; there is {known}"
    return None


def format_time(value: object, pattern: str, timezone: tzinfo, field: str = "") -> str:
    """A time as `pattern` has it. Times with a zone of their own are moved to `timezone`, others stay.

    value  ISO 8601 text, an event's time, or Unix seconds
    """
    moment = _moment(value, timezone, field)
    if "%z" in pattern and moment.tzinfo is not None:
        moment = _to_whole_minutes(moment, field)
    return _DIRECTIVE.sub(lambda match: DIRECTIVES[match[1]](moment), pattern)


def _to_whole_minutes(moment: datetime, field: str) -> datetime:
    """The same instant, at the next whole minute's offset.

    Before standard time a zone's has seconds (Berlin's until 1893: +00:53:28), which neither ISO 8601 nor databases
    can read (RFC 3339, 4.2).
    """
    offset = moment.utcoffset() or timedelta()
    whole = timedelta(minutes=round(offset / timedelta(minutes=1)))
    try:
        return moment if whole == offset else moment.astimezone(fixed_offset(whole))
    except OverflowError:
        raise RowProblem(field, BAD_VALUE, _YEARS) from None


def _moment(value: object, timezone: tzinfo, field: str) -> datetime:
    if isinstance(value, Instant):
        return _local(value.us, timezone, field)
    if is_number(value):
        return _from_seconds(Decimal(digits_of(value, field)), timezone, field)
    if isinstance(value, str):
        return _parsed(value, timezone, field)
    raise RowProblem(field, BAD_VALUE, f"expected a time as ISO 8601 text or Unix seconds, got {type_name(value)}")


def _from_seconds(seconds: Decimal, timezone: tzinfo, field: str) -> datetime:
    if not -_LARGEST_SECONDS <= seconds <= _LARGEST_SECONDS:
        raise RowProblem(
            field, BAD_VALUE, "expected Unix seconds between the years 1 and 9999; of milliseconds the last three go"
        )
    # Down to the microsecond before, so that times before 1970 are cut like those after it.
    return _local(int((seconds * 1_000_000).to_integral_value(ROUND_FLOOR)), timezone, field)


def _parsed(text: str, timezone: tzinfo, field: str) -> datetime:
    text = text.strip()
    try:
        moment = datetime.fromisoformat(text) if _DAY.match(text) else None
    except ValueError:
        moment = None
    if moment is None:
        raise RowProblem(field, BAD_VALUE, "expected a time as ISO 8601, like 2026-11-21T10:00:00Z")
    try:
        return moment if moment.tzinfo is None else moment.astimezone(timezone)
    except (ValueError, OverflowError):
        raise RowProblem(field, BAD_VALUE, _YEARS) from None
