"""Processes that begin with their libraries loaded: `python -m MODULE`, forked from one that has loaded them.

Half of what a worker or a command takes of a processor to start is to load Celery and SQLAlchemy, and a run of all
tests starts some hundreds. What is ours is loaded by each process itself, from its own environment. With SEGSYNC_PROOF
every process is a new interpreter, and so it is where the environment changes what an interpreter does.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from tests.proof import ENVIRONMENT
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SCRIPT = Path(__file__).with_name("nursing.py")
AN_INTERPRETERS = ("PYTHON", "LD_", "LC_", "LANG", "TZ", "MALLOC_")
"""Variables with these beginnings are read when an interpreter starts."""
UNBUFFERED = "PYTHONUNBUFFERED"
"""But this one a forked process can still follow."""
POOLS = {"-P", "--pool"}
"""Celery's option that may change the libraries themselves before they are loaded."""


class Running(Protocol):
    """What `subprocess.Popen` and `Born` have in common."""

    pid: int
    returncode: int | None

    def poll(self) -> int | None:
        """Its exit status, if it has ended."""

    def wait(self, timeout: float) -> int:
        """Its exit status; subprocess.TimeoutExpired."""

    def send_signal(self, sig: int) -> None:
        """Nothing where it has ended."""


class Born:
    """A forked process. As subprocess.Popen says it: minus the signal that ended it is its exit status."""

    def __init__(self, pid: int, command: Sequence[str], end: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._command = list(command)
        self._end = end

    def __del__(self) -> None:
        """What nobody waited for."""
        if self.returncode is None:
            os.close(self._end)

    def poll(self) -> int | None:
        """Its exit status, if it has ended."""
        return self._look(0)

    def wait(self, timeout: float) -> int:
        """Its exit status; subprocess.TimeoutExpired where it still runs after so many seconds."""
        if (status := self._look(timeout)) is None:
            raise subprocess.TimeoutExpired(self._command, timeout)
        return status

    def send_signal(self, sig: int) -> None:
        """Nothing where it has ended."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def _look(self, seconds: float) -> int | None:
        if self.returncode is None and self._has_ended(seconds):
            told = os.read(self._end, 100)
            os.close(self._end)
            self.returncode = int(told) if told else -signal.SIGKILL  # its nursery was killed, and it with that
        return self.returncode

    def _has_ended(self, seconds: float) -> bool:
        # Not select(), which knows no file beyond the first 1,024 of a process.
        end = select.poll()
        end.register(self._end, select.POLLIN)
        return bool(end.poll(seconds * 1000))


class Nursery:
    """Forks processes from one of its own, which the first that is wanted starts, and which ends with this process."""

    def __init__(self) -> None:
        self._asking = threading.Lock()
        self._requests: socket.socket | None = None
        self._variables: dict[str, str] = {}

    def start(self, command: Sequence[str], environ: Mapping[str, str], out: IO[bytes]) -> Running:
        """A process in a session of its own, at work in /, without stdin; all that it writes goes to `out`."""
        if self._can_fork(command, environ):
            with Path(os.devnull).open("rb") as nothing:
                return self._fork(command, environ, (nothing, out, out), "/", session=True)
        return subprocess.Popen(
            command, env=environ, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, cwd="/"
        )

    def done(
        self, command: Sequence[str], environ: Mapping[str, str], stdin: str = "", cwd: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """One that is given `stdin`, run to its end; TimeoutExpired, and it is killed, after PATIENCE.

        cwd  where it works; "" for here
        """
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(stdin.encode())
            given.seek(0)
            if self._can_fork(command, environ):
                process: Running = self._fork(
                    command, environ, (given, out, err), cwd or str(Path.cwd()), session=False
                )
            else:
                process = subprocess.Popen(command, env=environ, stdin=given, stdout=out, stderr=err, cwd=cwd or None)
            try:
                status = process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait(PATIENCE)
                raise
            return subprocess.CompletedProcess(command, status, _text(out), _text(err))

    def _can_fork(self, command: Sequence[str], environ: Mapping[str, str]) -> bool:
        if os.environ.get(ENVIRONMENT) or list(command[:2]) != [sys.executable, "-m"] or POOLS.intersection(command):
            return False
        if self._requests is None:
            self._requests, self._variables = _begun(), _of_interpreters(os.environ)
        return _of_interpreters(environ) == self._variables

    def _fork(
        self, command: Sequence[str], environ: Mapping[str, str], files: Sequence[IO[bytes]], cwd: str, *, session: bool
    ) -> Born:
        assert self._requests is not None
        wanted = {"module": command[2], "arguments": command[3:], "environ": dict(environ)}
        text = json.dumps({**wanted, "cwd": cwd, "session": session}).encode()
        end, told = os.pipe()
        try:
            with self._asking:
                socket.send_fds(self._requests, [text], [*(f.fileno() for f in files), told])
                pid = int(self._requests.recv(100))
        finally:
            os.close(told)
        return Born(pid, command, end)


def _begun() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
    atexit.register(_end, process, ours)
    assert ours.recv(100) == b"ready", f"{SCRIPT} did not start"
    return ours


def _of_interpreters(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name.startswith(AN_INTERPRETERS) and name != UNBUFFERED}


def _end(process: subprocess.Popen[bytes], requests: socket.socket) -> None:
    if process.poll() is None:
        requests.close()
        process.wait(PATIENCE)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n")


nursery = Nursery()
"""The one of this process."""
