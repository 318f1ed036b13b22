"""The process that `tests/nursery.py` starts: it has loaded libraries, and forks whatever is to be run with them.

It is a script of the standard library alone, and what it forks finds no trace of it: sys.path, signals and files are
as in an interpreter that was started for the module.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
from typing import Any, NoReturn

# Only what others have written, and of that nothing which reads the environment when it is loaded.
LIBRARIES = (
    "alembic.migration",
    "celery.apps.beat",
    "celery.apps.worker",
    "celery.beat",
    "celery.bin.celery",
    "celery.concurrency.prefork",
    "celery.worker.consumer",
    "kombu.transport.redis",
    "msgspec",
    "psycopg",
    "pymysql",
    "redis.sentinel",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite",
)
MOST = 1 << 20
"""Bytes of a request: arguments and an environment."""
FILES = 4
"""A request's files: stdin, stdout, stderr, and the pipe that is told how the process ended."""


class Nursing:
    """Forks what is asked for, until whoever asks is gone; then all that still runs is killed."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._ends: dict[int, int] = {}
        """By pid: the pipe that is told how it ended."""
        self._bell, ring = socket.socketpair()
        ring.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(ring.fileno())
        self._ring = ring
        self._watch = selectors.DefaultSelector()

    def run(self) -> None:
        """Until the other end of the socket is closed."""
        self._watch.register(self._requests, selectors.EVENT_READ, self._answer)
        self._watch.register(self._bell, selectors.EVENT_READ, self._reap)
        goes_on = True
        while goes_on:
            for key, _ in self._watch.select():
                goes_on = key.data() and goes_on
        for pid in self._ends:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)

    def _answer(self) -> bool:
        text, files, _, _ = socket.recv_fds(self._requests, MOST, FILES)
        if not text:
            return False
        pid = os.fork()
        if not pid:
            self._become(json.loads(text), files)
        self._ends[pid] = files.pop()
        for each in files:
            os.close(each)
        return True

    def _reap(self) -> bool:
        self._bell.recv(4096)
        while self._ends:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            end = self._ends.pop(pid)
            with contextlib.suppress(BrokenPipeError):
                os.write(end, str(os.waitstatus_to_exitcode(status)).encode())
            os.close(end)
        return True

    def _become(self, wanted: dict[str, Any], files: list[int]) -> NoReturn:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if wanted["session"]:
            os.setsid()
        for number, file in enumerate(files[:3]):
            os.dup2(file, number)
        for file in (*files, *self._ends.values()):
            os.close(file)
        os.chdir(wanted["cwd"])
        self._requests.send(str(os.getpid()).encode())  # not before it is what it is to be
        for each in (self._watch, self._requests, self._bell, self._ring):
            each.close()
        os.environ.clear()
        os.environ.update(wanted["environ"])
        sys.path[0] = wanted["cwd"]
        sys.argv = [wanted["module"], *wanted["arguments"]]
        sys.stdout.reconfigure(line_buffering=bool(os.environ.get("PYTHONUNBUFFERED")))  # type: ignore[union-attr]
        gc.enable()
        runpy.run_module(wanted["module"], run_name="__main__", alter_sys=True)
        raise SystemExit(0)


def main() -> None:
    """Loads the libraries, says so, and forks; the socket's number is the first argument."""
    requests = socket.socket(fileno=int(sys.argv[1]))
    requests.set_inheritable(False)
    sys.path[0] = "/"  # and not this folder, whose files are no libraries
    for each in LIBRARIES:
        importlib.import_module(each)
    gc.collect()
    gc.freeze()  # or each child would copy all of it as soon as it looks for garbage
    requests.send(b"ready")
    Nursing(requests).run()


if __name__ == "__main__":
    main()
