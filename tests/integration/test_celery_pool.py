"""A worker and its processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.test_celery_guards import run

if TYPE_CHECKING:
    from pathlib import Path

ENDED = """
from types import SimpleNamespace
from celery.concurrency import get_implementation
from kombu.asynchronous import Hub
from workers.celery import app
kind, hub = get_implementation("prefork").Pool, Hub()
kind._track_child_process(kind.__new__(kind), SimpleNamespace(_sentinel_poll=None), hub)
print(hub.readers)
"""


def test_a_process_that_ends_while_the_broker_is_away_does_not_end_its_worker(tmp_path: Path) -> None:
    """It has left the loop, and is still in the pool, when the link is there again."""
    found = run(tmp_path, ["-c", ENDED])

    assert found.stdout.strip() == "{}", found.stderr
