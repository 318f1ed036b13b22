"""Celery, for workers that stop at a crash point instead of dying there: `python -m tests.chaos.halting worker ...`.

A process that is killed does no harm afterwards. One that is stopped until others have taken its place does, unless
every lease, lock and fence holds: whoever started it sends SIGCONT.
"""

from __future__ import annotations

import signal
import sys
from types import SimpleNamespace
from typing import Any

from celery.__main__ import main

from workers import failpoints


def arm() -> None:
    """From here on a crash point sends SIGSTOP."""
    crash: Any = failpoints
    crash.signal = SimpleNamespace(SIGKILL=signal.SIGSTOP)


if __name__ == "__main__":
    arm()
    sys.argv[:1] = ["celery", "-A", "workers"]
    main()
