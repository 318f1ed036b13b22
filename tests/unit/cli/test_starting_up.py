"""`segsync --help` waits for nothing that it does not need."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import PATIENCE, until

HEAVY = ("sqlalchemy", "celery", "kombu", "redis", "pydantic", "rich", "workers.settings", "workers.runtime")


def python(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_the_command_line_loads_no_heavy_module() -> None:
    done = python(f"import sys, workers.cli; print([name for name in {HEAVY} if name in sys.modules])")
    assert done.stdout.strip() == "[]"


def test_help_names_every_command_of_the_contract() -> None:
    done = python("import sys; sys.argv = ['segsync', '--help']; from workers.cli import main; main()")
    assert done.returncode == 0
    names = {line.split()[0] for line in done.stdout.partition("Commands:")[2].splitlines() if line.strip()}
    assert names >= {
        "demo", "up", "check", "apply", "push", "status", "stats", "errors", "pause", "resume", "drain", "quarantine",
    }  # fmt: skip
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


@pytest.mark.parametrize("where", ["typer", "workers.cli.streams"])
def test_ctrl_c_while_it_loads_ends_it_quietly(where: str) -> None:
    """As if it came while this module is loaded: the command line's own, and what is loaded before a command."""
    done = python(
        "import sys, os, signal, importlib.abc\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # whoever runs this in the background ignores it
        "class Finder(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {where!r}: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder()); sys.argv = ['segsync', '--help']\n"
        "from workers.cli import main; main()"
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_ctrl_c_at_a_question_ends_as_anywhere_else() -> None:
    """With 1 a script would take it for done, with somebody needed."""
    ours, theirs = pty.openpty()
    text = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from workers.cli import main; sys.argv = ['segsync', 'quarantine', 'purge', '--older-than', '1d']; main()"
    )
    try:
        with subprocess.Popen([sys.executable, "-c", text], stdin=theirs, stdout=subprocess.PIPE) as asking:
            assert asking.stdout is not None
            told = b""
            while not told.endswith(b"[y/N]: "):
                told += (more := asking.stdout.read(1))
                assert more, told
            until(lambda: Path(f"/proc/{asking.pid}/stat").read_text().rpartition(")")[2].split()[0] == "S", "it waits")
            asking.send_signal(signal.SIGINT)
            assert asking.wait(PATIENCE) == 130
    finally:
        os.close(ours)
        os.close(theirs)


WRONG = [["statsu"], ["status", "--jsn"], ["pause"], ["quarantine", "show", "x"]]


def test_wrong_usage_is_told_with_status_2() -> None:
    """Each in a process of its own, of one that has loaded it all once."""
    done = python(
        "import os, sys, workers.cli.app\n"
        "from workers.cli import main\n"
        f"for arguments in {WRONG}:\n"
        "    if not (pid := os.fork()):\n"
        "        sys.argv = ['segsync', *arguments]\n"
        "        main()\n"
        "        os._exit(0)\n"
        "    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), *arguments, flush=True)\n"
    )
    assert done.stdout.splitlines() == [" ".join(["2", *arguments]) for arguments in WRONG]
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
