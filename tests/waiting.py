"""How tests wait: for a condition, never for a time; and a bound that only a hang reaches.

No test is about how long anything takes: a machine may be busy with something else (`make bench` compares times).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

PATIENCE = 90.0
"""Seconds after which what has not come will not come, however busy the machine is."""

EVERY = 0.02
"""Seconds between two looks."""
SELDOM = 0.1
"""Seconds between two looks at processes at work, after some: looks take a processor from what they wait for."""
A_PROCESS = 1.0
"""Seconds between two looks that start a process."""


class TimedOut(AssertionError):
    """What was waited for did not come."""


def until(
    holds: Callable[[], T], what: object = "", seconds: float = PATIENCE, every: float = EVERY, seldom: float = EVERY
) -> T:
    """What `holds()` says as soon as it is true; TimedOut names `what` (called if it can be) where it never is.

    every, seldom  seconds between two looks: between the first ones, and what it grows to
    """
    ends = time.monotonic() + seconds
    while not (found := holds()):
        if time.monotonic() > ends:
            raise TimedOut(f"not within {seconds:g} s: {what() if callable(what) else what or holds}")
        time.sleep(every)
        every = max(every, min(every * 1.2, seldom))
    return found
