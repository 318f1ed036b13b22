"""Processes that are killed at a place of the code: `python -m tests.integration.resync.dying FILE SIZES`.

Each line that it reads is what a process does, a place, and how often that is reached before: `deliver after-commit 2`.
Each line that it writes is how that process ended, as subprocess says it. They are forked from one that has read the
code already, and has no threads: a test could not fork itself, and to start each by itself would take a second.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from workers import failpoints
from workers.runtime import Runtime
from workers.settings import load_local

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.installation import Installation


class Dying:
    """Ends processes of an installation.

    sizes  what the test's own process has, too: module of `workers.resync` and name
    """

    def __init__(self, installation: Installation, sizes: Mapping[str, int]) -> None:
        command = [sys.executable, "-m", "tests.integration.resync.dying", str(installation.file), json.dumps(sizes)]
        root = Path(__file__).parents[3]
        self._popen = subprocess.Popen(
            command, env=installation.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root
        )

    def at(self, place: str, times: int, work: str) -> int:
        """Does a work in a process that dies when it comes to a place for so many times; how it ended."""
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._popen.stdin.write(f"{work} {place} {times}\n")
        self._popen.stdin.flush()
        return int(self._popen.stdout.readline())

    def close(self) -> None:
        """No more of them."""
        self._popen.communicate()


def main(file: str, sizes: str) -> None:
    """Does what each line says, in a process of its own."""
    for name, value in json.loads(sizes).items():
        module, _, constant = name.partition(".")
        setattr(import_module(f"workers.resync.{module}"), constant, value)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _die(Path(file), *line.split())
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n")
        sys.stdout.flush()


def _die(file: Path, work: str, place: str, times: str) -> None:
    failpoints._point, failpoints._left = place, int(times)
    try:
        runtime = Runtime(load_local(file))
        if work == "route":
            runtime.route("dying", 0)
        elif work == "deliver":
            runtime.deliver("crm", "dying", 0)
        else:
            runtime.resync("dying", 0)
        os._exit(0)
    except BaseException:  # noqa: BLE001 - whatever it is, the parent is to see that it was no kill
        traceback.print_exc()
        os._exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
