"""How commands print: tables and lines for people, JSON for programs. No colours where no terminal is."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
import typer
from rich.bar import Bar as Blocks
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from workers.settings.spelling import in_line, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

STYLES: Final = {
    "active": "green",
    "draining": "yellow",
    "held": "bold red",
    "orphaned": "bold red",
    "paused": "yellow",
    "retrying": "yellow",
    "waiting": "cyan",
}
"""Of what a cell holds as a whole."""
READABLE_CHARACTERS: Final = 14
"""A column of text that is folded narrower than that is read letter by letter."""


MOST_CHARACTERS: Final = 1_000
"""Of one cell; of a profile's id the ledger keeps as many."""


def print_json(value: object) -> None:
    """One JSON value: dataclasses as objects, times in ISO 8601."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    typer.echo("".join(each if each.isprintable() or each == "\n" else _escaped(each) for each in text))


def _escaped(character: str) -> str:
    # What JSON allows within a text and a terminal would obey, such as a change of direction.
    return json.dumps(character)[1:-1]


def print_csv(kind: type[Any], rows: Iterable[Any]) -> None:
    """Dataclasses as CSV (RFC 4180), the fields' names first; times in ISO 8601, lists with blanks, None empty."""
    names = [field.name for field in fields(kind)]
    out = csv.writer(sys.stdout)
    out.writerow(names)
    out.writerows([_csv_cell(getattr(row, name)) for name in names] for row in rows)
    sys.stdout.flush()


def _csv_cell(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    told = " ".join(map(str, value)) if isinstance(value, list) else value
    # A program gets what people wrote as it is, a terminal nothing that it would obey.
    return plain(told) if isinstance(told, str) and sys.stdout.isatty() else told


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of a plot: how many succeeded, which is its length, and how many did not."""

    label: str
    length: int = 0
    wrong: int = 0


def print_bars(bars: Sequence[Bar]) -> None:
    """A bar for each, the longest as wide as the terminal leaves."""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1, 0, 0), expand=True)
    for ratio in (None, 1, None, None):
        table.add_column(ratio=ratio, no_wrap=True, justify="left" if ratio else "right")
    most = max((bar.length for bar in bars), default=0) or 1
    for bar in bars:
        wrong = Text(f"{bar.wrong:,} failed", style="red") if bar.wrong else Text("")
        table.add_row(Text(bar.label), Blocks(most, 0, bar.length), Text(f"{bar.length:,}"), wrong)
    Console(highlight=False).print(table)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table; where it does not fit the terminal, each row as lines of its own.

    A column whose name begins with ">" holds numbers: it is aligned to the right and never broken. One whose name
    begins with "?" is left out while nothing stands in it but 0 and None.
    """
    cells = [[*row] for row in rows]
    kept = [n for n, name in enumerate(columns) if name[0] != "?" or any(row[n] not in (0, None) for row in cells)]
    names = [columns[n].removeprefix("?") for n in kept]
    texts = [[shown(row[n]) for n in kept] for row in cells]
    console = Console(highlight=False)
    if _least_width(names, texts) > console.width:
        console.print(_stacked(names, texts))
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for name in names:
        number = name[0] == ">"
        table.add_column(name.lstrip(">"), justify="right" if number else "left", overflow="fold", no_wrap=number)
    for row in texts:
        table.add_row(*map(_cell, row))
    console.print(table)


def _least_width(names: Sequence[str], texts: Sequence[Sequence[str]]) -> int:
    """Columns that the table needs: numbers whole, other cells folded to READABLE_CHARACTERS at least."""
    total = len(names) - 1
    for n, name in enumerate(names):
        longest = max((cell_len(row[n]) for row in texts), default=0)
        total += max(len(name.lstrip(">")), longest if name[0] == ">" else min(longest, READABLE_CHARACTERS))
    return total


def _stacked(names: Sequence[str], texts: Sequence[Sequence[str]]) -> Text:
    """Each row as lines of names and values."""
    width = max(len(name.lstrip(">")) for name in names)
    blocks = []
    for row in texts:
        lines = [
            Text.assemble(f"{name.lstrip('>'):<{width}}  ", _cell(text)) for name, text in zip(names, row, strict=True)
        ]
        blocks.append(Text("\n").join(lines))
    return Text("\n\n").join(blocks)


def _cell(text: str) -> Text:
    # Text, not markup: a segment may be called "[red]".
    return Text(text, style=STYLES.get(text, ""))


def shown(value: object) -> str:
    """A value for people: numbers with thousands, "-" for None, nothing that a terminal would obey.

    Of a longer text than MOST_CHARACTERS the beginning, and how much there is: a key may have any length.
    """
    if value is None:
        return "-"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    text = str(value)
    if len(text) > MOST_CHARACTERS:
        return in_line(f"{text[:MOST_CHARACTERS]}… ({len(text):,} characters)")
    return in_line(text)
