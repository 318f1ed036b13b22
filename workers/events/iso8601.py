"""ISO 8601 times as events carry them, in microseconds since 1970."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

_ISO_8601 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ]((?:[01]\d|2[0-3]):[0-5]\d)(?::([0-5]\d)(?:[.,](\d+))?)?"
    r"(?:[Zz]|([+-])([01]\d|2[0-3])(?::?([0-5]\d))?)?",
    re.ASCII,
)
# In UTC throughout: with no zone to carry, the arithmetic is twice as fast.
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - as above
_MICROSECOND = timedelta(microseconds=1)
# A day is left at both ends of what a datetime can hold, so that any time zone can show it.
_EARLIEST = datetime(1, 1, 2) - _EPOCH  # noqa: DTZ001 - as above
_LATEST = datetime(9999, 12, 31) - _EPOCH - _MICROSECOND  # noqa: DTZ001 - as above


def since_1970(text: str) -> int | None:
    """A date and time in microseconds since 1970 in UTC; None for a text that is none.

    UTC where the text names no zone; digits beyond microseconds are cut off. (`fromisoformat` alone also takes
    bare dates and weeks, and not the same ones in every Python.)
    """
    match = _ISO_8601.fullmatch(text)
    if match is None:
        return None
    try:
        moment = _in_utc(*match.groups())
    except ValueError:  # a 13th month, a 30th of February
        return None
    return moment // _MICROSECOND if _EARLIEST <= moment <= _LATEST else None


def _in_utc(
    day: str, minute: str, second: str | None, fraction: str | None, sign: str | None, hours: str, minutes: str | None
) -> timedelta:
    local = datetime.fromisoformat(f"{day}T{minute}:{second or '00'}.{(fraction or '')[:6]:0<6}") - _EPOCH
    if sign is None:
        return local
    offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
    return local - offset if sign == "+" else local + offset
