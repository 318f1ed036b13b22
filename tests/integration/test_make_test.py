"""When `make test` is green: with its programs played, each of which notes how it was called and ends as it is told."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.repository import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PYTEST = """#!/bin/sh
echo "$*" >> "$NOTES"
case "$*" in
    *--last-failed*) exit "$AGAIN" ;;
    *--ignore*) exit "$FIRST" ;;
esac
"""
FINE = "#!/bin/sh\n"


@pytest.mark.parametrize(
    ("first", "again", "green", "runs"),
    [
        (0, 1, True, 1),
        (1, 0, True, 2),
        (1, 1, False, 2),
        (1, 5, False, 2),
        (2, 0, False, 1),
        (3, 0, False, 1),
        (137, 0, False, 1),
    ],
)
def test_only_tests_that_failed_run_once_more(tmp_path: Path, first: int, again: int, green: bool, runs: int) -> None:
    """A run that was killed, or never began, has tested nothing: what failed in some earlier run says nothing of it."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("python", "ruff", "mypy", "lint-imports", "pytest"):
        (programs / name).write_text(PYTEST if name == "pytest" else FINE)
        (programs / name).chmod(0o755)
    for name in (".installed", ".installed-dev"):
        (tmp_path / name).touch()
    notes = tmp_path / "notes"
    told = {"NOTES": str(notes), "FIRST": str(first), "AGAIN": str(again)}
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")} | told
    made = subprocess.run(
        ["make", "test", f"VENV={tmp_path}"], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    assert (made.returncode == 0) == green, made.stderr
    rings = [line for line in notes.read_text().splitlines() if "--ignore" in line]
    assert len(rings) == runs
