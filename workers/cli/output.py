"""How commands print: tables and lines for people, JSON for programs. No colours where no terminal is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

STYLES: Final = {
    "active": "green",
    "held": "bold red",
    "orphaned": "bold red",
    "paused": "yellow",
    "retrying": "yellow",
}
"""Of what a cell holds as a whole."""


def print_json(value: object) -> None:
    """One JSON value: dataclasses as objects, times in ISO 8601."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2)
    typer.echo(text.decode())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table; a column whose name begins with ">" is aligned to the right."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        name = column.removeprefix(">")
        table.add_column(name, justify="right" if name != column else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    Console(highlight=False).print(table)


def _cell(value: object) -> Text:
    # Text, not markup: a segment may be called "[red]".
    text = shown(value)
    return Text(text, style=STYLES.get(text, ""))


def shown(value: object) -> str:
    """A value for people: numbers with thousands, "-" for None, nothing that a terminal would obey."""
    if value is None:
        return "-"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return plain(str(value))


def plain(text: str) -> str:
    """Text without what a terminal would obey: control characters are written out. Line ends stay."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def age(seconds: float | None) -> str:
    """Seconds in words: 0.3 s, 12 s, 5 min, 3.2 h, 4 d."""
    if seconds is None:
        return "-"
    for limit, divisor, unit in ((60, 1, "s"), (3600, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            number = seconds / divisor
            return f"{number:.1f} {unit}" if number < 10 else f"{number:.0f} {unit}"  # noqa: PLR2004 - two digits
    return f"{seconds / 86_400:.0f} d"
