"""`segsync console`, and the commands about its users and tokens: `console password` and `console token`."""

# ruff: noqa: PLC0415 - a command's module is imported when it runs, as in app.py.

from typing import Annotated

import typer

from workers.cli.anywhere import AnywhereGroup

console = typer.Typer(cls=AnywhereGroup, invoke_without_command=True, rich_markup_mode=None)


@console.callback()
def serve(
    context: typer.Context,
    *,
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Instead of where [console] of the file says.")
    ] = None,
) -> None:
    """The installation in a browser, until Ctrl-C: states, statistics, the quarantine, and what to do about them."""
    if context.invoked_subcommand is not None:
        return
    from workers.cli.commands import console as command

    raise typer.Exit(command.run(listen))


@console.command("password")
def make_password(
    name: Annotated[str, typer.Argument(metavar="USER", help="Who it is for.")],
    *,
    role: Annotated[str, typer.Option(metavar="R", help="viewer, operator or editor.")] = "viewer",
) -> None:
    """Ask for a password, and print what goes into the file: its hash, never the password.

    On a pipe, the password is its first line.
    """
    from workers.cli.commands import console_secrets as command

    raise typer.Exit(command.password(name, role))


@console.command("token")
def make_token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for.")],
    *,
    may: Annotated[list[str], typer.Option(metavar="M", help="read, operate, edit or push; as often as needed.")],
) -> None:
    """Make a token for the API, and print it, once, with what goes into the file: its hash."""
    from workers.cli.commands import console_secrets as command

    raise typer.Exit(command.token(name, may))
