"""Child processes that end with us: started, watched, started again when they die, and ended together.

Each leads a process group of its own, so that Ctrl-C in the terminal reaches only us. We end them in good order:
SIGTERM once, and SIGKILL to the whole group after a time of grace.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Final

from workers.errors import SegsyncError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

GRACE_SECONDS: Final = 25.0
"""What a worker gets to finish what it is doing; its own soft shutdown takes 20 s at most (celeryconfig.py)."""
FIRST_PAUSE: Final = 1.0
"""Seconds before a child that died starts again; each further death in a row doubles them."""
LONGEST_PAUSE: Final = 30.0
"""Seconds at the most: what was mended should not be waited for."""
STEADY_SECONDS: Final = 60.0
"""A child that ran for so long has died for the first time when it dies."""
LOOK_EVERY_SECONDS: Final = 0.05
"""Seconds between two looks whether the children have ended."""
LAST_BYTES: Final = 2_000
"""Of a log, in which the last line is looked for."""

PR_SET_PDEATHSIG: Final = 1
"""Linux: the signal that a process gets when its parent has died."""
# Loaded here, since nothing may be imported between fork and exec.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class ChildFailed(SegsyncError):
    """A child did not come up; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Program:
    """What a child runs.

    name     as people see it
    command  program and arguments
    stays    whether it is started again when it ends
    last     whether it is ended only after the others, which need it
    orphan   what the kernel sends it when we are killed. SIGKILL, which segsync is made for: a worker that ends in
             good order waits for its Redis, which has gone with us. Its pool ends when its pipes do.
    """

    name: str
    command: Sequence[str]
    stays: bool = True
    last: bool = False
    orphan: signal.Signals = signal.SIGKILL


@dataclass(slots=True, eq=False)
class Child:
    """One child process.

    folder   its working directory; its output goes to `logs/` in it
    environ  its environment
    """

    program: Program
    folder: Path
    environ: Mapping[str, str]
    deaths: int = 0
    started: float = 0.0
    again: float | None = None
    renewed: bool = False
    _process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self.folder / "logs" / f"{self.program.name.replace(' ', '-')}.log"

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Starts it."""
        with _opened(self.log) as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own commands
                self.program.command,
                cwd=self.folder,
                env=dict(self.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
                # Only the kernel can end it when we are killed. Between fork and exec stands nothing but system calls.
                preexec_fn=_bound_to_us(self.program.orphan, os.getpid()),  # noqa: PLW1509 - as above
            )
        self.started, self.again, self.renewed = time.monotonic(), None, False

    def renew(self, program: Program) -> None:
        """Ends it in good order; `Children.look` starts it again as this program."""
        self.program, self.renewed = program, True
        self.terminate()

    def ended(self) -> int | None:
        """Its exit status (negative: a signal), once after it has ended; else None."""
        status = self._process.poll() if self._process else None
        if status is not None:
            self._process = None
        return status

    def terminate(self) -> None:
        """SIGTERM, to it alone: a worker ends its pool itself."""
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """SIGKILL to its whole group."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def last_words(self) -> str:
        """The last line it wrote, or ""."""
        try:
            with self.log.open("rb") as log:
                # Its end alone: what runs for months has written gigabytes.
                log.seek(-min(LAST_BYTES, log.seek(0, os.SEEK_END)), os.SEEK_END)
                lines = log.read().decode(errors="replace").split("\n")
        except OSError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def pause_before_restart(self) -> float:
        """Seconds; longer each time that it dies soon."""
        if self.renewed:
            return 0.0
        steady = time.monotonic() - self.started > STEADY_SECONDS
        self.deaths = 1 if steady else self.deaths + 1
        # The exponent ends, too: a child that dies all night long comes to powers that are no float any more.
        return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self.deaths - 1, 10))


def _opened(log: Path) -> IO[bytes]:
    """Where a child writes; nowhere, rather than no child, where that cannot be."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        return log.open("ab")
    except OSError:
        return open(os.devnull, "ab")  # noqa: PTH123 - no path of ours


def _bound_to_us(number: signal.Signals, parent: int) -> Callable[[], None] | None:
    if _libc is None:
        return None
    prctl = _libc.prctl

    def bind() -> None:
        prctl(PR_SET_PDEATHSIG, int(number))
        if os.getppid() != parent:  # we were killed before that
            os._exit(1)

    return bind


class Children:
    """Several children, watched by one thread.

    say  told one line for each event
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._children: list[Child] = []

    def __len__(self) -> int:
        return len(self._children)

    def start(self, child: Child) -> None:
        """Starts one more."""
        if child not in self._children:
            self._children.append(child)
        child.start()
        self._say(f"started {child.program.name} (pid {child.pid})")

    def deaths(self) -> int:
        """How often in a row that child has died which has died most."""
        return max((child.deaths for child in self._children), default=0)

    def look(self) -> list[Child]:
        """Starts again what has died and had its pause; returns what has died just now."""
        died = []
        for child in self._children:
            status = child.ended()
            if status is not None:
                died.append(child)
                self._bury(child, status)
            if child.again is not None and time.monotonic() >= child.again:
                child.start()
                self._say(f"restarted {child.program.name} (pid {child.pid})")
        return died

    def _bury(self, child: Child, status: int) -> None:
        if not child.program.stays:
            self._say(f"{child.program.name} ended ({spell_status(status)})")
            return
        pause = child.pause_before_restart()
        child.again = time.monotonic() + pause
        if pause:
            words = child.last_words()
            self._say(f"{child.program.name} died ({spell_status(status)}), starts again in {pause:g} s: {words}")

    def stop(self, hurry: Callable[[], bool] = lambda: False, grace: float = GRACE_SECONDS) -> None:
        """Ends them all, those that others need at the end; `hurry` says whether to wait no longer."""
        for last in (False, True):
            stopping = [child for child in self._children if child.program.last is last and child.pid]
            for child in stopping:
                child.terminate()
            _wait_for(stopping, hurry, grace)
            for child in stopping:
                if child.pid:
                    self._say(f"killed {child.program.name}, which did not end by itself")
                child.kill()
        self._children.clear()


def _wait_for(children: list[Child], hurry: Callable[[], bool], grace: float) -> None:
    ends = time.monotonic() + grace
    while time.monotonic() < ends and not hurry():
        for child in children:
            child.ended()
        if not any(child.pid for child in children):
            return
        time.sleep(LOOK_EVERY_SECONDS)


def spell_status(status: int) -> str:
    """An exit status in words."""
    return f"exit status {status}" if status >= 0 else signal.Signals(-status).name
