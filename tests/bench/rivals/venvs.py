"""Where rivals are installed: a venv for each of their groups in pyproject.toml, below .bench/, never the product's."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / ".bench"
_refused: dict[str, str] = {}
"""Groups that could not be installed, and why: nobody waits for the network twice in a run."""


class NotInstallableError(Exception):
    """A rival cannot be had on this machine; the message says why."""


@cache
def venv(group: str) -> Path:
    """The `bin` folder of a venv with what the dependency group asks for; made if it is not there.

    Raises NotInstallableError with the last line that pip wrote.
    """
    if group in _refused:
        raise NotInstallableError(_refused[group])
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"][group]
    folder, stamp = FOLDER / group, FOLDER / f"{group}.json"
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / f"{group}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or json.loads(stamp.read_text()) != wanted:
            try:
                run([sys.executable, "-m", "venv", "--clear", str(folder)])
                run([str(folder / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", *wanted])
            except NotInstallableError as error:
                _refused[group] = str(error)
                raise
            stamp.write_text(json.dumps(wanted))
    return folder / "bin"


def version(group: str, package: str) -> str:
    """Of an installed package."""
    code = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run(
        [venv(group) / "python", "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def run(command: list[str]) -> None:
    """Runs a step of an installation; NotInstallableError with the last line that it wrote if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or [f"status {done.returncode}"]
        raise NotInstallableError(f"{Path(command[0]).name}: {said[-1]}")
