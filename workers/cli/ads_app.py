"""The commands for ad accounts; they belong to `segsync` itself."""

# ruff: noqa: PLC0415 - a command's module is imported when it runs, as in app.py.

from typing import Annotated

import typer

from workers.cli.options import Json

about_ads = typer.Typer()

Account = Annotated[str, typer.Argument(metavar="X", help="The key of a connector with a platform.")]


@about_ads.command()
def connect(
    account: Account,
    *,
    code: Annotated[
        str | None, typer.Option(metavar="C", help="What the platform's page showed; left out, it is asked for.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Let an ad account be used: open a page, paste the code that it shows.

    The tokens are kept sealed in the store. Needs SEGSYNC_SECRET.
    """
    from workers.cli.commands import connect as command

    raise typer.Exit(command.run(account, code, as_json=as_json))


@about_ads.command()
def audiences(account: Account, *, as_json: Json = False) -> None:
    """Show the audiences of an ad account: accepted, applied, pending, what each waits for.

    The exit status is 1 where someone is needed.
    """
    from workers.cli.commands import audiences as command

    raise typer.Exit(command.run(account, as_json=as_json))
