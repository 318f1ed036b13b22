"""`segsync status`: where everything stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from workers.cli.exit_status import FINE, NEEDS_SOMEONE, OUT_OF_REACH
from workers.cli.installation import open_runtime
from workers.cli.output import age, plain, print_json, print_table, shown
from workers.cli.streams import give_up
from workers.monitoring import status
from workers.monitoring.needs import facts_of
from workers.settings.spelling import counted

if TYPE_CHECKING:
    from workers.monitoring.consumers import Consumers
    from workers.monitoring.status import Status


def run(*, as_json: bool, many: int) -> int:
    """Prints it; needs someone where `Status.needs` says so, out of reach where the ledger is.

    many  open entries of the quarantine of one integration from which on someone is needed
    """
    found = status.read(open_runtime(), _ask, many=many)
    try:
        print_json(found) if as_json else _print(found)
    except (BrokenPipeError, SystemExit):  # rich's way to say so; it ends as if all had been read
        give_up()
    return exit_status(found)


def exit_status(found: Status) -> int:
    """What it ends with."""
    if found.ledger_is_dead:
        return OUT_OF_REACH
    return NEEDS_SOMEONE if found.needs else FINE


def _ask() -> Consumers:
    # Celery takes half a second to load, and Redis may be out of reach before it is needed.
    from workers.cli.celery_inspect import ask  # noqa: PLC0415 - as above

    return ask()


def _print(found: Status) -> None:
    intake = found.intake
    waiting = f", the oldest for {age(intake.oldest_age_s)}" if intake.events else ""
    waits = "waits" if intake.events == 1 else "wait"
    typer.echo(f"intake      {counted(intake.events, 'event')} {waits}{waiting}")
    typer.echo(f"backlog     {counted(found.backlog, 'operation')}")
    entries = "not known" if found.quarantine is None else counted(found.quarantine, "open entry", "open entries")
    typer.echo(f"quarantine  {entries}")
    if found.outcomes.events:
        waits = "waits" if found.outcomes.events == 1 else "wait"
        typer.echo(f"outcomes    {shown(found.outcomes.events)} {waits} for the ledger")
    pulse, beat = age(found.pulse_age_s), age(found.beat_age_s)
    typer.echo(f"workers     {shown(found.workers)}; the pulse looked {_ago(pulse)}, beat {_ago(beat)}")
    queues = ", ".join(f"{queue.name} {shown(queue.consumers)}" for queue in found.queues)
    typer.echo(f"served by   {queues}")
    typer.echo(f"revision    {shown(found.revision)}")
    if found.unwanted:
        typer.echo(f"unwanted    {_unwanted(found)}")
    if found.integrations:
        typer.echo()
        _print_integrations(found)
    for sentence in (*found.needs, *found.notes, *found.unread):
        typer.echo(f"\n! {plain(sentence)}")


def _ago(text: str) -> str:
    return "never" if text == "-" else f"{text} ago"


def _unwanted(found: Status) -> str:
    top = ", ".join(f"{segment} {count:,}" for segment, count in list(found.unwanted_segments.items())[:3])
    more = ", …" if len(found.unwanted_segments) > 3 else ""  # noqa: PLR2004 - what fits a line
    return plain(f"{counted(found.unwanted, 'operation')} that no integration wanted (by segment: {top}{more})")


def _print_integrations(found: Status) -> None:
    columns = ("integration", "state", ">backlog", ">oldest", ">lanes", ">quarantine", "?>needs resync")
    print_table(
        columns,
        (
            (i.key, i.state, i.backlog, age(i.oldest_age_s), i.lanes, i.quarantine, i.needs_resync)
            for i in found.integrations
        ),
    )
    for each in found.integrations:
        if each.state in ("paused", "retrying"):
            seconds = each.next_try_s
            again = "" if seconds is None else f"; tried again in {seconds:.0f} s"
            typer.echo(plain(f"\n{each.key} is {each.state}{facts_of(each)}: {each.reason}{again}"))
