"""Reading what people type: times."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from workers.errors import WrongUsage
from workers.events.iso8601 import since_1970

_AGE = re.compile(r"(\d{1,6}) ?(s|m|h|d|w)", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(text: str, option: str, now: datetime) -> datetime:
    """A time, in UTC, from an age before `now` ("24h"), "now", a date or an ISO 8601 time; WrongUsage otherwise."""
    if text == "now":
        return now
    if age := _AGE.fullmatch(text):
        return now - timedelta(**{_UNITS[age[2]]: int(age[1])})
    micros = since_1970(text if "T" in text or " " in text else f"{text}T00:00")
    if micros is None:
        raise WrongUsage(
            f"{option} {text[:60]!r} is no time; expected an age (30m, 24h, 7d), a date (2026-11-21) "
            "or ISO 8601 (2026-11-21T18:00Z)"
        )
    return _EPOCH + timedelta(microseconds=micros)
