"""How values, names and durations are spelled in messages, and read from what people write."""

from __future__ import annotations

import difflib
import math
import re
import reprlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,9})?) ?(ms|s|m|h|d)?", re.ASCII)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_KINDS = {str: "text", bool: "true or false", int: "an integer", float: "a number", list: "a list", dict: "a table"}

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 60


def show(value: object) -> str:
    """`value` as a message may show it: its repr, cut to some 60 characters. Never for a secret or a URL."""
    return _short.repr(value)


def kind_of(value: object) -> str:
    """What a TOML value is, in words."""
    return _KINDS.get(type(value), f"a {type(value).__name__}")


def counted(number: int, one: str, many: str = "") -> str:
    """A number and what it counts: "1 entry", "2,000 entries"; `many` is `one` with an s unless said."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint to put behind a message: the most similar known name, or all of them; "" if none is known."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; expected one of {', '.join(names)}" if names else ""


def parse_duration(value: object) -> float | None:
    """Seconds from "500ms", "30s", "2m", "1h", "90d" or a number of seconds; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return float(value) if math.isfinite(value) and abs(value) < 1e12 else None  # noqa: PLR2004 - any bound that a float holds
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    return float(found[1]) * _UNITS[found[2] or "s"] if found else None


def spell_duration(seconds: float) -> str:
    """Seconds the way the file writes them: 0.1 as "100ms", 86400 as "24h"."""
    for unit in ("h", "m", "s"):
        if seconds >= _UNITS[unit] and seconds % _UNITS[unit] == 0:
            return f"{int(seconds / _UNITS[unit])}{unit}"
    return f"{seconds * 1000:g}ms"


def age(seconds: float | None) -> str:
    """Seconds in words: 0.3 s, 12 s, 5 min, 3.2 h, 4 d."""
    if seconds is None:
        return "-"
    for limit, divisor, unit in ((60, 1, "s"), (3600, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            number = seconds / divisor
            return f"{number:.1f} {unit}" if number < 10 else f"{number:.0f} {unit}"  # noqa: PLR2004 - two digits
    return f"{seconds / 86_400:.0f} d"


def in_line(text: str) -> str:
    """Likewise, on one line: what people name things may hold line ends."""
    return plain(text).replace("\n", "\\n")


def plain(text: str) -> str:
    """Text without what a terminal would obey: control characters are written out. Line ends stay."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
