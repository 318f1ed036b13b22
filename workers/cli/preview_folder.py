"""A folder of events, compared with the .sql files beside them."""

from __future__ import annotations

import difflib
import sys
from collections import defaultdict
from typing import TYPE_CHECKING, Final

import typer

from workers.cli.exit_status import FINE, NEEDS_SOMEONE, WRONG
from workers.errors import WrongUsage
from workers.preflight.preview import MANY_LINES
from workers.preflight.preview_text import sql
from workers.settings.spelling import in_line, plain

if TYPE_CHECKING:
    from pathlib import Path

    from workers.preflight.preview import Previewer

ENDINGS: Final = (".json", MANY_LINES)


def compare(previewer: Previewer, folder: Path, *, write: bool) -> int:
    """All files, whatever is wrong with some; what is wrong with an event counts for more than a difference."""
    status = FINE
    for target, source in _pairs(folder).items():
        try:
            same = _settle(target, sql(previewer.file(source)), write=write)
        except WrongUsage as error:
            typer.echo(in_line(f"segsync: {error}"), err=True)
            status = WRONG
        else:
            status = max(status, FINE if same else NEEDS_SOMEONE)
    return status


def _pairs(folder: Path) -> dict[Path, Path]:
    """The .sql file that belongs to each file of events, by name."""
    found = defaultdict(list)
    try:
        names = sorted(folder.iterdir())
    except OSError as error:
        raise WrongUsage(f"{folder}: cannot be read: {error.strerror}") from None
    for path in names:
        if path.suffix in ENDINGS:
            found[path.with_suffix(".sql")].append(path)
    if not found:
        raise WrongUsage(f"{folder}: holds no *.json and no *.jsonl; expected events")
    for target, sources in found.items():
        if len(sources) > 1:
            raise WrongUsage(f"{target} would belong to {sources[0].name} and {sources[1].name}; rename one")
    return {target: sources[0] for target, sources in found.items()}


def _settle(target: Path, text: str, *, write: bool) -> bool:
    """Whether the .sql file holds this text in the end; else the difference is printed."""
    try:
        before = target.read_bytes() if target.exists() else None
        if before == text.encode():
            return True
        if not write:
            say(_difference(target, before, text))
            return False
        target.write_bytes(text.encode())
    except OSError as error:
        raise WrongUsage(f"{target}: {error.strerror}") from None
    typer.echo(plain(f"{target} {'is written' if before is None else 'is updated'}"))
    return True


def _difference(target: Path, before: bytes | None, text: str) -> str:
    kept = [] if before is None else before.decode(errors="backslashreplace").split("\n")
    missing = " (missing)" if before is None else ""
    # Not splitlines: values may hold line ends of other kinds, and those are no lines of the file.
    lines = difflib.unified_diff(kept, text.split("\n"), f"{target}{missing}", f"{target} (now)", lineterm="")
    return "\n".join(lines) + "\n"


def say(text: str) -> None:
    """As it is for a file or a program; a terminal gets nothing that it would obey."""
    typer.echo(plain(text) if sys.stdout.isatty() else text, nl=False)
