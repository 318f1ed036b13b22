"""Celery, for workers that end whenever they deliver a certain profile: `python -m tests.chaos.killing worker ...`."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from celery.__main__ import main

from tests.chaos.events import DEADLY
from workers.delivery import deliverer

if TYPE_CHECKING:
    from workers.delivery.batch import Batch


def arm() -> None:
    """From here on a batch that has such a profile, and is not to stay untouched, ends its process."""
    module: Any = deliverer
    unusable = module.unusable

    def kills(batch: Batch, *, deadly: bool) -> Any:
        operations = [*(each.operation for each in batch.members), *(each.operation for each in batch.rejected)]
        if not deadly and any(DEADLY.encode() in each.body for each in operations):
            os.kill(os.getpid(), signal.SIGKILL)
        return unusable(batch, deadly=deadly)

    module.unusable = kills


if __name__ == "__main__":
    arm()
    sys.argv[:1] = ["celery", "-A", "workers"]
    main()
