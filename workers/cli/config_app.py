"""The commands about the configuration's files: `segsync config pull`."""

# ruff: noqa: PLC0415 - a command's module is imported when it runs, as in app.py.

from typing import Annotated

import typer

from workers.cli.anywhere import AnywhereGroup
from workers.cli.options import Yes

config = typer.Typer(cls=AnywhereGroup, no_args_is_help=True, rich_markup_mode=None)


@config.callback()
def options() -> None:
    """The configuration's files."""


@config.command("pull")
def pull(
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Throw away what was changed in the file and never applied.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what differs, and write nothing.")] = False,
    yes: Yes = False,
) -> None:
    """Write what is applied back into the file, where it was changed in the console, by the API or by a rollback.

    Comments and order stay; only what differs changes.
    """
    from workers.cli.commands import config as command

    raise typer.Exit(command.pull(force=force, dry_run=dry_run, yes=yes))
