"""How differences between two configurations are printed: key paths, and below each its old and new text."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import typer

from workers.settings.spelling import counted, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.settings.differences import Difference

MOST_SHOWN: Final = 40
"""Differences that are listed; of the others only how many there are: more than a screen is not read."""
COLOURS: Final = {"+": "green", "-": "red", "@": "cyan"}


def print_differences(found: Sequence[Difference], most: int = MOST_SHOWN) -> None:
    """For people, in colours on a terminal."""
    for each in found[:most]:
        typer.secho(plain(str(each)), bold=sys.stdout.isatty())
        for line in each.lines:
            typer.secho(f"    {plain(line)}", fg=COLOURS.get(line[:1]))
    if len(found) > most:
        typer.echo(f"… and {counted(len(found) - most, 'more difference')}")
