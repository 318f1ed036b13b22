"""`segsync init`: a complete integration to begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from workers.cli import presets
from workers.cli.exit_status import FINE
from workers.errors import WrongUsage

if TYPE_CHECKING:
    from pathlib import Path


def run(dialect: str, output: Path | None, *, only_sql: bool) -> int:
    """Writes the preset to stdout, or to a file that is not there yet; WrongUsage for one that is."""
    if dialect not in presets.PRESETS:
        raise WrongUsage(f"--dialect {dialect[:60]!r} has no preset; expected one of {', '.join(presets.PRESETS)}")
    text = presets.sql(dialect) if only_sql else presets.toml(dialect)
    if output is None:
        typer.echo(text, nl=False)
    else:
        _write(output, text)
        typer.echo(f"{output} is written")
    return FINE


def _write(path: Path, text: str) -> None:
    """Opened so that a file that is there, or comes to be there at this moment, stays as it is."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise WrongUsage(f"--output {str(path)!r} is there already, and stays; expected a new file's name") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else "its name is no path"
        raise WrongUsage(f"--output {str(path)!r} cannot be written: {reason}") from None
