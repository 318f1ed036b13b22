"""`segsync apply`: checks the file, shows the difference, publishes it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import typer

from workers.cli.difference_lines import print_differences
from workers.cli.exit_status import FINE, NEEDS_SOMEONE
from workers.cli.output import print_json
from workers.cli.people import caller, is_meant
from workers.control import apply as applying
from workers.control.acting import recorded
from workers.control.leaving import check_emptied, empty, leaving_by, said_of
from workers.errors import WrongUsage
from workers.lanes.keys import Keys
from workers.settings import load
from workers.settings.differences import summary
from workers.settings.spelling import counted, in_line
from workers.settings.standing import behind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from redis import Redis

    from workers.control.apply import ApplyPlan, Dropped, Report
    from workers.settings import Settings
    from workers.settings.differences import Difference


@dataclass(frozen=True, slots=True)
class Manner:
    """How the file is applied.

    connect  only where each target agrees, as `check --connect` asks it
    dry_run  not at all: what differs is shown
    yes      without asking
    accept   another ledger, or a Redis that was emptied, is meant to be so
    as_json  told as `AppliedReport`; nobody is asked then
    emptied  integrations that leave their ad accounts, and whose people shall leave with them
    """

    connect: bool = False
    dry_run: bool = False
    yes: bool = False
    accept: bool = False
    as_json: bool = False
    emptied: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class AppliedReport:
    """What `--json` prints.

    revision     of the applied configuration, after it; None while nothing is applied
    changed      whether it is a new one
    differences  between what was applied before and the file
    dropped      what was thrown away; `left` of removed integrations, what came to them at the last moment
    """

    revision: int | None
    changed: bool
    differences: list[Difference]
    dropped: list[Dropped] = field(default_factory=list)
    left: Mapping[str, int] = field(default_factory=dict)


def run(drain: Sequence[str], drop: Sequence[str], how: Manner) -> int:
    """Publishes the file, after asking on a terminal; needs someone where it was refused or not brought to its end."""
    settings = load()
    redis, keys = settings.local.redis.client(), Keys(settings.local.namespace)
    plan = applying.plan(redis, keys, settings, drain, drop)
    if not how.as_json:
        _show(plan)
    _warn(settings)
    gone = leaving_by(plan)
    check_emptied(gone, how.emptied, settings)
    for sentence in said_of(gone, how.emptied):
        typer.echo(f"! {in_line(sentence)}", err=True)
    late = behind(redis, keys, settings)
    if late is not None:
        typer.echo(f"! {in_line(late.sentence)}", err=True)
    if how.connect and not _targets_agree(settings):
        typer.echo("a target does not agree; nothing was published", err=True)
        return NEEDS_SOMEONE
    if how.as_json:
        status = _as_json(redis, keys, plan, how)
    elif how.dry_run:
        typer.echo("this was a dry run: nothing was published")
        return FINE
    else:
        status = confirm_and_carry_out(redis, keys, plan, yes=how.yes, accept=how.accept, doubtful=late is not None)
    if status == FINE and not how.dry_run:
        _empty(redis, keys, settings, gone, how.emptied)
    return status


def _empty(redis: Redis, keys: Keys, settings: Settings, gone: Mapping[str, str], emptied: Sequence[str]) -> None:
    for key, audiences in empty(redis, keys, settings, gone, emptied).items():
        where = f"{counted(audiences, 'audience')} of {gone[key]}"
        typer.echo(
            in_line(f"the people of {key} leave {where}; `segsync audiences {gone[key]}` says how far"), err=True
        )


def _show(plan: ApplyPlan) -> None:
    if plan.before is None:
        typer.echo("nothing is applied yet: this is the first revision")
    print_differences(plan.differences)


def _as_json(redis: Redis, keys: Keys, plan: ApplyPlan, how: Manner) -> int:
    """A program has decided already; a person at a terminal says --yes."""
    before = plan.before.revision if plan.before else None
    if how.dry_run:
        print_json(AppliedReport(before, changed=False, differences=plan.differences))
        return FINE
    if not how.yes and sys.stdin is not None and sys.stdin.isatty():
        raise WrongUsage("--json asks nobody; expected --yes beside it on a terminal")
    report = _carried_out(redis, keys, plan, accept=how.accept)
    if report is None:
        return NEEDS_SOMEONE
    print_json(AppliedReport(report.revision, report.changed, plan.differences, report.dropped, report.left))
    return NEEDS_SOMEONE if report.left else FINE


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
        typer.echo(f"! {in_line(str(warning))}", err=True)


def _carry_out(redis: Redis, keys: Keys, plan: ApplyPlan, *, accept: bool) -> int:
    report = _carried_out(redis, keys, plan, accept=accept)
    if report is None:
        return NEEDS_SOMEONE
    _tell(report)
    return NEEDS_SOMEONE if report.left else FINE


def _carried_out(redis: Redis, keys: Keys, plan: ApplyPlan, *, accept: bool) -> Report | None:
    """What was done; None where Ctrl-C has come before its end, which is told."""
    try:
        with recorded(
            redis, keys, caller(), plan.note.partition(" ")[0] or "apply", summary(plan.differences), reason=plan.note
        ):
            return applying.carry_out(redis, keys, plan, progress=_Progress(), accept=accept)
    except KeyboardInterrupt:
        again = " ".join(f"--drain {key}" for key in plan.drain)
        typer.echo(
            f"\ninterrupted: what is draining gets nothing new and goes on by itself. `segsync apply {again}` waits "
            "again; put it back into the file and apply that, and it goes on as before",
            err=True,
        )
        return None


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
