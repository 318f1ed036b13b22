"""Server processes that a test run starts and that end with it, however it ends.

Each lives in a temporary folder of its own. `stop` is called by the fixture (and by `atexit`); should the
test process die hard (SIGKILL, or pytest-timeout's `os._exit`), a watchdog, a `sh` in a session of its own
that waits for the end of a pipe, ends the server and removes the folder. It is no PR_SET_PDEATHSIG,
because that follows the thread that started the server, exists on Linux only, and leaves the folder.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

# Told nothing before the pipe ends: the test process is gone. $1 pid, $2 signal, $3 folder.
# The pid cannot have been reused: nobody but the test process, its parent, could have reaped it.
WATCHDOG = """
read -r dismissed && exit 0
kill -s "$2" "$1" 2>/dev/null
tries=50
while kill -0 "$1" 2>/dev/null && [ "$tries" -gt 0 ]; do sleep 0.1; tries=$((tries - 1)); done
kill -s KILL "$1" 2>/dev/null
rm -rf "$3"
"""


def freeze(pid: int) -> None:
    """SIGSTOP, and waits until every thread of the process stands.

    kill() returns before they do: a server of many threads answers a question asked at once, one time in thousands.
    """
    os.kill(pid, signal.SIGSTOP)
    until(lambda: set(_states(pid)) <= {"T"}, f"that process {pid} stands")


def _states(pid: int) -> Iterator[str]:
    """The state letters of a process's threads (proc_pid_stat(5)), behind the name in brackets."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            yield (thread / "stat").read_text().rpartition(") ")[2][0]


class ServerError(Exception):
    """A test server cannot be had; the message says why and what helps."""


PORTS = range(12_000, 32_000)
"""Below those that the system gives to whoever connects (32768 on, on Linux): one of them may be taken at any time."""
_ours: list[IO[str]] = []
"""Locks of the ports that this process was given; they go with it, however it ends."""


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens at, and no other process that asks here is given."""
    # One place for whoever asks, wherever its temporary folders are.
    folder = Path("/tmp") / f"segsync-ports-{os.geteuid()}"  # noqa: S108 - of a name of its own
    folder.mkdir(exist_ok=True)
    while True:
        port = random.SystemRandom().choice(PORTS)  # not the dice that tests cast
        lock = (folder / str(port)).open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            lock.close()
            continue
        _ours.append(lock)
        return port


def new_folder(name: str) -> Path:
    """A temporary folder, its path short enough for a Unix socket in it (about 100 bytes)."""
    folder = Path(tempfile.mkdtemp(prefix=f"segsync-{name}-"))
    return folder if len(str(folder)) <= 60 else _shorter(folder, name)


def _shorter(folder: Path, name: str) -> Path:
    folder.rmdir()
    return Path(tempfile.mkdtemp(prefix=f"segsync-{name}-", dir="/tmp"))


def unprivileged_user() -> str | None:
    """Whom a server that refuses to run as root runs as: nobody; None where we are not root anyway."""
    return pwd.getpwnam("nobody").pw_name if os.geteuid() == 0 else None


class ServerProcess:
    """One server: its folder, its process, and the watchdog.

    command       what to run; its output goes to `folder/server.log`
    user          whom to run it as; None for ourselves
    stop_signal   ends it in good order
    orphan_signal what the watchdog sends: the quickest end that leaves nothing behind
    """

    def __init__(
        self,
        folder: Path,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        orphan_signal: str = "KILL",
    ) -> None:
        self.folder = folder
        self._command = list(command)
        self._env = {**os.environ, **(env or {})}
        self._user = user
        self._stop_signal = stop_signal
        self._orphan_signal = orphan_signal
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        atexit.register(self.remove)

    @property
    def pid(self) -> int:
        """The server's process id; ServerError while it does not run."""
        if self._process is None:
            raise ServerError(f"{self._command[0]} is not running")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended by itself."""
        if self._process is None or self._process.poll() is not None:
            self._forget()
            return False
        return True

    def start(self, ready: Callable[[], bool], patience: float = PATIENCE) -> None:
        """Starts it and waits until `ready()`; ServerError with the log's end if it does not come up."""
        with (self.folder / "server.log").open("ab") as log:
            self._process = self._spawn(log)
        self._watchdog = self._watch(self._process.pid)
        deadline = time.monotonic() + patience
        while not ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise ServerError(f"{self._command[0]} did not come up within {patience} s:\n{self.log_end()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Ends it in good order; kills it if that takes more than 20 s."""
        if self.running:
            self._send(self._stop_signal)
            self._reap(20.0)

    def kill(self) -> None:
        """SIGKILL, as a crash would end it."""
        if self.running:
            self._send(signal.SIGKILL)
            self._reap(20.0)

    def pause(self) -> None:
        """SIGSTOP: it hangs, its links stay open. Returns when all its threads stand."""
        freeze(self.pid)

    def resume(self) -> None:
        """SIGCONT."""
        self._send(signal.SIGCONT)

    def remove(self) -> None:
        """Kills it and removes its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.remove)

    def log_end(self, characters: int = 3000) -> str:
        """The end of what the server wrote."""
        return (self.folder / "server.log").read_text(errors="replace")[-characters:]

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        # A session of its own: Ctrl-C in the terminal is for pytest, which then stops the servers in order.
        account = pwd.getpwnam(self._user) if self._user else None
        return subprocess.Popen(
            self._command,
            cwd=self.folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )

    def _watch(self, pid: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["/bin/sh", "-c", WATCHDOG, "watchdog", str(pid), self._orphan_signal, str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )

    def _send(self, signal_number: signal.Signals) -> None:
        os.kill(self.pid, signal_number)

    def _reap(self, patience: float) -> None:
        process = self._process
        if process is not None:
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(patience)
        self._forget()

    def _forget(self) -> None:
        watchdog, self._watchdog, self._process = self._watchdog, None, None
        if watchdog is not None:
            watchdog.communicate(b"dismissed\n")
