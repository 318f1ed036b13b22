"""Options and arguments that several commands have."""

# Not in a type-checking block: typer reads the annotations when it runs.
import os
from typing import Annotated

import typer

from workers.errors import SegsyncError


def keys_beginning(typed: str) -> list[str]:
    """Integrations' keys for the shell to complete, from the file alone; none where it cannot be read."""
    from workers.settings.includes import merge_includes  # noqa: PLC0415 - only the shell asks for it
    from workers.settings.source import open_source  # noqa: PLC0415 - as above

    try:
        document = merge_includes(open_source(None, os.environ)).document
    except SegsyncError:
        return []
    found = document.get("integrations")
    return [key for key in found if key.startswith(typed)] if isinstance(found, dict) else []


Json = Annotated[bool, typer.Option("--json", help="JSON instead of text for people.")]
Key = Annotated[str, typer.Argument(metavar="K", help="An integration's key.", autocompletion=keys_beginning)]
OfKey = Annotated[
    str | None,
    typer.Option("--integration", metavar="K", help="Only of this integration.", autocompletion=keys_beginning),
]
OfCode = Annotated[str | None, typer.Option("--code", metavar="C", help="Only with this code.")]
OfSegment = Annotated[str | None, typer.Option("--segment", metavar="ID", help="Only of this segment.")]
Ids = Annotated[list[int] | None, typer.Argument(metavar="ID", help="As `quarantine list` shows them.")]
Drain = Annotated[
    list[str] | None,
    typer.Option(metavar="K", help="Deliver what this removed integration still owes, then remove it."),
]
Drop = Annotated[
    list[str] | None, typer.Option(metavar="K", help="Throw away what this removed integration still owes.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Every = Annotated[bool, typer.Option("--all", help="All open entries.")]
State = Annotated[
    str, typer.Option(metavar="S", help="open, retried, delivered, superseded, replaced, dropped or all.")
]
Since = Annotated[str, typer.Option(metavar="T", help="From when on: 24h, 1h30m, yesterday, a date or ISO 8601.")]
Until = Annotated[str, typer.Option(metavar="T", help="Until when, likewise; not including it.")]
Way = Annotated[str, typer.Option("--by", metavar="WAY", help="hour, day or total.")]
Csv = Annotated[bool, typer.Option("--csv", help="CSV, with the columns' names first.")]
Zone = Annotated[str, typer.Option("--tz", metavar="ZONE", help="Of days and times, read and shown.")]
