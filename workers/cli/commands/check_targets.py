"""How what `segsync check --connect` finds is printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import typer

from workers.settings.spelling import in_line

if TYPE_CHECKING:
    from workers.preflight.examination import Examination

MARKS: Final = {"fine": "+", "warning": "!", "mistake": "x", "skipped": "-"}


def print_examination(examination: Examination) -> None:
    """A connector's steps, then what was found of its integrations."""
    of_source = examination.connector.startswith("sources.")
    kind = "" if of_source else "connector "
    typer.echo("\n" + in_line(f"{kind}{examination.connector} ({examination.dialect})"))
    for step in examination.steps:
        typer.echo(in_line(f"  {MARKS[step.mark]} {step.name:<8} {step.what}"))
    for finding in examination.findings:
        typer.echo(in_line(f"  {MARKS[finding.level]} {finding}"))
    for line in examination.notes:
        typer.echo(in_line(f"  {MARKS['fine']} {line}"))
    for line in examination.unread:
        typer.echo(in_line(f"  - {line}"))
    if not of_source:
        typer.echo(in_line(f"  {_summary(examination)}"))


def _summary(examination: Examination) -> str:
    if not examination.looked:
        opened = any(step.name == "session" and step.mark == "fine" for step in examination.steps)
        return "no integration uses it" if opened else "its queries were not tried"
    return f"tried the queries of {', '.join(examination.looked)}"
