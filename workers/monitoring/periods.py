"""Reading what people type: times, and the zone that they mean."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from workers.errors import WrongUsage
from workers.events.iso8601 import since_1970

_AGE = re.compile(r"(?:\d{1,6} ?[smhdw] ?)+(?<! )", re.ASCII)
_PART = re.compile(r"(\d{1,6}) ?([smhdw])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DAYS = {"today": 0, "yesterday": 1}
_ZONED = re.compile(r"[ T].*(?:Z|[+-]\d\d(?::?\d\d)?)$", re.ASCII)
_ENDS = ("0001-01-01", "9999-12-31")
"""The days that not every time zone can show."""
_OUT_OF_RANGE = "{} {!r} is out of range; expected a day from 0001-01-02 to 9999-12-30"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(text: str, option: str, now: datetime, zone: tzinfo = UTC) -> datetime:
    """A time, in UTC, as people say it; WrongUsage for anything else.

    An age before `now` ("24h", "1h30m"), "now", "today" and "yesterday" (their beginnings), a date, or an ISO 8601
    time. Days and times without a zone are `zone`'s.
    """
    if text == "now":
        return now
    if text in _DAYS:
        day = now.astimezone(zone).date() - timedelta(days=_DAYS[text])
        return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    if _AGE.fullmatch(text):
        return _ago(text, option, now)
    micros = since_1970(text if "T" in text or " " in text else f"{text}T00:00")
    if micros is None and text.startswith(_ENDS):
        raise WrongUsage(_OUT_OF_RANGE.format(option, text[:60]))
    if micros is None:
        raise WrongUsage(
            f"{option} {text[:60]!r} is no time; expected an age (30m, 1h30m, 7d), today, yesterday, "
            "a date (2026-11-21) or ISO 8601 (2026-11-21T18:00Z)"
        )
    found = _EPOCH + timedelta(microseconds=micros)
    return found if _ZONED.search(text) else found.replace(tzinfo=zone).astimezone(UTC)


def _ago(text: str, option: str, now: datetime) -> datetime:
    try:
        found = now - sum((timedelta(**{_UNITS[unit]: int(many)}) for many, unit in _PART.findall(text)), timedelta())
    except OverflowError:
        raise WrongUsage(_OUT_OF_RANGE.format(option, text[:60])) from None
    if found.date().isoformat() in _ENDS:
        raise WrongUsage(_OUT_OF_RANGE.format(option, text[:60]))
    return found


def zone_of(name: str, option: str = "--tz") -> tzinfo:
    """A time zone by its IANA name; WrongUsage where there is none of this name."""
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise WrongUsage(f"{option} {name[:60]!r} is no time zone; expected one like Europe/Berlin, or UTC") from None


def minute(time: datetime, zone: tzinfo) -> str:
    """A time for people, with the zone's name."""
    return f"{time.astimezone(zone):%Y-%m-%d %H:%M} {zone}"


def second(time: datetime, zone: tzinfo) -> str:
    """The same with seconds."""
    return f"{time.astimezone(zone):%Y-%m-%d %H:%M:%S} {zone}"
