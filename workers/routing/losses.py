"""Tells what integrations drop whose backlog is full: at once, then once a minute with all that came since."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from workers.log import OPERATIONS_DROPPED, tell

if TYPE_CHECKING:
    from collections.abc import Mapping

EVERY_SECONDS: Final = 60.0


class Losses:
    """Of one router. Redis counts them whoever tells: `status` shows the sum."""

    def __init__(self) -> None:
        self._untold: Counter[str] = Counter()
        self._told_at: dict[str, float] = {}

    def tell(self, dropped: Mapping[str, int]) -> None:
        """`dropped`: operations of each integration."""
        now = time.monotonic()
        for integration, operations in dropped.items():
            self._untold[integration] += operations
            if now - self._told_at.get(integration, -EVERY_SECONDS) >= EVERY_SECONDS:
                tell(OPERATIONS_DROPPED, integration=integration, operations=self._untold.pop(integration))
                self._told_at[integration] = now
