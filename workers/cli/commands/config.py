"""`segsync config pull`: the files are made to say what is applied."""

from __future__ import annotations

import os

import typer

from workers.cli.difference_lines import print_differences
from workers.cli.exit_status import FINE, NEEDS_SOMEONE
from workers.cli.people import is_meant
from workers.lanes.keys import Keys
from workers.settings import load, pulling
from workers.settings.published import what_is_applied
from workers.settings.pulling import PullRefused
from workers.settings.standing import was_applied


def pull(*, force: bool, dry_run: bool, yes: bool) -> int:
    """Writes what differs, after asking on a terminal. SettingsError, PullRefused, NothingApplied, redis.RedisError."""
    own = load()
    redis, keys, path = own.local.redis.client(), Keys(own.local.namespace), own.local.path
    applied = what_is_applied(redis, keys)
    found = pulling.plan(path, os.environ, applied.text)
    if not found.texts:
        typer.echo(f"{path} is what is applied, revision {applied.revision}")
        return FINE
    print_differences(found.differences)
    if not force and not was_applied(redis, keys, own):
        raise PullRefused(
            f"{path} has changes that were never applied, which this would overwrite; expected `segsync apply` first, "
            "or --force to throw them away"
        )
    if dry_run:
        typer.echo("this was a dry run: nothing was written")
        return FINE
    if not is_meant(f"Write this into {', '.join(map(str, found.texts))}?", yes=yes):
        typer.echo("nothing was written")
        return NEEDS_SOMEONE
    for file in pulling.write(found):
        typer.echo(f"{file} is written, as revision {applied.revision}")
    return FINE
