"""Options and arguments that several commands have."""

# Not in a type-checking block: typer reads the annotations when it runs.
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="JSON instead of text for people.")]
Key = Annotated[str, typer.Argument(metavar="K", help="An integration's key.")]
OfKey = Annotated[str | None, typer.Option("--integration", metavar="K", help="Only of this integration.")]
OfCode = Annotated[str | None, typer.Option("--code", metavar="C", help="Only with this code.")]
Ids = Annotated[list[int] | None, typer.Argument(metavar="ID", help="As `quarantine list` shows them.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Every = Annotated[bool, typer.Option("--all", help="All open entries.")]
State = Annotated[
    str, typer.Option(metavar="S", help="open, retried, delivered, superseded, replaced, dropped or all.")
]
Since = Annotated[str, typer.Option(metavar="T", help="From when on: an age (24h, 30m, 7d) or a time (ISO 8601).")]
