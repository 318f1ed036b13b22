"""Asks Celery's workers who they are and what they serve. The only file of the command line that knows Celery."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from workers.monitoring.consumers import Consumers

if TYPE_CHECKING:
    from collections.abc import Iterable

SECONDS: Final = 1.0
"""How long to wait for answers: nobody knows how many will come, so it always takes that long."""


def ask() -> Consumers:
    """Who serves what at this moment. Raises whatever the broker's client does."""
    from workers.celery import app  # noqa: PLC0415 - Celery takes half a second, and Redis may be out of reach first

    # Not `inspect`: it knows workers by name, and two that were given the same one would count as one.
    found: Iterable[dict[str, Any]] = app.control.broadcast("active_queues", reply=True, timeout=SECONDS) or []
    names = tuple(name for answer in found for name in answer)
    answers = [queues for answer in found for queues in answer.values()]
    served = Counter(queue["name"] for queues in answers if isinstance(queues, list) for queue in queues)
    return Consumers(len(answers), dict(served), names)
