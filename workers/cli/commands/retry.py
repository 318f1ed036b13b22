"""`segsync retry`: tries at once what waits for its next try."""

from __future__ import annotations

import typer

from workers.cli.exit_status import FINE
from workers.cli.people import caller
from workers.control.acting import recorded
from workers.control.retry import retry
from workers.lanes.keys import Keys
from workers.settings import load_local
from workers.settings.spelling import counted


def run(name: str) -> int:
    """Of an integration, or of a connector."""
    local = load_local()
    redis, keys = local.redis.client(), Keys(local.namespace)
    with recorded(redis, keys, caller(), "retry", name):
        sooner = retry(redis, keys, name)
    if sooner.holds or sooner.lanes:
        lanes = counted(sooner.lanes, "lane")
        typer.echo(f"{name} is tried at once: {sooner.holds:,} held or out of reach, {lanes} that failed")
    else:
        typer.echo(f"nothing of {name} was waiting for its next try")
    return FINE
