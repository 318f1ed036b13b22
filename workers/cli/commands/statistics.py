"""`segsync stats` and `segsync errors`: what the ledger tells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING

import typer

from workers.cli.exit_status import FINE
from workers.cli.installation import open_ledger, refuse_unknown
from workers.cli.output import print_json, print_table
from workers.errors import WrongUsage
from workers.ledger import statistics
from workers.monitoring.periods import minute, moment, second, zone_of
from workers.settings.spelling import counted, plain

if TYPE_CHECKING:
    from datetime import tzinfo

    from workers.ledger.statistics import ErrorRow, StatsRow


@dataclass(frozen=True, slots=True)
class Stats:
    """What `stats --json` prints: one row for each hour, integration and event type."""

    since: datetime
    until: datetime
    stats: list[StatsRow]


@dataclass(frozen=True, slots=True)
class Errors:
    """What `errors --json` prints: one row for each cause."""

    since: datetime
    errors: list[ErrorRow]


def stats(since: str, until: str, integration: str | None, *, as_json: bool, tz: str = "UTC") -> int:
    """Prints what was done between two times."""
    now, zone = datetime.now(UTC), zone_of(tz)
    start, end = moment(since, "--since", now, zone), moment(until, "--until", now, zone)
    if start >= end:
        raise WrongUsage(f"--since {since} is not before --until {until}")
    rows = statistics.stats(open_ledger(), start, end, integration)
    if not rows:
        refuse_unknown(integration)
    if as_json:
        print_json(Stats(start, end, rows))
    elif rows:
        _print_stats(rows, zone)
    else:
        typer.echo(f"nothing was delivered since {minute(start, zone)}")
    return FINE


def _print_stats(rows: list[StatsRow], zone: tzinfo) -> None:
    columns = ("integration", "event", ">queries", ">rows", "?>retries", "?>failed", "?>quarantined", ">p50", ">p95")
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
        row.retries,
        row.failures,
        row.quarantined,
        _seconds(row.latency_p50_ms),
        _seconds(row.latency_p95_ms),
    )


def _seconds(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else f"{milliseconds / 1000:.2f} s"


def errors(since: str, integration: str | None, *, as_json: bool, tz: str = "UTC") -> int:
    """Prints what failed since then."""
    zone = zone_of(tz)
    start = moment(since, "--since", datetime.now(UTC), zone)
    rows = statistics.errors(open_ledger(), start, integration)
    if not rows:
        refuse_unknown(integration)
    if as_json:
        print_json(Errors(start, rows))
    elif not rows:
        typer.echo(f"nothing has failed since {minute(start, zone)}")
    for row in () if as_json else rows:
        _print_error(row, zone)
    return FINE


def _print_error(row: ErrorRow, zone: tzinfo) -> None:
    where = row.integration or "intake"
    segment = f", segment {row.segment}" if row.segment else ""
    counts = ((row.retries, "retried"), (row.failures, "held"), (row.quarantined, "quarantined"))
    what = ", ".join(f"{count:,} {word}" for count, word in counts if count)
    typer.echo(plain(f"{where}: {row.code}: {row.reason}"))
    typer.echo(plain(f"    {what}; last {second(row.last_seen, zone)}{segment}\n"))
