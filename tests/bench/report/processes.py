"""What processes cost, told by /proc: processor seconds and memory, of a process and its children."""

from __future__ import annotations

import os
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """The process and all below it; those that end meanwhile are left out."""
    found = [pid]
    for child in _children(pid):
        found += family(child)
    return found


def cpu_seconds(pid: int) -> float:
    """Processor time of a process, of its children, and of those children that have ended."""
    return sum(_spent(each) for each in family(pid))


def resident_bytes(pid: int) -> int:
    """Memory of one process that is nobody else's, with its share of what it shares (Pss)."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:  # it has ended
        return 0
    return sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(each) for each in (task / "children").read_text().split()]
    except OSError:  # it has ended
        return []
    return found


def _spent(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended
        return 0.0
    # Of the fields behind the name: utime, stime, and those of children that were waited for (man 5 proc).
    return sum(int(each) for each in fields[11:15]) / TICKS_PER_SECOND
