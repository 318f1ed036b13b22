"""`segsync pause` and `segsync resume`: the toggle at run time."""

from __future__ import annotations

import getpass
import socket

import typer

from workers.cli.exit_status import FINE
from workers.control import pause as pausing
from workers.lanes.keys import Keys
from workers.settings import load_local


def pause(integration: str, reason: str) -> int:
    """Returns when nothing of the integration is being delivered any more."""
    local = load_local()
    pausing.pause(local.redis.client(), Keys(local.namespace), integration, reason=reason, by=_somebody())
    typer.echo(f"{integration} is paused; its events are kept until `segsync resume {integration}`")
    return FINE


def resume(integration: str) -> int:
    """Wakes the workers, too."""
    local = load_local()
    was_paused = pausing.resume(local.redis.client(), Keys(local.namespace), integration)
    typer.echo(f"{integration} goes on" if was_paused else f"{integration} was not paused")
    return FINE


def _somebody() -> str:
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # a container's user may have no name
        return socket.gethostname()
