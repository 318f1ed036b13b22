"""`segsync runs`: single deliveries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

import typer

from workers.cli.commands.statistics import span
from workers.cli.exit_status import FINE
from workers.cli.installation import open_ledger, refuse_unknown
from workers.cli.output import print_csv, print_json, print_table
from workers.ledger import runs as deliveries
from workers.ledger.runs import DeliveryRun
from workers.monitoring.periods import minute, zone_of
from workers.settings.segment_ids import segment_id_if_any
from workers.settings.spelling import in_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, tzinfo

    from workers.cli.commands.statistics import Form


@dataclass(frozen=True, slots=True)
class Runs:
    """What `runs --json` prints: tries, the newest first."""

    since: datetime
    until: datetime
    runs: list[DeliveryRun]


def run(
    since: str,
    until: str,
    integration: str | None,
    segment: str | None,
    *,
    failed: bool,
    limit: int,
    form: Form,
    tz: str = "UTC",
) -> int:
    """Prints the newest tries that fit."""
    zone = zone_of(tz)
    start, end = span(since, until, zone)
    wanted = {"integration": integration, "segment": segment_id_if_any(segment)}
    found = deliveries.runs(open_ledger(), **wanted, since=start, until=end, failed=failed, limit=limit)
    if not found:
        refuse_unknown(integration)
    if form.as_json:
        print_json(Runs(start, end, found))
    elif form.as_csv:
        print_csv(DeliveryRun, found)
    elif not found:
        typer.echo(f"nothing {'has failed' if failed else 'was tried'} since {minute(start, zone)}")
    else:
        print_runs(found, zone)
    return FINE


def print_runs(found: Sequence[DeliveryRun], zone: tzinfo = UTC) -> None:
    """A table of tries, and below it the reasons of those that failed."""
    columns = (f"at, {zone}", "integration", "segment", "outcome", "events", ">profiles", ">rows", "?>unsent", ">took")
    print_table(columns, (_cells(each, zone) for each in found))
    for reason in dict.fromkeys(f"{each.code}: {each.reason}" for each in found if each.code):
        typer.echo(f"\n! {in_line(reason)}")


def _cells(run: DeliveryRun, zone: tzinfo) -> tuple[object, ...]:
    outcome = run.outcome if run.tries == 1 else f"{run.outcome} ({run.tries:,} x)"
    kinds = ", ".join(run.event_types)
    return (
        f"{run.at.astimezone(zone):%m-%d %H:%M:%S}",
        run.integration,
        run.segment,
        outcome,
        kinds,
        run.operations,
        run.rows,
        run.unsent,
        f"{run.duration_ms / 1000:.2f} s",
    )
