"""Celery, for workers that end whenever they deliver a certain profile: `python -m tests.chaos.killing worker ...`."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from celery.__main__ import main

from tests.chaos.events import DEADLY
from workers.delivery import deliverer
from workers.delivery.attempt import Attempts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.delivery.batch import Batch
    from workers.delivery.turn import Turn


def arm() -> None:
    """From here on a batch that has such a profile, and is not to stay untouched, ends its process."""
    module: Any = deliverer
    attempts: Any = Attempts
    unusable, deliver_together = module.unusable, attempts.deliver_together

    def kills(batch: Batch, *, deadly: bool) -> Any:
        if not deadly:
            _end_by(batch)
        return unusable(batch, deadly=deadly)

    def kills_together(self: Attempts, batches: Sequence[tuple[Turn, Batch]]) -> Any:
        for _, batch in batches:
            _end_by(batch)
        return deliver_together(self, batches)

    module.unusable, attempts.deliver_together = kills, kills_together


def _end_by(batch: Batch) -> None:
    operations = [*(each.operation for each in batch.members), *(each.operation for each in batch.rejected)]
    if any(DEADLY.encode() in each.body for each in operations):
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    arm()
    sys.argv[:1] = ["celery", "-A", "workers"]
    main()
