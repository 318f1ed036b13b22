"""`segsync apply`: checks the file, shows the difference, publishes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from workers.cli.difference_lines import print_differences
from workers.cli.exit_status import FINE, NEEDS_SOMEONE
from workers.cli.people import caller, is_meant
from workers.control import apply as applying
from workers.control.acting import recorded
from workers.lanes.keys import Keys
from workers.settings import load
from workers.settings.differences import summary
from workers.settings.spelling import counted, plain
from workers.settings.standing import behind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis import Redis

    from workers.control.apply import ApplyPlan, Report
    from workers.settings import Settings


@dataclass(frozen=True, slots=True)
class Manner:
    """How the file is applied.

    connect  only where each target agrees, as `check --connect` asks it
    dry_run  not at all: what differs is shown
    yes      without asking
    accept   another ledger, or a Redis that was emptied, is meant to be so
    """

    connect: bool = False
    dry_run: bool = False
    yes: bool = False
    accept: bool = False


def run(drain: Sequence[str], drop: Sequence[str], how: Manner) -> int:
    """Publishes the file, after asking on a terminal; needs someone where it was refused or not brought to its end."""
    settings = load()
    redis, keys = settings.local.redis.client(), Keys(settings.local.namespace)
    plan = applying.plan(redis, keys, settings, drain, drop)
    if plan.before is None:
        typer.echo("nothing is applied yet: this is the first revision")
    print_differences(plan.differences)
    _warn(settings)
    late = behind(redis, keys, settings)
    if late is not None:
        typer.echo(f"! {plain(late.sentence)}", err=True)
    if how.connect and not _targets_agree(settings):
        typer.echo("a target does not agree; nothing was published", err=True)
        return NEEDS_SOMEONE
    if how.dry_run:
        typer.echo("this was a dry run: nothing was published")
        return FINE
    return confirm_and_carry_out(redis, keys, plan, yes=how.yes, accept=how.accept, doubtful=late is not None)


def confirm_and_carry_out(
    redis: Redis, keys: Keys, plan: ApplyPlan, *, yes: bool, accept: bool = False, doubtful: bool = False
) -> int:
    """Publishes a plan that was shown, after asking on a terminal; `doubtful`: whoever just presses Enter says no."""
    lost = sum(plan.dropped.values())
    question = f"Throw away {counted(lost, 'operation')}, and publish this?" if lost else "Publish this?"
    if (plan.differences or plan.drop) and not is_meant(question, yes=yes, default=not (lost or doubtful)):
        typer.echo("nothing was published")
        return NEEDS_SOMEONE
    return _carry_out(redis, keys, plan, accept=accept)


def _targets_agree(settings: Settings) -> bool:
    # sqlglot and SQLAlchemy take 0.3 s to load.
    from workers.cli.commands.check_targets import print_examination  # noqa: PLC0415
    from workers.preflight.targets import examine_all  # noqa: PLC0415

    found = examine_all(settings)
    for each in found:
        print_examination(each)
    return not any(each.wrong for each in found)


def _warn(settings: Settings) -> None:
    for warning in (*settings.warnings, *settings.check_secrets()):
        typer.echo(f"! {plain(str(warning))}", err=True)


def _carry_out(redis: Redis, keys: Keys, plan: ApplyPlan, *, accept: bool) -> int:
    try:
        with recorded(
            redis, keys, caller(), plan.note.partition(" ")[0] or "apply", summary(plan.differences), reason=plan.note
        ):
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
