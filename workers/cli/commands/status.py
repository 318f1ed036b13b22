"""`segsync status`: where everything stands."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

import typer
from redis import RedisError

from workers.cli.celery_inspect import ask
from workers.cli.exit_status import FINE, NEEDS_SOMEONE, OUT_OF_REACH
from workers.cli.output import print_json, print_table, shown
from workers.cli.streams import give_up
from workers.errors import SegsyncError, SettingsError, WrongUsage
from workers.monitoring import status
from workers.monitoring.books import OnlyRedis, QuickBooks
from workers.monitoring.consumers import PATIENCE_SECONDS
from workers.monitoring.needs import MANY, facts_of
from workers.settings.alerts import too_many_entries
from workers.settings.document import digest_of_file
from workers.settings.local import load_local
from workers.settings.published import published
from workers.settings.spelling import age, counted, in_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workers.monitoring.books import Place
    from workers.monitoring.whole import Status


WATCH_SECONDS: Final = 2.0
"""Between two looks, beside the second that asking the workers takes."""
CLEAR: Final = "\x1b[2J\x1b[H"
"""What empties a terminal."""


@dataclass(frozen=True, slots=True)
class How:
    """How it is told.

    many   open entries of the quarantine of one integration from which on someone is needed; None: as the file says
    watch  again and again, until Ctrl-C
    check  one line for a monitoring system
    """

    as_json: bool = False
    many: int | None = None
    watch: bool = False
    check: bool = False


def run(integration: str | None, how: How) -> int:
    """Prints it; needs someone where `Status.needs` says so, out of reach where the ledger is."""
    if how.watch and (how.as_json or how.check):
        raise WrongUsage("--watch is for people; for programs: `segsync status --json` as often as you like")
    if how.check and how.as_json:
        raise WrongUsage("--check is one line for monitoring systems; for programs: `segsync status --json`")
    look = partial(_all, how) if integration is None else partial(_near, integration, how)
    if how.watch:
        place = OnlyRedis(load_local())
        return watched(lambda: look(place))
    try:
        return look(OnlyRedis(load_local()))
    except (RedisError, SegsyncError) as error:
        if not how.check:
            raise
        return _unknown(error)


def _unknown(error: RedisError | SegsyncError) -> int:
    """For a monitor, which reads standard output: whatever it is that cannot be told, a wrong file too.

    By the status that other commands end with it would be a warning (1) or a critical state (2) there.
    """
    from workers.cli.explaining import explain  # noqa: PLC0415 - it knows every command's errors

    failure = explain(error)
    typer.echo(_sentence(f"UNKNOWN: {failure.message if failure else error}"))
    return OUT_OF_REACH


def _sentence(text: str) -> str:
    """As it may stand in a monitor's line: a bar in it would begin the numbers."""
    return in_line(text).replace("|", "/")


def watched(look: Callable[[], int], rest: Callable[[float], None] = time.sleep) -> int:
    """Looks again and again until Ctrl-C; returns what the last look came to. What is out of reach may come back."""
    status = FINE
    while True:
        try:
            if sys.stdout.isatty():
                typer.echo(CLEAR, nl=False)
            typer.echo(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC; Ctrl-C ends\n")
            status = look()
        except RedisError as error:
            status = OUT_OF_REACH
            typer.echo(in_line(f"! {_told(error)}"))
        except KeyboardInterrupt:
            return status
        try:
            rest(WATCH_SECONDS)
        except KeyboardInterrupt:
            return status


def _told(error: RedisError) -> str:
    """A Redis that refuses us is not out of reach: whoever mends it looks elsewhere."""
    from workers.cli.explaining import of_redis  # noqa: PLC0415 - it knows every command's errors

    return of_redis(error)


def _all(how: How, place: Place) -> int:
    patience = 0 if how.watch else PATIENCE_SECONDS
    many = _many_by_the_file(place) if how.many is None else how.many
    found = status.read_by(place, QuickBooks(place), ask, many=many, patience=patience)
    if how.check:
        typer.echo(one_line(found))
        return exit_status(found)
    found.notes.extend(_of_the_file(place))
    try:
        print_json(found) if how.as_json else _print(found)
    except (BrokenPipeError, SystemExit):  # rich's way to say so; it ends as if all had been read
        give_up()
    return exit_status(found)


def _many_by_the_file(place: Place) -> int:
    """As whoever is alerted by it."""
    try:
        return too_many_entries(place.local.path)
    except SettingsError:  # said below, with the file's other mistakes
        return MANY


def _of_the_file(place: Place) -> Iterator[str]:
    """What is worth a word of this process's own file."""
    applied = published(place.redis, place.keys)
    try:
        if applied is not None and digest_of_file(place.local.path) == applied.digest:
            return  # it is what was checked and applied
        # SQLAlchemy and the compiler of queries are not worth loading before there is something to tell.
        from workers.cli.behind import why_behind  # noqa: PLC0415 - as above
        from workers.settings import load  # noqa: PLC0415 - as above

        late = why_behind(load(place.local.path), place.redis)
    except SettingsError as error:
        late = f"{error.source}: {counted(len(error.mistakes), 'mistake')}; `segsync check` names them"
    if late:
        yield late


def _near(integration: str, how: How, place: Place) -> int:
    from workers.cli.commands.status_near import print_near  # noqa: PLC0415 - all of the configuration is read for it
    from workers.cli.installation import refuse_unknown  # noqa: PLC0415 - as above
    from workers.monitoring.lane_list import read_near  # noqa: PLC0415 - as above
    from workers.runtime import Runtime  # noqa: PLC0415 - as above

    refuse_unknown(integration)
    many = _many_by_the_file(place) if how.many is None else how.many
    found = read_near(Runtime(place.local), integration, many)
    if how.check:
        state = found.integration
        words = "; ".join(found.needs) or f"{state.key} is {state.state}"
        typer.echo(f"{'WARNING' if found.needs else 'OK'}: {_sentence(words)} | backlog={state.backlog}")
    elif how.as_json:
        print_json(found)
    else:
        print_near(found)
    return NEEDS_SOMEONE if found.needs else FINE


def one_line(found: Status) -> str:
    """As monitoring systems read it: a word, the sentences, and numbers behind a bar."""
    word = "UNKNOWN" if found.ledger_is_dead else "WARNING" if found.needs else "OK"
    words = "; ".join(found.needs)
    oldest = max((each.oldest_age_s or 0.0 for each in found.integrations), default=0.0)
    numbers = {
        "backlog": found.backlog,
        "intake": found.intake.events,
        "quarantine": found.quarantine or 0,
        "oldest": f"{oldest:.0f}s",
    }
    told = " ".join(f"{name}={value}" for name, value in numbers.items())
    return f"{word}: {_sentence(words or 'all is well')} | {told}"


def exit_status(found: Status) -> int:
    """What it ends with."""
    if found.ledger_is_dead:
        return OUT_OF_REACH
    return NEEDS_SOMEONE if found.needs else FINE


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
    if found.accounts:
        typer.echo()
        _print_accounts(found)
    told = " ".join(found.needs)
    # Why a number is missing is not said again where it needs someone.
    unread = [sentence for sentence in found.unread if (sentence.partition(": ")[2] or sentence) not in told]
    for sentence in (*found.needs, *found.notes, *unread):
        typer.echo(f"\n! {in_line(sentence)}")


def _print_accounts(found: Status) -> None:
    counts = (">audiences", ">accepted", ">pending", ">owed", "?>rejected", "?>left out")
    print_table(
        ("ad account", *counts, "waits for", ">may write"),
        (
            (
                *(a.connector, a.audiences, a.accepted, a.pending, a.owed, a.rejected, a.left_out),
                ", ".join(f"{what} ({many})" for what, many in a.waiting.items()),
                f"in {age(a.budget_in_s)}" if a.budget_in_s else "now",
            )
            for a in found.accounts
        ),
    )


def _ago(text: str) -> str:
    return "never" if text == "-" else f"{text} ago"


def _unwanted(found: Status) -> str:
    top = ", ".join(f"{segment} {count:,}" for segment, count in list(found.unwanted_segments.items())[:3])
    more = ", …" if len(found.unwanted_segments) > 3 else ""  # noqa: PLR2004 - what fits a line
    return in_line(f"{counted(found.unwanted, 'operation')} that no integration wanted (by segment: {top}{more})")


def _print_integrations(found: Status) -> None:
    columns = ("integration", "state", ">backlog", ">oldest", ">lanes", ">quarantine", "?>needs resync", "?>differ")
    print_table(
        columns,
        (
            (i.key, i.state, i.backlog, age(i.oldest_age_s), i.lanes, i.quarantine, i.needs_resync, i.differing)
            for i in found.integrations
        ),
    )
    for each in found.integrations:
        if each.state == "waiting":
            typer.echo("\n" + in_line(f"{each.key} waits {each.reason}, in {age(each.next_try_s)}"))
        if each.state in ("paused", "retrying"):
            seconds = each.next_try_s
            again = "" if seconds is None else f"; tried again in {seconds:.0f} s"
            typer.echo("\n" + in_line(f"{each.key} is {each.state}{facts_of(each)}: {each.reason}{again}"))
