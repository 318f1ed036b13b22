"""Moves the intake into the lanes."""

from __future__ import annotations

from workers.celery import app, runtime, wake_all

SECONDS = 2.0
"""What one wake-up may take before it asks for another."""


@app.task(name="segsync.route")  # type: ignore[untyped-decorator]
def route(token: str, **_: object) -> None:
    """One routing turn; `token` is its permit."""
    runtime.route(token, SECONDS)
    wake_all("task")
