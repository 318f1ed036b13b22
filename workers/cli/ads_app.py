"""The commands for ad accounts; they belong to `segsync` itself."""

# ruff: noqa: PLC0415 - a command's module is imported when it runs, as in app.py.

from typing import Annotated

import typer

from workers.cli.options import Json
from workers.errors import WrongUsage

about_ads = typer.Typer()

Account = Annotated[str, typer.Argument(metavar="X", help="The key of a connector with a platform.")]


@about_ads.command()
def connect(
    account: Account,
    *,
    code: Annotated[
        str | None, typer.Option(metavar="C", help="What the platform's page showed; left out, it is asked for.")
    ] = None,
    move: Annotated[
        bool, typer.Option("--move", help="Another account is meant: begin all audiences anew in it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Let an ad account be used: open a page, paste the code that it shows.

    The tokens are kept sealed in the store. Needs SEGSYNC_SECRET.
    """
    from workers.cli.commands import connect as command

    raise typer.Exit(command.run(account, code, moves=move, as_json=as_json))


@about_ads.command()
def audiences(
    account: Account,
    *,
    resend: Annotated[bool, typer.Option("--resend", help="Tell the platform all members once more.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Have whoever is in the audiences replaced by their members.")
    ] = False,
    segment: Annotated[
        str | None,
        typer.Option(metavar="S", help="With --resend or --replace: of this segment alone; left out, of all."),
    ] = None,
    refused: Annotated[
        bool, typer.Option("--refused", help="Show what the platform does not take, by profile, and why.")
    ] = False,
    accept: Annotated[
        bool, typer.Option("--accept", help="The store is meant to be so, though it lacks what was written since.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the audiences of an ad account: accepted, applied, pending, what each waits for.

    The exit status is 1 where someone is needed. --resend is for a platform that has lost what it was told: what the
    store has is sent again, at the cost of its budget, what was refused as well, and no member is taken out.
    --replace does that, too, and takes out whoever the store does not know.
    --accept is for a store that was restored from a backup, where there is no newer one.
    """
    from workers.cli.commands import audiences as command

    _check_together(alone={"--refused": refused, "--accept": accept}, told=(resend, replace), segment=segment)
    if accept:
        raise typer.Exit(command.accept(account, as_json=as_json))
    if refused:
        raise typer.Exit(command.refused(account, as_json=as_json))
    if replace:
        raise typer.Exit(command.replace(account, segment, as_json=as_json))
    if resend:
        raise typer.Exit(command.resend(account, segment, as_json=as_json))
    raise typer.Exit(command.run(account, as_json=as_json))


def _check_together(*, alone: dict[str, bool], told: tuple[bool, bool], segment: str | None) -> None:
    """WrongUsage for options that do not go together; `told`: --resend and --replace."""
    for name, other in (("--refused", "--accept"), ("--accept", "--refused")):
        if alone[name] and (alone[other] or any(told) or segment is not None):
            others = "" if name == "--refused" else "no --refused, "
            raise WrongUsage(f"{name} stands alone; expected {others}no --resend, no --replace and no --segment")
    if all(told):
        raise WrongUsage("--replace tells all members, too; expected no --resend")
    if segment is not None and not any(told):
        raise WrongUsage("--segment goes with --resend or --replace")
