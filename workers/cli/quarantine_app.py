"""The commands of `segsync quarantine`: names, options and help, and the functions behind them."""

# ruff: noqa: PLC0415 - a command's module is imported when it runs, as in app.py.

from typing import Annotated

import typer

from workers.cli.anywhere import AnywhereGroup
from workers.cli.options import Every, Ids, Json, OfCode, OfKey, OfSegment, State, Yes

quarantine = typer.Typer(cls=AnywhereGroup, no_args_is_help=True, rich_markup_mode=None)


@quarantine.callback()
def options(*, as_json: Json = False) -> None:
    """What could not be delivered, each with its reason."""


@quarantine.command("list")
def quarantine_list(
    *,
    integration: OfKey = None,
    segment: OfSegment = None,
    state: State = "open",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 50,
    as_json: Json = False,
) -> None:
    """Entries, the newest first: the open ones, unless --state says which."""
    from workers.cli.commands import quarantine as command

    raise typer.Exit(command.listed(integration, limit, segment=segment, state=state, as_json=as_json))


@quarantine.command("show")
def quarantine_show(
    entry: Annotated[int, typer.Argument(metavar="ID", help="As `quarantine list` shows it.")], *, as_json: Json = False
) -> None:
    """One entry with all that is known of it, its data too."""
    from workers.cli.commands import quarantine as command

    raise typer.Exit(command.show(entry, as_json=as_json))


@quarantine.command("retry")
def quarantine_retry(
    ids: Ids = None,
    *,
    integration: OfKey = None,
    segment: OfSegment = None,
    code: OfCode = None,
    every: Every = False,
    as_json: Json = False,
) -> None:
    """Send entries back through the intake.

    Nothing that came later is overwritten: such an entry becomes superseded. What an ad platform refuses it is told
    once more, from the store.
    """
    from workers.cli.commands import quarantine as command

    which = command.wanted(ids or [], integration, code, segment, every=every)
    raise typer.Exit(command.retry(which, as_json=as_json))


@quarantine.command("drop")
def quarantine_drop(
    ids: Ids = None,
    *,
    integration: OfKey = None,
    segment: OfSegment = None,
    code: OfCode = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Give entries up; they stay readable until they are purged."""
    from workers.cli.commands import quarantine as command

    which = command.wanted(ids or [], integration, code, segment)
    raise typer.Exit(command.drop(which, as_json=as_json, yes=yes))


@quarantine.command("export")
def quarantine_export(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="A new file; - is standard output.")],
    *,
    integration: OfKey = None,
    segment: OfSegment = None,
    code: OfCode = None,
    state: State = "open",
) -> None:
    """Write entries with their data as JSON lines: the open ones, unless --state says which."""
    from workers.cli.commands import quarantine as command

    raise typer.Exit(command.export(command.fitting(integration, code, state, segment), file))


@quarantine.command("purge")
def quarantine_purge(
    older_than: Annotated[str, typer.Option(metavar="T", help="An age (30d) or a time (ISO 8601).")],
    *,
    yes: Yes = False,
) -> None:
    """Delete entries that were resolved before then."""
    from workers.cli.commands import quarantine as command

    raise typer.Exit(command.purge(older_than, yes=yes))
