"""Moves resyncs on: reads sources and targets, and brings what differs to the lanes."""

from __future__ import annotations

from workers.celery import app, runtime, wake_all

SECONDS = 0.5
"""What one wake-up may take, beside a source and a target that are read to their ends.

In a worker of one process all else waits meanwhile: with two seconds instead, beside many runs, only a third as many
events of other segments came to their target.
"""


@app.task(name="segsync.resync")  # type: ignore[untyped-decorator]
def resync(token: str, **_: object) -> None:
    """One turn of the reader; `token` is its permit."""
    runtime.resync(token, SECONDS)
    wake_all("task")
