"""The commands that look at a running installation; they belong to `segsync` itself."""

# ruff: noqa: PLC0415 - a command's module is imported when it runs, as in app.py.

from typing import Annotated

import typer

from workers.cli.options import Csv, Json, Key, OfKey, Since, Until, Way, Zone, keys_beginning

looking = typer.Typer()


@looking.command()
def status(
    integration: Annotated[
        str | None,
        typer.Argument(metavar="K", help="Of this one alone, with its lanes.", autocompletion=keys_beginning),
    ] = None,
    *,
    quarantine_limit: Annotated[
        int | None,
        typer.Option(
            "--quarantine",
            metavar="N",
            min=1,
            help="Open entries of one integration that are too many; else as [alerts] says, or 10,000.",
        ),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Again and again, until Ctrl-C.")] = False,
    check: Annotated[bool, typer.Option("--check", help="One line, for monitoring systems.")] = False,
    as_json: Json = False,
) -> None:
    """Where everything stands.

    The exit status is 1 where someone is needed, 3 where Redis or the ledger is out of reach.
    """
    from workers.cli.commands import status as command

    how = command.How(as_json=as_json, many=quarantine_limit, watch=watch, check=check)
    raise typer.Exit(command.run(integration, how))


@looking.command()
def why(
    integration: Key,
    *,
    segment: Annotated[str, typer.Option(metavar="S", help="The segment's id.")],
    profile: Annotated[
        str | None,
        typer.Option(metavar="P", help="Its `_id`, or the text of a key field; left out, the segment as a whole."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Where a profile is, and why it is not in the table yet.

    Looks at scope, pause, intake, lane, quarantine and the segment's last deliveries. The exit status is 1 where
    someone is needed before it goes on.
    """
    from workers.cli.commands import why as command

    raise typer.Exit(command.run(integration, segment, profile, as_json=as_json))


@looking.command()
def stats(
    *,
    since: Since = "24h",
    until: Until = "now",
    integration: OfKey = None,
    by: Way = "hour",
    tz: Zone = "UTC",
    as_json: Json = False,
    as_csv: Csv = False,
    plot: Annotated[bool, typer.Option("--plot", help="A bar for each hour or day: successful queries.")] = False,
) -> None:
    """Successful queries, rows, failures and latency, by the hour or day."""
    from workers.cli.commands import statistics as command

    form = command.Form(as_json=as_json, as_csv=as_csv, plot=plot)
    raise typer.Exit(command.stats(since, until, integration, form, by=by, tz=tz))


@looking.command()
def errors(
    *,
    since: Since = "24h",
    until: Until = "now",
    integration: OfKey = None,
    event_type: Annotated[
        str | None, typer.Option("--event-type", metavar="TYPE", help="Only of this one: add, remove, clear, ...")
    ] = None,
    by: Way = "total",
    tz: Zone = "UTC",
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """What failed, by cause and event type, the newest first: in all, or by the hour or day."""
    from workers.cli.commands import statistics as command

    form = command.Form(as_json=as_json, as_csv=as_csv)
    raise typer.Exit(command.errors(since, until, integration, form, by=by, tz=tz, event_type=event_type))


@looking.command()
def runs(
    *,
    since: Since = "24h",
    until: Until = "now",
    integration: OfKey = None,
    segment: Annotated[str | None, typer.Option(metavar="S", help="Only of this segment.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only tries that failed.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 20,
    tz: Zone = "UTC",
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Single deliveries, the newest first."""
    from workers.cli.commands import runs as command
    from workers.cli.commands.statistics import Form

    form = Form(as_json=as_json, as_csv=as_csv)
    raise typer.Exit(command.run(since, until, integration, segment, failed=failed, limit=limit, form=form, tz=tz))


@looking.command()
def fields(
    integration: Annotated[
        str | None, typer.Argument(metavar="K", help="Of this one alone.", autocompletion=keys_beginning)
    ] = None,
    *,
    file: Annotated[bool, typer.Option("--file", help="Of the local file, not of what is applied.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="As a page, to be handed on.")] = False,
    as_json: Json = False,
) -> None:
    """Which data is transmitted to whom, from which fields, hashed how.

    Told from the applied configuration alone: no data is looked at, and no secret is shown.
    """
    from workers.cli.commands import fields as command

    raise typer.Exit(command.run(integration, file=file, markdown=markdown, as_json=as_json))


@looking.command()
def audit(
    *,
    since: Since = "30d",
    target: Annotated[
        str | None, typer.Option("--of", metavar="K", help="Only what was done to this, as `audit` shows it.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 100,
    tz: Zone = "UTC",
    as_json: Json = False,
) -> None:
    """Who has had what done, by a command, in the console or through its API; newest first."""
    from workers.cli.commands import audit as command

    raise typer.Exit(command.run(since, target, limit, as_json=as_json, tz=tz))


@looking.command()
def doctor(*, as_json: Json = False) -> None:
    """What would bite in production, before it does.

    Looks at Redis, the workers, the ledger's place, Flower, files' rights and each target. The exit status is 1 where
    something is a mistake; warnings leave it at 0.
    """
    from workers.cli.commands import doctor as command

    raise typer.Exit(command.run(as_json=as_json))


@looking.command()
def metrics(
    *,
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Serve them, as on 127.0.0.1:9464; else print them once.")
    ] = None,
) -> None:
    """What Prometheus reads; no profile, segment or secret is in it."""
    from workers.cli.commands import metrics as command

    raise typer.Exit(command.run(listen))


@looking.command()
def alerts(
    *,
    once: Annotated[bool, typer.Option("--once", help="Look once, and end: for cron.")] = False,
    test: Annotated[bool, typer.Option("--test", help="Tell everybody that this is a test, and end.")] = False,
) -> None:
    """Tell by webhook, mail or command when something needs someone, and when it is over.

    One message for each change, as [alerts] of the file says to whom.
    """
    from workers.cli.commands import alerts as command

    raise typer.Exit(command.run(once=once, test=test))
