"""`segsync doctor`: what would bite in production."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from workers import doctor
from workers.cli.celery_inspect import ask
from workers.cli.commands.check_targets import MARKS
from workers.cli.exit_status import FINE, NEEDS_SOMEONE
from workers.cli.output import print_json
from workers.cli.versions import segsync_version
from workers.settings import load
from workers.settings.spelling import counted, in_line

if TYPE_CHECKING:
    from workers.connectors.inspection import Step


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What `doctor --json` prints: every step, fine ones too.

    ok  whether none is a mistake; warnings are no mistakes
    """

    ok: bool
    version: str
    steps: list[Step]


def run(*, as_json: bool) -> int:
    """Looks at all of it; someone is needed where a step is a mistake. SettingsError, redis.RedisError."""
    steps = list(doctor.steps(load(), ask))
    found = Diagnosis(not any(step.mark == "mistake" for step in steps), segsync_version(), steps)
    if as_json:
        print_json(found)
    else:
        _print(found)
    return FINE if found.ok else NEEDS_SOMEONE


def _print(found: Diagnosis) -> None:
    width = max(len(step.name) for step in found.steps)
    for step in found.steps:
        typer.echo(in_line(f"{MARKS[step.mark]} {step.name:<{width}}  {step.what}"))
    marks = [step.mark for step in found.steps]
    mistakes, warnings = counted(marks.count("mistake"), "mistake"), counted(marks.count("warning"), "warning")
    typer.echo(f"\nsegsync {found.version}: {mistakes}, {warnings}")
