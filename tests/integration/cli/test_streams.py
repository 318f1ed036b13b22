"""Standard streams that are closed, full or gone, and a folder that is gone: a message, never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import PATIENCE
from workers.cli import streams

ROOT = str(Path(__file__).parents[3])
CONFIG = '[redis]\nurl = "redis://localhost:1/0"\n[ledger]\nurl = "sqlite:///l.db"\n'


def shell(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    (folder / "segsync.toml").write_text(CONFIG)
    command = line.replace("segsync ", f"{sys.executable} -m workers.cli ")
    environ = {**os.environ, "PYTHONPATH": ROOT}
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("segsync status <&-", 3, "Redis is out of reach"),
        ("segsync status >&-", 3, "Redis is out of reach"),
        ("segsync status 2>&-", 3, ""),
        ("segsync check >&-", 0, ""),
        ("segsync check > /dev/full", 3, "segsync: the output: No space left on device"),
        ("segsync --help > /dev/full", 3, "segsync: the output: No space left on device"),
        ("segsync push - <&-", 2, "-: standard input is closed; expected events on it"),
        ("segsync --help | head -c 1", 0, ""),
        ("segsync --config $'a\\nb.toml' check", 2, "a\\nb.toml: 1 mistake"),
        ("mkdir gone; cd gone; rmdir ../gone; segsync status", 2, "the current folder is gone"),
    ],
)
def test_no_traceback(tmp_path: Path, line: str, status: int, said: str) -> None:
    found = shell(tmp_path, line)
    assert found.returncode == status, found.stderr
    assert said in found.stderr
    assert "Traceback" not in found.stderr


def test_a_reader_that_goes_has_had_enough(tmp_path: Path) -> None:
    """What is written is more than a pipe holds."""
    (tmp_path / "segsync.toml").write_text(CONFIG)
    code = (
        "import sys; from workers.cli import streams\n"
        "from workers.cli.app import app, main\n"
        "@app.command('much')\ndef much() -> None:\n"
        "    for _ in range(100_000): print('a line')\n"
        "sys.argv = ['segsync', 'much']; main()\n"
    )
    (tmp_path / "much.py").write_text(code)
    found = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {sys.executable} much.py | head -1"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ROOT},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (found.returncode, found.stdout, found.stderr) == (0, "a line\n", "")


def test_a_supervisor_s_line_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    code = "from workers.cli.commands.up import say\nfor _ in '123': say('a line')\nprint('gone on', file=sys.stderr)"
    for output in ("> /dev/full", ">&-", "| true"):
        found = subprocess.run(
            ["bash", "-c", f'"{sys.executable}" -c "$CODE" {output}'],
            env={
                **os.environ,
                "CODE": f"import sys\nfrom workers.cli import streams\nstreams.prepare()\n{code}",
                "PYTHONPATH": ROOT,
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert found.stderr == "gone on\n", output


def test_a_stream_that_was_closed_takes_lines_in_silence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stream = (tmp_path / "out").open("w")
    stream.close()
    monkeypatch.setattr(sys, "stdout", stream)
    streams.say("a line")
