"""Celery's pool of processes: a worker outlives one that ends while the worker is without its broker.

Each process leaves the worker's loop when it ends, and the pool a moment later. Where the link to the broker comes back
in between, Celery takes it into the loop once more, fails, and ends the whole worker.
"""

from __future__ import annotations

from typing import Any

from celery.concurrency.asynpool import AsynPool
from celery.concurrency.prefork import TaskPool


class OutlivingPool(AsynPool):  # type: ignore[misc]
    """The pool, which watches no process that has ended already: it is replaced when the pool is looked after next."""

    def _track_child_process(self, proc: Any, hub: Any) -> None:
        if getattr(proc, "_sentinel_poll", 0) is not None:
            super()._track_child_process(proc, hub)


def outlive() -> None:
    """From now on workers of this process have this pool, however they are told to have the usual one."""
    TaskPool.Pool = OutlivingPool
