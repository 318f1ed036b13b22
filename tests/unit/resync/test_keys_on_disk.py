"""Keys of two sides, compared on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.resync import keys_on_disk
from workers.resync.keys_on_disk import KeyFiles, compare, read_lines

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_what_differs_is_told_with_every_spelling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a member may be is no stray, though the member is there in its own spelling."""
    monkeypatch.setattr(keys_on_disk, "BUFFERED", 3)
    source, target = KeyFiles(tmp_path, "source"), KeyFiles(tmp_path, "target")
    for key in ("Ann", "00042", "new\nline", "only here", "both"):
        source.add((key,))
    for key in ("ann", "Ann", "42", "stray", "both", "both"):
        target.add((key,))
    found = compare(source, target, tmp_path)
    assert (found.members, found.rows, found.missing, found.strays, found.spelled, found.repeated) == (5, 6, 3, 1, 2, 1)
    assert list(read_lines(found.strays_file)) == [b'["stray"]']
    assert {what: set(keys) for what, keys in found.shown.items()} == {
        "missing": {"00042", "new\nline", "only here"},
        "strays": {"stray"},
        "spelled": {"ann", "42"},
    }


def test_keys_of_several_fields_are_one_key(tmp_path: Path) -> None:
    source, target = KeyFiles(tmp_path, "source"), KeyFiles(tmp_path, "target")
    source.add(("a", "b"))
    target.add(("ab", ""))
    found = compare(source, target, tmp_path)
    assert (found.missing, found.strays) == (1, 1)


def test_few_keys_make_no_files(tmp_path: Path) -> None:
    """To make them took longer than all else that the run of a small segment does."""
    source, target = KeyFiles(tmp_path, "source"), KeyFiles(tmp_path, "target")
    source.add(("a",))
    source.add(("a",))
    found = compare(source, target, tmp_path)
    assert (found.missing, source.repeats(), target.repeats()) == (1, True, False)
    assert not list(tmp_path.glob("source-*"))
