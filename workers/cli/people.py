"""Who calls a command, and whether they mean it."""

from __future__ import annotations

import getpass
import socket
import sys

import typer

from workers.control.acting import Actor


def somebody() -> str:
    """User and host, for what is written down of a command."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # a container's user may have no name
        return socket.gethostname()


def caller() -> Actor:
    """Whoever calls a command, for the audit log."""
    return Actor(somebody())


def is_meant(question: str, *, yes: bool, default: bool = False) -> bool:
    """Whether to go on: asked on a terminal; a script, or who said --yes, has decided already."""
    if yes or sys.stdin is None or not sys.stdin.isatty():
        return True
    return typer.confirm(question, default=default)
