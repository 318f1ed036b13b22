"""`segsync stats` and `segsync errors`: what the ledger tells."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

import typer

from workers.cli.commands.account_statistics import (
    AccountCalls,
    AccountFailures,
    print_calls,
    print_failures,
    read_calls,
)
from workers.cli.exit_status import FINE
from workers.cli.installation import open_ledger, refuse_unknown
from workers.cli.output import Bar, print_bars, print_csv, print_json, print_table
from workers.errors import WrongUsage
from workers.ledger import statistics
from workers.ledger.periods import way
from workers.ledger.statistics import ErrorRow, StatsRow
from workers.monitoring.periods import minute, moment, second, zone_of
from workers.settings.spelling import counted, in_line

if TYPE_CHECKING:
    from datetime import tzinfo

    from workers.ledger.periods import By


@dataclass(frozen=True, slots=True)
class Stats:
    """What `stats --json` prints: one row for each hour (day, period), integration and event type.

    accounts  calls to ad platforms, over all of the time
    """

    since: datetime
    until: datetime
    stats: list[StatsRow]
    accounts: list[AccountCalls]


@dataclass(frozen=True, slots=True)
class Errors:
    """What `errors --json` prints: one row for each cause, event type and hour (day, period).

    accounts  the same of calls to ad platforms, over all of the time; none where one event type is asked for
    """

    since: datetime
    until: datetime
    errors: list[ErrorRow]
    accounts: list[AccountFailures]


@dataclass(frozen=True, slots=True)
class Form:
    """How the answer is printed; for people where nothing is said. WrongUsage for two of them."""

    as_json: bool = False
    as_csv: bool = False
    plot: bool = False

    def __post_init__(self) -> None:
        if self.as_json + self.as_csv + self.plot > 1:
            raise WrongUsage("--json, --csv and --plot are three ways to print; expected one of them")


def stats(since: str, until: str, integration: str | None, form: Form, *, by: str = "hour", tz: str = "UTC") -> int:
    """Prints what was done between two times."""
    zone = zone_of(tz)
    start, end = span(since, until, zone)
    each = way(by, "--by")
    rows = statistics.stats(open_ledger(), start, end, integration, by=each, zone=zone)
    if not rows:
        refuse_unknown(integration)
    calls, _ = ([], []) if form.as_csv or form.plot else read_calls(start, end, integration)
    if form.as_json:
        print_json(Stats(start, end, rows, calls))
    elif form.as_csv:
        print_csv(StatsRow, rows)
    elif not rows:
        typer.echo(f"nothing was delivered since {minute(start, zone)}")
    elif form.plot:
        print_bars(bars(rows, each, zone))
    else:
        _print_stats(rows, zone)
    print_calls(calls if not form.as_json else [])
    return FINE


def span(since: str, until: str, zone: tzinfo) -> tuple[datetime, datetime]:
    """The two times of --since and --until; WrongUsage where the first is not before the second."""
    now = datetime.now(UTC)
    start, end = moment(since, "--since", now, zone), moment(until, "--until", now, zone)
    if start >= end:
        raise WrongUsage(f"--since {since} is not before --until {until}")
    return start, end


def bars(rows: list[StatsRow], by: By, zone: tzinfo) -> list[Bar]:
    """One bar for each hour, day or period that has anything, and for each hour between them."""
    found: dict[datetime, Bar] = {}
    if by == "hour":
        whole = (rows[-1].hour - rows[0].hour) // timedelta(hours=1)
        found = {at: Bar(_label(at, by, zone)) for n in range(whole + 1) if (at := rows[0].hour + timedelta(hours=n))}
    for row in rows:
        known = found.get(row.hour) or Bar(_label(row.hour, by, zone))
        wrong = row.retries + row.failures + row.quarantined
        found[row.hour] = replace(known, length=known.length + row.queries, wrong=known.wrong + wrong)
    return list(found.values())


def _label(at: datetime, by: By, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%m-%d}" if by == "day" else f"{at.astimezone(zone):%m-%d %H:%M}"


def _print_stats(rows: list[StatsRow], zone: tzinfo) -> None:
    sent = (">queries", ">rows", ">profiles", "?>unsent")
    others = ("?>merged", "?>moot", "?>retries", "?>failed", "?>quarantined")
    columns = ("integration", "event", *sent, *others, ">p50", ">p95", ">slowest")
    for hour, of_hour in groupby(rows, key=lambda row: row.hour):
        typer.echo(f"{minute(hour, zone)}\n")
        print_table(columns, map(_stats_cells, of_hour))
        typer.echo()
    queries, affected = sum(row.queries for row in rows), sum(row.rows for row in rows)
    failures = sum(row.failures for row in rows)
    retries, quarantined = sum(row.retries for row in rows), sum(row.quarantined for row in rows)
    typer.echo(
        f"{counted(queries, 'successful query', 'successful queries')}, {counted(affected, 'row')}; "
        f"{counted(retries, 'retry', 'retries')}, {failures:,} failed, {quarantined:,} quarantined"
    )


def _stats_cells(row: StatsRow) -> tuple[object, ...]:
    """What failed before any query ran belongs to no event type."""
    return (
        row.integration or "(intake)",
        row.event_type,
        row.queries,
        row.rows,
        row.profiles,
        row.unsent,
        row.merged,
        row.moot,
        row.retries,
        row.failures,
        row.quarantined,
        _seconds(row.latency_p50_ms),
        _seconds(row.latency_p95_ms),
        _seconds(row.latency_max_ms),
    )


def _seconds(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else f"{milliseconds / 1000:.2f} s"


def errors(
    since: str,
    until: str,
    integration: str | None,
    form: Form,
    *,
    by: str = "total",
    tz: str = "UTC",
    event_type: str | None = None,
) -> int:
    """Prints what failed between two times."""
    zone = zone_of(tz)
    start, end = span(since, until, zone)
    each = way(by, "--by")
    rows = statistics.errors(open_ledger(), start, integration, until=end, by=each, zone=zone, event_type=event_type)
    if not rows:
        refuse_unknown(integration)
    _, failures = ([], []) if form.as_csv or event_type else read_calls(start, end, integration)
    if form.as_json:
        print_json(Errors(start, end, rows, failures))
    elif form.as_csv:
        print_csv(ErrorRow, rows)
    elif not rows and not failures:
        typer.echo(f"nothing has failed since {minute(start, zone)}")
    else:
        for hour, of_hour in groupby(rows, key=lambda row: row.hour):
            if by != "total":
                typer.echo(f"{minute(hour, zone)}\n")
            for row in of_hour:
                _print_error(row, zone)
        print_failures(failures, zone)
    return FINE


def _print_error(row: ErrorRow, zone: tzinfo) -> None:
    where = row.integration or "intake"
    segment = f", segment {row.segment}" if row.segment else ""
    event = f"{row.event_type}: " if row.event_type else ""
    counts = ((row.retries, "retried"), (row.failures, "held"), (row.quarantined, "quarantined"))
    what = ", ".join(f"{count:,} {word}" for count, word in counts if count)
    typer.echo(in_line(f"{where}: {row.code}: {row.reason}"))
    typer.echo(in_line(f"    {event}{what}; last {second(row.last_seen, zone)}{segment}") + "\n")
