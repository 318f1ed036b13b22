"""A forked process is as one of a new interpreter, and neither outlives whoever wanted it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.nursery import nursery
from tests.repository import ROOT
from tests.servers.process import free_port
from tests.waiting import PATIENCE, until

PROBE = """
import json, os, signal, sys, threading
handlers = {name: str(signal.getsignal(getattr(signal, name))) for name in ("SIGINT", "SIGCHLD", "SIGTERM", "SIGPIPE")}
files = [name for name in os.listdir("/proc/self/fd") if int(name) > 2 and os.path.exists(f"/proc/self/fd/{name}")]
said = {"given": sys.stdin.read(), "path": sys.path, "argv": sys.argv, "environ": dict(os.environ), "files": files,
        "cwd": os.getcwd(), "handlers": handlers, "threads": threading.active_count(), "name": __name__,
        "encoding": sys.stdout.encoding, "wakes": signal.set_wakeup_fd(-1)}
print(json.dumps(said))
print("wrong", file=sys.stderr)
sys.exit(3)
"""


@pytest.fixture
def probe(tmp_path: Path) -> Path:
    """A folder with a module that tells what it finds."""
    (tmp_path / "probe.py").write_text(PROBE)
    return tmp_path


@pytest.fixture
def server() -> list[str]:
    """The command of a process that runs until it is told to end."""
    return [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(free_port())]


def told(done: subprocess.CompletedProcess[str]) -> tuple[int, str, dict[str, object]]:
    return done.returncode, done.stderr, json.loads(done.stdout)


def test_it_finds_what_a_new_interpreter_finds(probe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = [sys.executable, "-m", "probe", "--all", "x y"]
    environ = {**os.environ, "SEGSYNC_CONFIG": "/nowhere", "COLUMNS": "80"}
    forked = told(nursery.done(command, environ, "some\nlines", str(probe)))
    monkeypatch.setenv("SEGSYNC_PROOF", "1")
    assert forked == told(nursery.done(command, environ, "some\nlines", str(probe)))
    assert forked[:2] == (3, "wrong\n")
    assert forked[2]["given"] == "some\nlines"


def test_what_an_interpreter_reads_is_read(probe: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": "/elsewhere"}
    path = told(nursery.done([sys.executable, "-m", "probe"], environ, cwd=str(probe)))[2]["path"]
    assert isinstance(path, list)
    assert "/elsewhere" in path


def test_its_end_is_told_as_of_any_process(server: list[str], tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        process = nursery.start(server, os.environ, log)
        assert (process.poll(), os.getpgid(process.pid), Path(f"/proc/{process.pid}/cwd").readlink()) == (
            None,
            process.pid,
            Path("/"),
        )
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        process.send_signal(signal.SIGKILL)
        assert (process.wait(PATIENCE), process.poll()) == (-signal.SIGKILL, -signal.SIGKILL)
        process.send_signal(signal.SIGTERM)


def test_whoever_is_killed_leaves_none_behind(server: list[str], tmp_path: Path) -> None:
    """As pytest itself may be."""
    program = (
        "import os, pathlib, signal, sys\nfrom tests.nursery import nursery\n"
        f"with open({str(tmp_path / 'log')!r}, 'wb') as log: pid = nursery.start(sys.argv[1:], os.environ, log).pid\n"
        "parent = pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[1]\n"
        "print(pid, parent, flush=True)\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *server], cwd=ROOT, capture_output=True, text=True, check=False
    )
    both = done.stdout.split()
    assert (done.returncode, len(both)) == (-signal.SIGKILL, 2), done.stderr
    until(lambda: not any(Path("/proc", pid).exists() for pid in both), f"{both} gone")
