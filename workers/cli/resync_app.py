"""`segsync resync` and `segsync verify`: options and help; what they do is in commands/resync.py."""

# ruff: noqa: PLC0415 - as in app.py

from typing import Annotated

import typer

from workers.cli.options import Json

resyncs = typer.Typer()

OptionalKey = Annotated[str | None, typer.Argument(metavar="K", help="An integration's key.")]
Segments = Annotated[list[str] | None, typer.Option("--segment", metavar="ID", help="A segment; as often as needed.")]
EverySegment = Annotated[
    bool, typer.Option("--all", help="All that it follows: as its source lists them, or that were seen.")
]
Needed = Annotated[bool, typer.Option("--needed", help="Those that `status` says need it.")]


@resyncs.command()
def resync(
    integration: OptionalKey = None,
    *,
    segment: Segments = None,
    every: EverySegment = False,
    needed: Needed = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look: the same as `segsync verify`.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Stay until the runs are over.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="Runs that are open, and the last that ended.")] = False,
    confirm: Annotated[str | None, typer.Option(metavar="RUN", help="Say yes to a run that needs it.")] = None,
    accept: Annotated[str | None, typer.Option(metavar="N", help="With --confirm: removals=N,adds=M.")] = None,
    cancel: Annotated[str | None, typer.Option(metavar="RUN", help="Stop a run.")] = None,
    as_json: Json = False,
) -> None:
    """Make a target equal to the platform again, beside live events.

    Each segment is a run. Nothing is removed that a member may be, and what looks like a mistake needs your word first
    (--confirm). Workers do it: the exit status is 0 once the runs are asked for; with --watch it is 1 where one of
    them does not end as "done". See docs/resync.md.
    """
    from workers.cli.commands import resync as command

    chosen = {"K": integration, "--segment": segment, "--all": every, "--needed": needed, "--dry-run": dry_run}
    command.check_act({"--list": listed, "--confirm": confirm, "--cancel": cancel}, chosen, accept)
    if listed:
        raise typer.Exit(command.show_runs(as_json=as_json))
    if confirm is not None:
        raise typer.Exit(command.confirm(confirm, accept or "", watch=watch, as_json=as_json))
    if cancel is not None:
        raise typer.Exit(command.cancel(cancel, as_json=as_json))
    choice = command.Choice(integration, segment or [], every=every, needed=needed)
    if dry_run:
        raise typer.Exit(command.verify(choice, show=False, as_json=as_json))
    raise typer.Exit(command.resync(choice, watch=watch, as_json=as_json))


@resyncs.command()
def verify(
    integration: OptionalKey = None,
    *,
    segment: Segments = None,
    every: EverySegment = False,
    needed: Needed = False,
    show: Annotated[bool, typer.Option("--show", help="Up to 20 keys of each difference.")] = False,
    as_json: Json = False,
) -> None:
    """Compare a target with the platform, and change nothing.

    Tells what differs at two looks, one after the other: what is only on its way is no difference. The exit status is
    1 where something differs, or where it could not be told.
    """
    from workers.cli.commands import resync as command

    choice = command.Choice(integration, segment or [], every=every, needed=needed)
    raise typer.Exit(command.verify(choice, show=show, as_json=as_json))
