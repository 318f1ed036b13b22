"""What Flower shows, asked as a browser would."""

from __future__ import annotations

import re
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from workers.cli.local.supervisor import Supervisor

PATIENCE_SECONDS: Final = 60.0
WORKERS: Final = 3
"""Those that `up` starts: for delivery, for routing, for upkeep."""
_ONLINE = re.compile(r'^flower_worker_online\{worker="([^"]+)"\} 1', re.MULTILINE)


def describe(installation: Supervisor) -> str:
    """A sentence with Flower's address and the workers it sees; waits until it sees all, for some seconds."""
    ends = time.monotonic() + PATIENCE_SECONDS
    workers: list[str] | None = None
    while time.monotonic() < ends and not installation.signals.count:
        workers = _workers(installation.flower_url)
        if workers is not None and len(workers) >= WORKERS:
            break
        installation.tend()
        time.sleep(0.2)
    if workers is None:
        return f"Flower does not answer yet at {installation.flower_url}"
    return f"Flower, at {installation.flower_url}, sees {len(workers)} workers: {', '.join(workers)}"


def _workers(url: str) -> list[str] | None:
    """Names of the workers that Flower knows to be alive; None while it does not answer."""
    try:
        with urllib.request.urlopen(f"{url}/metrics", timeout=5.0) as answer:  # noqa: S310 - our own child
            return sorted(_ONLINE.findall(answer.read().decode()))
    except (urllib.error.URLError, OSError):
        return None
