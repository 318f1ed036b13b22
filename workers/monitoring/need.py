"""One thing that someone must do something about, and from when on a number or an age is one."""

from __future__ import annotations

from typing import Final, NamedTuple

WARN_AT: Final = 0.8
"""The part of a limit that is worth a word."""
STALE_SECONDS: Final = 15.0
"""An age of the pulse or of beat that means it is dead: they look every 5 s."""


class Need(NamedTuple):
    """What someone must do something about.

    topic  what it is about; the same at each look for as long as it lasts, whatever its numbers are by then
    """

    topic: str
    sentence: str
