"""The command line on one page: each command's name, options and help, and the function behind it.

The commands of `segsync quarantine` are in quarantine_app.py, `resync` and `verify` in resync_app.py.
"""

# ruff: noqa: PLC0415 - a command's module is imported when it runs: SQLAlchemy, Celery and the compiler take up to a
# second, and `segsync --help` shall not wait for any of them.

from pathlib import Path
from typing import Annotated, Final

import typer

from workers.cli.ads_app import about_ads
from workers.cli.anywhere import CONFIG_HELP, AnywhereGroup, take_config
from workers.cli.config_app import config as of_files
from workers.cli.console_app import console
from workers.cli.looking_app import looking
from workers.cli.options import Drain, Drop, Json, Key, Yes
from workers.cli.quarantine_app import quarantine
from workers.cli.resync_app import resyncs
from workers.cli.revisions_app import about_revisions
from workers.connectors.sql.vendors import VENDORS

INTERRUPTED: Final = 130
"""Ctrl-C, as shells have it."""

app = typer.Typer(
    name="segsync",
    cls=AnywhereGroup,
    help="Keeps SQL tables and ad accounts up to date about static segments.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(quarantine, name="quarantine", help="What could not be delivered, each with its reason.")
app.add_typer(console, name="console")
app.add_typer(of_files, name="config")


def tell_version(wanted: bool) -> None:
    """Says what runs here, and ends."""
    if wanted:
        from workers.cli.versions import versions

        typer.echo(versions())
        raise typer.Exit


@app.callback()
def options(
    *,
    config: Annotated[Path | None, typer.Option(metavar="PATH", help=CONFIG_HELP)] = None,
    as_json: Json = False,  # noqa: ARG001 - it is the command's (anywhere.py)
    version: Annotated[bool, typer.Option("--version", callback=tell_version, help="Say what runs here.")] = False,  # noqa: ARG001 - the callback's
) -> None:
    """Options that every command has; they may stand behind it, too."""
    take_config(config)


@app.command()
def demo(
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Stay up, with console and Flower, until Ctrl-C.")] = False,
    ads: Annotated[
        bool, typer.Option("--ads", help="Ad accounts instead: on stand-ins of the platforms, on this machine.")
    ] = False,
) -> None:
    """Everything embedded and real: events in, rows read back.

    With --ads: profiles in, and what four ad platforms are sent of them, hashed. Needs the repository.
    """
    if ads:
        from workers.cli.commands import demo_ads as of_ads

        raise typer.Exit(of_ads.run(keep=keep))
    from workers.cli.commands import demo as command

    raise typer.Exit(command.run(keep=keep))


@app.command()
def up(*, console: Annotated[bool, typer.Option("--console", help="With the console, in a browser.")] = False) -> None:
    """Run it all on your own segsync.toml, until Ctrl-C."""
    from workers.cli.commands import up as command

    raise typer.Exit(command.run(console=console))


@app.command()
def init(
    dialect: Annotated[str, typer.Option(metavar="|".join(VENDORS), help="The target; MariaDB is mysql.")],
    *,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Instead of stdout; a file that is there stays as it is.")
    ] = None,
    only_sql: Annotated[bool, typer.Option("--sql", help="Only the tables, to be run in the database.")] = False,
) -> None:
    """Write a complete integration: tables, keys and queries."""
    from workers.cli.commands import init as command

    raise typer.Exit(command.run(dialect, output, only_sql=only_sql))


@app.command()
def check(
    *,
    connect: Annotated[
        bool, typer.Option("--connect", help="Try each connector step by step, and the queries on the targets.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check the whole configuration; nothing is changed.

    With --connect the exit status is 1 where a target needs someone: out of reach, a wrong column, a missing right.
    """
    from workers.cli.commands import check as command

    raise typer.Exit(command.run(as_json=as_json, connect=connect))


@app.command()
def apply(
    *,
    drain: Drain = None,
    drop: Drop = None,
    empty: Annotated[
        list[str] | None,
        typer.Option(metavar="K", help="The people of an integration that leaves its ad account leave its audiences."),
    ] = None,
    connect: Annotated[bool, typer.Option("--connect", help="Only if each target agrees, as in `check`.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what differs, and publish nothing.")] = False,
    yes: Yes = False,
    accept: Annotated[
        bool, typer.Option("--accept", help="Another ledger, or an emptied Redis, as `status` tells of, is meant so.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check the file, show what differs, and publish it.

    Workers follow within seconds, without restart. `revisions`, `diff` and `rollback` know what was applied before.
    """
    from workers.cli.commands import apply as command

    how = command.Manner(connect=connect, dry_run=dry_run, yes=yes, accept=accept, as_json=as_json, emptied=empty or [])
    raise typer.Exit(command.run(drain or [], drop or [], how))


@app.command()
def preview(
    integration: Key,
    path: Annotated[Path, typer.Argument(metavar="EVENT.json|DIR", help="An event (.jsonl: several), or a folder.")],
    *,
    write: Annotated[bool, typer.Option("--write", help="Make and update the .sql files of a folder.")] = False,
    tried: Annotated[
        bool, typer.Option("--try", help="Run them on the integration's connector, too, and always roll back.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the statements that events would run; nothing is run without --try.

    Goes by the local file, not by what is applied, and needs no Redis and no database. A .jsonl file holds one event
    per line, all of one segment, in order. The exit status is 1 where profiles are rejected.

    Of a folder, each event is compared with the .sql file beside it (rejections stand in it, too): the exit status
    is 1 where one differs or is missing, 2 where an event cannot be read.

    The event's time is its `at`, else 2026-01-01T00:00:00Z; sequences begin there, too. A segment out of
    scope is shown with a note.

    --try shows rows and errors, the database's own words among them; the exit status is 1 where a statement fails or
    the connector is out of reach. It refuses, with 2, what cannot be rolled back. See docs/preview.md.
    """
    from workers.cli.commands import preview as command

    raise typer.Exit(command.run(integration, path, write=write, tried=tried, as_json=as_json))


@app.command()
def push(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="Events, one JSON object per line; - is a pipe.")],
    as_json: Json = False,
) -> None:
    """Push events from JSON lines, in their order.

    The exit status is 1 where the intake is full, 2 at a line that is no event, 3 where Redis is out of reach: the
    line is named, and all before it are accepted.
    """
    from workers.cli.commands import push as command

    raise typer.Exit(command.run(file, as_json=as_json))


@app.command()
def pause(
    integration: Key,
    reason: Annotated[str, typer.Option(help="Why; `status` shows it.")] = "",
    as_json: Json = False,
) -> None:
    """Stop an integration's deliveries, and keep its events.

    Returns when the batch in flight is settled. Survives deploys and restarts.
    """
    from workers.cli.commands import pause as command

    raise typer.Exit(command.pause(integration, reason, as_json=as_json))


@app.command()
def resume(integration: Key, as_json: Json = False) -> None:
    """Let a paused integration go on, at once."""
    from workers.cli.commands import pause as command

    raise typer.Exit(command.resume(integration, as_json=as_json))


@app.command()
def retry(
    name: Annotated[str, typer.Argument(metavar="K|CONNECTOR", help="An integration's or connector's key.")],
) -> None:
    """Try at once what waits for its next try: what is held, out of reach, or has failed."""
    from workers.cli.commands import retry as command

    raise typer.Exit(command.run(name))


@app.command()
def erase(
    *,
    profile: Annotated[
        list[str] | None, typer.Option("--profile", metavar="ID", help="An `_id` or a key; as often as needed.")
    ] = None,
    values: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="E-mails, phones, ids: one in each line; - is a pipe.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; the audit log has it.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Erase a person: from the quarantine, the stores of ad accounts, and so their audiences.

    Shows what is found, and asks; where no terminal is, --yes must say so. The exit status is 1 where something is
    found that is not gone yet: erase again until nothing is left. See docs/erasing.md.
    """
    from workers.cli.commands import erase as command

    how = command.EraseManner(reason=reason, dry_run=dry_run, yes=yes, as_json=as_json)
    raise typer.Exit(command.run(profile or [], values, how))


@app.command()
def drain() -> None:
    """Route and deliver in this process until nothing is due.

    Needs no Celery: what saves a Redis that is so full that no worker can start.
    """
    from workers.cli.commands import drain as command

    raise typer.Exit(command.run())


app.registered_commands += [
    *looking.registered_commands,
    *about_revisions.registered_commands,
    *resyncs.registered_commands,
    *about_ads.registered_commands,
]


def main() -> None:
    """Runs the command line and ends the process; every failure that can be expected is a message and a status."""
    from workers.cli import streams

    streams.prepare()
    try:
        app()
    except SystemExit as end:
        if end.__context__ is not None and isinstance(end.__context__.__context__, KeyboardInterrupt):
            # At a question typer ends with 1, which says that what was asked for was done.
            raise SystemExit(INTERRUPTED) from None
        if not isinstance(end.__context__, BrokenPipeError):
            raise
        # Whoever read our output (`| head`) has gone, and has had enough.
        streams.give_up()
        raise SystemExit(0) from None
    except Exception as error:
        from workers.cli.explaining import explain
        from workers.settings.spelling import plain

        failure = explain(error)
        if failure is None:
            raise
        if failure.message:
            streams.say(plain(f"segsync: {failure.message}"), err=True)
        raise SystemExit(failure.status) from None
