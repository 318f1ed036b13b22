"""Where a run's temporary folders are: in memory, where there is room for them.

Ledgers, targets and servers wait for the disk at each commit, some hundred thousand times in a run, and no test is
about a disk: what is killed finds its files again in memory, too.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import MutableMapping

MEMORY = Path("/dev/shm")  # noqa: S108 - folders in it get names of their own, as in /tmp
ROOM = 4 * 2**30
"""Bytes that must be free: a run of all tests takes a fourth of it."""
CHOSEN = ("TMPDIR", "TEMP", "TMP")
"""Variables by which somebody may have said where temporary folders are."""


def use_memory(environ: MutableMapping[str, str] = os.environ, memory: Path = MEMORY, room: int = ROOM) -> None:
    """From now on this process and what it starts make their temporary folders in memory.

    Nothing changes where somebody has chosen another place, where fewer than `room` bytes are free there, or where
    nothing may be executed there: a server's programs may have to be copied.
    """
    if any(environ.get(name) for name in CHOSEN) or not os.access(memory, os.W_OK):
        return
    there = os.statvfs(memory)
    if there.f_flag & os.ST_NOEXEC or min(there.f_bavail * there.f_frsize, _unused()) < room:
        return
    environ["TMPDIR"] = str(memory)
    tempfile.tempdir = None  # which is asked for once, and kept


def _unused() -> int:
    """Bytes of memory that nobody needs: a file system in memory may be larger than what is left."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
