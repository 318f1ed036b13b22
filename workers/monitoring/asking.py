"""Celery's workers, asked by many at once: one asks, the others have its answer."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from workers.errors import SegsyncError

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.monitoring.consumers import Consumers

KEPT_SECONDS: Final = 2.0
"""That an answer is given again: it takes about a second to get."""
WAITING: Final = 4
"""Threads that may wait for an answer: a broker that hangs must not take all that there are."""


class AskedAlready(SegsyncError):
    """Too many wait for the workers' answer."""


class SharedAsk:
    """Asks once for all who want to know.

    Celery's client holds a connection while it waits for a second one of the same pool, so a few that ask side by side
    would wait for each other for ever.
    """

    def __init__(self, ask: Callable[[], Consumers]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(WAITING)
        self._found: tuple[float, Consumers] | None = None

    def __call__(self) -> Consumers:
        """What the workers said, at most KEPT_SECONDS ago. AskedAlready, and whatever `ask` raises."""
        if (found := self._fresh()) is not None:
            return found
        if not self._places.acquire(blocking=False):
            raise AskedAlready(f"{WAITING} wait for the workers' answer already; expected one of them to have it first")
        try:
            with self._lock:
                if (found := self._fresh()) is None:
                    found = self._ask()
                    self._found = time.monotonic(), found
                return found
        finally:
            self._places.release()

    def _fresh(self) -> Consumers | None:
        kept = self._found
        return kept[1] if kept is not None and time.monotonic() - kept[0] < KEPT_SECONDS else None
