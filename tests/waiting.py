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


class TimedOut(AssertionError):
    """What was waited for did not come."""


def until(holds: Callable[[], T], what: object = "", seconds: float = PATIENCE) -> T:
    """What `holds()` says as soon as it is true; TimedOut names `what` (called if it can be) where it never is."""
    ends = time.monotonic() + seconds
    while not (found := holds()):
        if time.monotonic() > ends:
            raise TimedOut(f"not within {seconds:g} s: {what() if callable(what) else what or holds}")
        time.sleep(EVERY)
    return found
