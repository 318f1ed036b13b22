"""A batch that is in the target, and whose lane is told while the target is at work on the next one (rule 18)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.delivery.turn import Over


class Unsettled:
    """Its settlement is made once: at the latest before what comes behind it is committed."""

    def __init__(self, settle: Callable[[], Over | None]) -> None:
        self._owed: Callable[[], Over | None] | None = settle
        self._over: Over | None = None
        self._error: Exception | None = None

    def settle(self) -> Over | None:
        """Makes it, if that is not done; None where the lane is still ours. What was raised is raised again."""
        owed, self._owed = self._owed, None  # which holds the batch, and is of no more use
        if owed is not None:
            try:
                self._over = owed()
            except Exception as error:  # noqa: BLE001 - raised below, to whoever asks
                self._error = error
        if self._error is not None:
            raise self._error
        return self._over
