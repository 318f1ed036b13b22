"""Named places where a test can end the process, as a crash would: SIGKILL, at the n-th time the place is reached.

    SEGSYNC_CRASH_AT=after-commit        the first time
    SEGSYNC_CRASH_AT=after-commit:5      the fifth time
    SEGSYNC_CRASH_FILE=/path             and only once over all processes: the first to crash makes this file

Without the variable a place costs one comparison. The places, in the code's order:
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

BEFORE_APPEND = "before-append"
AFTER_APPEND = "after-append"
BEFORE_CLAIM = "before-claim"
AFTER_CLAIM = "after-claim"
AFTER_EXECUTE = "after-execute"
AFTER_COMMIT = "after-commit"
AFTER_SETTLE = "after-settle"
BETWEEN_HALVES = "between-halves"
WITHIN_DRAINER = "within-drainer"
WITHIN_FLUSH = "within-flush"
BEFORE_STEP = "before-step"
AFTER_STEP = "after-step"
BEFORE_CALL = "before-call"
AFTER_CALL = "after-call"
BEFORE_RENAME = "before-rename"
AFTER_RENAME = "after-rename"
BEFORE_DELETE = "before-delete"
AFTER_DELETE = "after-delete"
BEFORE_SEGMENT = "before-segment"
AFTER_SEGMENT = "after-segment"
BEFORE_RENEWAL = "before-renewal"
AFTER_RENEWAL = "after-renewal"

POINTS = (
    BEFORE_APPEND,
    AFTER_APPEND,
    BEFORE_CLAIM,
    AFTER_CLAIM,
    AFTER_EXECUTE,
    AFTER_COMMIT,
    AFTER_SETTLE,
    BETWEEN_HALVES,
    WITHIN_DRAINER,
    WITHIN_FLUSH,
    BEFORE_STEP,
    AFTER_STEP,
)
ACCOUNT_POINTS = (
    BEFORE_CALL,
    AFTER_CALL,
    BEFORE_RENAME,
    AFTER_RENAME,
    BEFORE_DELETE,
    AFTER_DELETE,
    BEFORE_SEGMENT,
    AFTER_SEGMENT,
    BEFORE_RENEWAL,
    AFTER_RENEWAL,
)
"""Those that ad accounts alone reach."""

_point, _, _times = os.environ.get("SEGSYNC_CRASH_AT", "").partition(":")
_left = int(_times or 1)


def reach(point: str) -> None:
    """Ends the process here, if a test asked for it."""
    if point == _point:
        _count_down()


def _count_down() -> None:
    global _left  # noqa: PLW0603 - counts over the process's life, and only in tests
    _left -= 1
    if _left == 0 and _first():
        os.kill(os.getpid(), signal.SIGKILL)


def _first() -> bool:
    path = os.environ.get("SEGSYNC_CRASH_FILE")
    if path is None:
        return True
    try:
        Path(path).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
