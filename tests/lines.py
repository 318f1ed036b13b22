"""Counts what Python does, which says how it grows and no clock does on a busy machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


def lines(work: Callable[[], None]) -> int:
    """How many lines of Python run."""
    count = 0

    def traced(_frame: FrameType, event: str, _argument: object) -> object:
        nonlocal count
        count += event == "line"
        return traced

    before = sys.gettrace()
    sys.settrace(traced)  # type: ignore[arg-type]
    try:
        work()
    finally:
        sys.settrace(before)
    return count
