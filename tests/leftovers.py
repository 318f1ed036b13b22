"""Which processes of an installation still run: those that work in its folder, or by its file."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.waiting import PATIENCE


def processes_of(folder: Path) -> list[int]:
    """Pids of running processes whose working directory, or whose SEGSYNC_CONFIG, is in the folder."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _belongs(entry, folder)]


def wait_until_gone(folder: Path, seconds: float = PATIENCE) -> list[int]:
    """What still runs after so long: [] as soon as nothing does."""
    ends = time.monotonic() + seconds
    while (left := processes_of(folder)) and time.monotonic() < ends:
        time.sleep(0.1)
    return left


def _belongs(process: Path, folder: Path) -> bool:
    if int(process.name) == os.getpid():
        return False
    try:
        return (process / "cwd").readlink().is_relative_to(folder) or _config_in(process, folder)
    except OSError:  # it has ended meanwhile, or is a zombie
        return False


def _config_in(process: Path, folder: Path) -> bool:
    return b"SEGSYNC_CONFIG=" + bytes(folder) + b"/" in (process / "environ").read_bytes()
