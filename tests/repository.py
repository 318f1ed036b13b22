"""The repository as text: what the tests of its order read."""

from __future__ import annotations

import ast
import gc
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parents[1]

TEXTS = frozenset({".py", ".lua", ".md", ".toml", ".yml", ".mako", ".ini", "", ".cfg"})
FOLDERS = ("workers", "tasks", "tests", "docs", "examples", "benchmarks")


@cache
def texts() -> dict[str, str]:
    """Every file of the repository that people write, by its path."""
    found = [path for path in ROOT.iterdir() if path.is_file() and not path.name.startswith(".")]
    for folder in FOLDERS:
        for where, folders, names in os.walk(ROOT / folder):
            folders[:] = [name for name in folders if name != "__pycache__" and not name.startswith(".")]
            found += [Path(where, name) for name in names]
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(found)
        if path.suffix in TEXTS and path.name != "LICENSE"
    }


def only_listed(found: Iterable[str], known: set[str], remedy: str) -> None:
    """Nothing is out of order but what is known of, and all of that still is."""
    new, mended = sorted(set(found) - known), sorted(known - set(found))
    told = [f"{remedy}: {each}" for each in new] + [
        f"mended, so take it off this file's list: {each}" for each in mended
    ]
    assert not told, "\n".join(told)


def of_the_product(path: str) -> bool:
    return path.startswith(("workers/", "tasks/")) and path.endswith((".py", ".lua"))


@cache
def parsed() -> dict[str, ast.Module]:
    """Every file of Python, read once for a process.

    Millions of objects, all of which stay: to look for garbage among them took three quarters of the time, and at the
    end of the run as long again.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        found = {path: ast.parse(text) for path, text in texts().items() if path.endswith(".py")}
        gc.freeze()
    finally:
        if enabled:
            gc.enable()
    return found
