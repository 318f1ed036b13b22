"""A run's folders are in memory, unless there is a reason against it."""

from __future__ import annotations

import os
import tempfile
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tests.in_memory import CHOSEN, use_memory

if TYPE_CHECKING:
    from pathlib import Path


def asked(folder: Path, room: int = 1, before: dict[str, str] | None = None) -> dict[str, str]:
    """The environment afterwards."""
    environ = dict(before or {})
    use_memory(environ, folder, room)
    return environ


@pytest.fixture(autouse=True)
def as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the whole process goes by is put back."""
    assert tmp_path.exists()
    monkeypatch.setattr(tempfile, "tempdir", "/chosen before")


def test_folders_are_in_memory(tmp_path: Path) -> None:
    assert asked(tmp_path) == {"TMPDIR": str(tmp_path)}
    assert tempfile.tempdir is None


@pytest.mark.parametrize("name", CHOSEN)
def test_what_somebody_has_chosen_stays(tmp_path: Path, name: str) -> None:
    assert asked(tmp_path, before={name: "/elsewhere"}) == {name: "/elsewhere"}
    assert tempfile.tempdir == "/chosen before"


def test_there_must_be_room_in_the_place_and_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(tmp_path, room=2**60) == {}
    monkeypatch.setattr("tests.in_memory._unused", lambda: 100)
    assert asked(tmp_path, room=101) == {}
    assert asked(tmp_path, room=100) != {}


def test_a_place_that_is_not_there_or_executes_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(tmp_path / "none") == {}
    found = SimpleNamespace(f_flag=os.ST_NOEXEC, f_bavail=2**40, f_frsize=1)
    monkeypatch.setattr(os, "statvfs", lambda _: found)
    assert asked(tmp_path) == {}
