"""Standard streams that are closed, full or gone: no command ends in a traceback over them."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def prepare() -> None:
    """Gives a command that was started with closed output somewhere to write, and no name ends it.

    Closed standard input stays closed: a command that reads it says so.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: PTH123, SIM115 - for the process's life
        # A name that the terminal cannot show must not end a command.
        getattr(sys, name).reconfigure(errors="backslashreplace")


def give_up(*streams: str) -> None:
    """What is left to be written is dropped: Python would complain once more when it flushes at the end."""
    null = os.open(os.devnull, os.O_WRONLY)
    for name in streams or ("stdout",):
        with suppress(OSError, ValueError):
            os.dup2(null, getattr(sys, name).fileno())
    os.close(null)


def say(text: str, *, err: bool = False) -> None:
    """Writes a line, if it can be written: a supervisor goes on without a reader, and on a full disk."""
    name = "stderr" if err else "stdout"
    stream = getattr(sys, name)
    try:
        stream.write(f"{text}\n")
        stream.flush()
    except (OSError, ValueError):  # ValueError: it was closed
        give_up(name)
