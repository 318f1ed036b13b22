"""`segsync apply`: checks the file, shows the difference, publishes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import typer

from workers.cli.exit_status import FINE, NEEDS_SOMEONE
from workers.cli.output import plain
from workers.cli.people import is_meant
from workers.control import apply as applying
from workers.lanes.keys import Keys
from workers.settings import load
from workers.settings.spelling import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis import Redis

    from workers.control.apply import ApplyPlan, Report
    from workers.settings import Settings

MOST_SHOWN: Final = 40
"""Differences that are listed; of the others only how many there are: more than a screen is not read."""


def run(*, drain: Sequence[str], drop: Sequence[str], yes: bool, accept: bool = False) -> int:
    """Publishes the file, after asking on a terminal; needs someone where it was refused or not brought to its end."""
    settings = load()
    redis, keys = settings.local.redis.client(), Keys(settings.local.namespace)
    plan = applying.plan(redis, keys, settings, drain, drop)
    _show(plan)
    _warn(settings)
    lost = sum(plan.dropped.values())
    question = f"Throw away {counted(lost, 'operation')}, and publish this?" if lost else "Publish this?"
    if (plan.differences or drop) and not is_meant(question, yes=yes, default=not lost):
        typer.echo("nothing was published")
        return NEEDS_SOMEONE
    return _carry_out(redis, keys, plan, accept=accept)


def _show(plan: ApplyPlan) -> None:
    if plan.before is None:
        typer.echo("nothing is applied yet: this is the first revision")
    for line in plan.differences[:MOST_SHOWN]:
        typer.echo(plain(line))
    if len(plan.differences) > MOST_SHOWN:
        typer.echo(f"… and {counted(len(plan.differences) - MOST_SHOWN, 'more difference')}")


def _warn(settings: Settings) -> None:
    for warning in (*settings.warnings, *settings.check_secrets()):
        typer.echo(f"! {plain(str(warning))}", err=True)


def _carry_out(redis: Redis, keys: Keys, plan: ApplyPlan, *, accept: bool) -> int:
    try:
        report = applying.carry_out(redis, keys, plan, progress=_Progress(), accept=accept)
    except KeyboardInterrupt:
        again = " ".join(f"--drain {key}" for key in plan.drain)
        typer.echo(
            f"\ninterrupted: what is draining gets nothing new and goes on by itself. `segsync apply {again}` waits "
            "again; put it back into the file and apply that, and it goes on as before",
            err=True,
        )
        return NEEDS_SOMEONE
    _tell(report)
    return NEEDS_SOMEONE if report.left else FINE


class _Progress:
    """Says what a draining integration still owes, whenever that has changed."""

    def __init__(self) -> None:
        self._last: tuple[str, int] | None = None

    def __call__(self, key: str, owed: int) -> None:
        if self._last is None and owed:
            typer.echo(f"{key} gets nothing new and is being delivered; Ctrl-C stops waiting, not delivering", err=True)
        if self._last != (key, owed):
            typer.echo(
                f"{key} still owes {counted(owed, 'operation')}" if owed else f"{key} owes nothing any more", err=True
            )
        self._last = (key, owed)


def _tell(report: Report) -> None:
    for dropped in report.dropped:
        typer.echo(
            f"dropped {counted(dropped.operations, 'operation')} in {counted(dropped.lanes, 'lane')} of {dropped.key}"
        )
    for key, owed in report.left.items():
        typer.echo(
            f"! {key} got {counted(owed, 'more operation')} while this was published: it is orphaned. Put it "
            f"back into the file, or throw them away with --drop {key}",
            err=True,
        )
    typer.echo(f"revision {report.revision} is applied" if report.changed else f"revision {report.revision}: no change")
