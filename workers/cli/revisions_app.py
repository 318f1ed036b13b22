"""The commands about revisions of the configuration; they belong to `segsync` itself."""

# ruff: noqa: PLC0415 - a command's module is imported when it runs, as in app.py.

from typing import Annotated

import typer

from workers.cli.options import Drain, Drop, Json, Yes

about_revisions = typer.Typer()


@about_revisions.command()
def revisions(*, as_json: Json = False) -> None:
    """What was applied, when and by whom; the last 50."""
    from workers.cli.commands import revisions as command

    raise typer.Exit(command.listed(as_json=as_json))


@about_revisions.command()
def diff(
    first: Annotated[int | None, typer.Argument(metavar="N", help="A revision; else the applied one.")] = None,
    second: Annotated[int | None, typer.Argument(metavar="M", help="Another revision; else the file.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """How the file differs from what is applied, or two revisions from each other.

    The exit status is 1 where they differ.
    """
    from workers.cli.commands import revisions as command

    raise typer.Exit(command.diff(first, second, as_json=as_json))


@about_revisions.command()
def rollback(
    number: Annotated[int, typer.Argument(metavar="N", help="As `revisions` shows it.")],
    *,
    drain: Drain = None,
    drop: Drop = None,
    yes: Yes = False,
) -> None:
    """Apply an earlier revision once more, as a new one; the file stays as it is."""
    from workers.cli.commands import revisions as command

    raise typer.Exit(command.rollback(number, drain=drain or [], drop=drop or [], yes=yes))
