"""`segsync pause` and `segsync resume`: the toggle at run time."""

from __future__ import annotations

from dataclasses import dataclass

import typer

from workers.cli.exit_status import FINE
from workers.cli.output import print_json
from workers.cli.people import caller
from workers.control import pause as pausing
from workers.control.acting import recorded
from workers.lanes.keys import Keys
from workers.settings import load_local


@dataclass(frozen=True, slots=True)
class PauseReport:
    """What became of an integration: whether it is paused now, and whether it was not so before."""

    integration: str
    paused: bool
    changed: bool


def pause(integration: str, reason: str, *, as_json: bool = False) -> int:
    """Returns when nothing of the integration is being delivered any more."""
    local = load_local()
    redis, keys = local.redis.client(), Keys(local.namespace)
    with recorded(redis, keys, who := caller(), "pause", integration, reason=reason):
        new = pausing.pause(redis, keys, integration, reason=reason, by=who.name)
    if as_json:
        print_json(PauseReport(integration, paused=True, changed=new))
        return FINE
    already = "" if new else " already, and stays so for whoever did it; `segsync status` has all reasons"
    typer.echo(f"{integration} is paused{already}; its events are kept until `segsync resume {integration}`")
    return FINE


def resume(integration: str, *, as_json: bool = False) -> int:
    """Wakes the workers, too."""
    local = load_local()
    redis, keys = local.redis.client(), Keys(local.namespace)
    with recorded(redis, keys, caller(), "resume", integration):
        was_paused = pausing.resume(redis, keys, integration)
    if as_json:
        print_json(PauseReport(integration, paused=False, changed=was_paused))
        return FINE
    typer.echo(f"{integration} goes on" if was_paused else f"{integration} was not paused")
    return FINE
