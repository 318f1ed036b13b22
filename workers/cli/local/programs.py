"""Celery's own commands, as `up` and `demo` run them: nothing wrapped (docs/architecture.md)."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from workers.cli.local.children import Program
from workers.cli.local.embedded_redis import HOST

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

CELERY: Final = (sys.executable, "-m", "celery", "-A", "workers")
# Workers have nothing to tell each other: what they share is in Redis. Asking around costs a second at the start.
ALONE: Final = ("--without-gossip", "--without-mingle")


def route_worker() -> Program:
    """Routing has a process of its own, so that neither a slow target nor a slow ledger can block it (rule 27)."""
    command = [*CELERY, "worker", "-Q", "route", "-n", "route@%h", "-c", "1", "-l", "INFO", *ALONE]
    return Program("route worker", command)


def upkeep_worker() -> Program:
    """Upkeep by one process, reading for resyncs by one, and another for beat's sweep meanwhile."""
    command = [*CELERY, "worker", "-Q", "upkeep,resync", "-n", "upkeep@%h", "-c", "3", "-l", "INFO", *ALONE]
    return Program("upkeep worker", command)


def deliver_worker(connectors: Iterable[str]) -> Program:
    """Deliveries for these connectors, a process per core: two at least, so that a slow target stops no other."""
    queues = ",".join(f"deliver.{key}" for key in sorted(connectors))
    concurrency = str(max(2, os.cpu_count() or 1))
    command = [*CELERY, "worker", "-Q", queues, "-n", "deliver@%h", "-c", concurrency, "-l", "INFO", *ALONE]
    return Program("deliver worker", command)


def beat() -> Program:
    """The sweep every five seconds, whatever dies."""
    return Program("beat", [*CELERY, "beat", "-l", "INFO"])


def flower(port: int) -> Program:
    """Flower, for this machine only: it asks nobody for a password."""
    return Program("flower", [*CELERY, "flower", f"--address={HOST}", f"--port={port}"])


def console(config: Path, port: int) -> Program:
    """`segsync console`, for this machine only."""
    listen = f"{HOST}:{port}"
    return Program(
        "console", [sys.executable, "-m", "workers.cli", "--config", str(config), "console", "--listen", listen]
    )


def alerts() -> Program:
    """Who is to be told is told, as `[alerts]` of the file says."""
    return Program("alerts", [sys.executable, "-m", "workers.cli", "alerts"])


def drain(config: Path) -> Program:
    """`segsync drain`, once: what saves a Redis that is so full that no worker can start (rule 32)."""
    return Program("drain", [sys.executable, "-m", "workers.cli", "--config", str(config), "drain"], stays=False)
