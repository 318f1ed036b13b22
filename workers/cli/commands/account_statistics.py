"""Calls to ad platforms, as `stats` and `errors` tell of them beside what the ledger has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer
from redis import RedisError

from workers.cli.installation import open_runtime
from workers.cli.output import print_table
from workers.errors import SegsyncError
from workers.monitoring.account_numbers import calls_of
from workers.monitoring.periods import second
from workers.settings.spelling import counted, plain

if TYPE_CHECKING:
    from datetime import tzinfo


@dataclass(frozen=True, slots=True)
class AccountCalls:
    """Calls of one kind to one ad platform that ended in the period.

    done, failed   calls; failed: not done, or nobody heard what came of them
    identifiers    in those that were done; rejected: of these, refused by the platform
    """

    connector: str
    integration: str
    action: str
    done: int
    identifiers: int
    rejected: int
    failed: int


@dataclass(frozen=True, slots=True)
class AccountFailures:
    """Calls to one ad platform that failed for one cause; `segment` is the last one's."""

    connector: str
    integration: str
    segment: str
    code: str
    reason: str
    calls: int
    last_seen: datetime


def read_calls(
    since: datetime, until: datetime, integration: str | None
) -> tuple[list[AccountCalls], list[AccountFailures]]:
    """What the stores of the applied ad accounts tell; nothing where none is applied, or Redis is out of reach."""
    sums: list[AccountCalls] = []
    failures: list[AccountFailures] = []
    try:
        settings = open_runtime().applied.settings
    except (SegsyncError, RedisError):
        return sums, failures
    for key, done, failed in calls_of(settings, since, until):
        sums += [AccountCalls(key, *each) for each in done if integration in (None, each.integration)]
        failures += [
            AccountFailures(
                connector=key,
                integration=each.integration,
                segment=each.segment,
                code=each.code,
                reason=each.reason,
                calls=each.calls,
                last_seen=datetime.fromtimestamp(each.last_ms / 1000, UTC),
            )
            for each in failed
            if integration in (None, each.integration)
        ]
    return sums, sorted(failures, key=lambda each: each.last_seen, reverse=True)


def print_calls(calls: list[AccountCalls]) -> None:
    """As a table; nothing where there are none."""
    if calls:
        typer.echo("\ncalls to ad platforms\n")
        columns = ("ad account", "integration", "call", ">done", ">identifiers", "?>rejected", "?>failed")
        rows = (
            (c.connector, c.integration, c.action, c.done, c.identifiers, c.rejected, c.failed) for c in calls
        )  # fmt: skip
        print_table(columns, rows)


def print_failures(failures: list[AccountFailures], zone: tzinfo) -> None:
    """Each with its cause."""
    for each in failures:
        typer.echo(plain(f"{each.integration}, to {each.connector}: {each.code}: {each.reason}"))
        what = f"{counted(each.calls, 'call')} failed; last {second(each.last_seen, zone)}, segment {each.segment}"
        typer.echo(plain(f"    {what}\n"))
