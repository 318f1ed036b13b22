"""`segsync drain`: routes and delivers in this process, without Celery."""

from __future__ import annotations

import logging
import sys

import typer

from workers.cli.exit_status import FINE, NEEDS_SOMEONE, OUT_OF_REACH
from workers.cli.installation import open_runtime
from workers.control.drain import drain
from workers.control.startup import collect_rarely, settle_configuration
from workers.log import BATCH_FAILED, Without, shape
from workers.settings.spelling import counted, in_line


def run() -> int:
    """Until nothing is due; needs someone where a delivery failed."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    # Each failed try is told once, at the end.
    for handler in logging.getLogger().handlers:
        handler.addFilter(Without([BATCH_FAILED]))
    shape(logging.getLogger().handlers)
    collect_rarely()
    runtime = open_runtime()
    settle_configuration(runtime)
    report = drain(runtime)
    done = counted(report.events, "event"), counted(report.batches, "batch", "batches")
    typer.echo(f"{done[0]} routed, {done[1]} delivered, {counted(report.failed, 'try', 'tries')} failed")
    for cause in report.causes:
        typer.echo(f"! {in_line(cause)}", err=True)
    if report.ledger:
        typer.echo(f"! outcomes stay in Redis until the ledger is back: {in_line(report.ledger)}", err=True)
        return OUT_OF_REACH
    return NEEDS_SOMEONE if report.failed else FINE
