"""`segsync revisions`, `diff` and `rollback`: what was applied, by whom, and how to go back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from workers.cli.commands.apply import confirm_and_carry_out
from workers.cli.difference_lines import print_differences
from workers.cli.exit_status import FINE, NEEDS_SOMEONE
from workers.cli.output import print_json, print_table
from workers.control import going_back
from workers.lanes.keys import Keys
from workers.settings import load, load_local, revisions
from workers.settings.differences import Difference, compared
from workers.settings.published import what_is_applied

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis import Redis


@dataclass(frozen=True, slots=True)
class Compared:
    """What `diff --json` prints; `to` is the file's name where it is compared with the file."""

    of: int
    to: str
    differences: list[Difference]


def listed(*, as_json: bool) -> int:
    """Prints all that are kept, the newest first."""
    local = load_local()
    rows = revisions.listed(local.redis.client(), Keys(local.namespace))
    if as_json:
        print_json(rows)
    elif not rows:
        typer.echo("no revision is kept yet; the next `segsync apply` keeps one")
    else:
        columns = (">revision", "at", "by", "?note", "changed")
        print_table(columns, ((r.revision, r.at, r.by, r.note or None, _changed(r.changed)) for r in rows))
    return FINE


def _changed(paths: list[str]) -> str:
    shown = ", ".join(path[2:] for path in paths[:2])
    return f"{shown} and {len(paths) - 2} more" if len(paths) > 2 else shown or "-"  # noqa: PLR2004 - what fits a cell


def diff(first: int | None, second: int | None, *, as_json: bool) -> int:
    """Prints how the file differs from what is applied, or from a revision; or two revisions. 1 where they differ."""
    local = load_local()
    redis, keys = local.redis.client(), Keys(local.namespace)
    number, before = _text(redis, keys, first)
    if second is None:
        settings = load()
        to, after = str(settings.local.path), settings.published()
    else:
        to, after = f"revision {second}", revisions.find(redis, keys, second).text
    found = compared(before, after)
    if as_json:
        print_json(Compared(number, to, found))
    elif not found:
        typer.echo(f"revision {number} and {to}: no difference")
    else:
        print_differences(found, most=len(found))
    return NEEDS_SOMEONE if found else FINE


def _text(redis: Redis, keys: Keys, number: int | None) -> tuple[int, str]:
    if number is not None:
        return number, revisions.find(redis, keys, number).text
    applied = what_is_applied(redis, keys)
    return applied.revision, applied.text


def rollback(number: int, *, drain: Sequence[str], drop: Sequence[str], yes: bool) -> int:
    """Applies an earlier revision once more, as a new one; the file stays as it is."""
    local = load_local()
    redis, keys = local.redis.client(), Keys(local.namespace)
    plan = going_back.plan_back(redis, keys, local, number, drain=drain, drop=drop, by_file=True)
    print_differences(plan.differences)
    status = confirm_and_carry_out(redis, keys, plan, yes=yes)
    typer.echo(
        f"{local.path} stays as it is: `segsync config pull` writes this into it, or the next apply publishes it"
    )
    return status
