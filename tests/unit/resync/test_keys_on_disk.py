"""Keys of two sides, compared on disk."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest

from workers.resync import keys_on_disk
from workers.resync.keys_on_disk import FILES, KeyDifference, KeyFiles, compare, read_lines

if TYPE_CHECKING:
    from pathlib import Path


def test_what_differs_is_told_with_every_spelling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a member may be is no stray, though the member is there in its own spelling."""
    monkeypatch.setattr(keys_on_disk, "BUFFERED", 3)
    source, target = KeyFiles(tmp_path, "source"), KeyFiles(tmp_path, "target")
    for key in ("Ann", "00042", "new\nline", "only here", "both"):
        source.add([(key,)])
    for key in ("ann", "Ann", "42", "stray", "both", "both"):
        target.add([(key,)])
    found = compare(source, target, tmp_path)
    assert (found.members, found.rows, found.missing, found.strays, found.spelled, found.repeated) == (5, 6, 3, 1, 2, 1)
    assert list(read_lines(found.strays_file)) == [b'["stray"]']
    assert {what: set(keys) for what, keys in found.shown.items()} == {
        "missing": {"00042", "new\nline", "only here"},
        "strays": {"stray"},
        "spelled": {"ann", "42"},
    }


@pytest.mark.parametrize(
    ("member", "row"),
    [("strase", "straße"), ("kasse", "kase"), ("Aas", "Ås"), ("jan", "ian"), ("vw", "ww"), ("mueller", "müller")],
)
def test_what_some_collation_takes_for_a_member_is_no_stray(tmp_path: Path, member: str, row: str) -> None:
    """A remove of it would take along the member's own row, which is not told again where a table repeats a key."""
    for folder, key, other in ((tmp_path / "a", member, row), (tmp_path / "b", row, member)):
        found = compared(folder, [key, "twice"], [key, other, "twice", "twice"])
        assert (found.missing, found.strays, found.spelled) == (0, 0, 1)
        found = compared(folder / "alone", [key], [other])
        assert (found.missing, found.strays, found.spelled) == (1, 0, 1)


@pytest.mark.parametrize(("member", "row"), [("E1001", "A1001"), ("jan", "ian"), ("Ann", "ann")])
def test_a_row_beside_the_members_own_is_a_stray(tmp_path: Path, member: str, row: str) -> None:
    """The target tells the two apart, or takes rows twice; then the member goes along, and is told again.

    Else who has left could never be removed whose key is spelled like that of one who stays.
    """
    found = compared(tmp_path, [member], [member, row])
    assert (found.missing, found.strays, found.spelled) == (0, 1, 0)
    found = compared(tmp_path / "other", [member, "E7"], [member, row, "A7"])
    assert (found.missing, found.strays, found.spelled) == (1, 1, 1)


def compared(folder: Path, members: list[str], rows: list[str]) -> KeyDifference:
    source, target = KeyFiles(folder, "source"), KeyFiles(folder, "target")
    for side, keys in ((source, members), (target, rows)):
        for key in keys:
            side.add([(key,)])
    return compare(source, target, folder)


def test_keys_of_several_fields_are_one_key(tmp_path: Path) -> None:
    source, target = KeyFiles(tmp_path, "source"), KeyFiles(tmp_path, "target")
    source.add([("a", "b")])
    target.add([("ab", "")])
    found = compare(source, target, tmp_path)
    assert (found.missing, found.strays) == (1, 1)


def test_all_rows_of_a_stray_are_counted(tmp_path: Path) -> None:
    """A table without a unique key loses all of them with the one key."""
    found = compared(tmp_path, ["a", "b"], ["a", "a", "x", "x", "x", "y", "B"])
    assert (found.rows, found.strays, found.spelled, found.repeated) == (7, 2, 1, 3)
    assert (found.repeated_strays, found.stray_rows) == (2, 4)


def test_few_keys_make_no_files(tmp_path: Path) -> None:
    """To make them took longer than all else that the run of a small segment does."""
    source, target = KeyFiles(tmp_path, "source"), KeyFiles(tmp_path, "target")
    source.add([("a",)])
    source.add([("a",)])
    found = compare(source, target, tmp_path)
    assert (found.missing, source.repeats(), target.repeats()) == (1, True, False)
    assert not list(tmp_path.glob("source-*"))


def test_however_many_rows_are_strays_they_need_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the source's query is wrong, and no row is a member's: a set of their folds took 100 bytes for each."""
    monkeypatch.setattr(keys_on_disk, "BUFFERED", 500)
    monkeypatch.setattr(keys_on_disk, "fold_key_far", lambda key: key)  # which remembers some

    def peak(many: int) -> int:
        folder = tmp_path / str(many)
        source, target = KeyFiles(folder, "source"), KeyFiles(folder, "target")
        for number in range(many):
            source.add([(f"a{number}",)])
            target.add([(f"b{number}",)])
        tracemalloc.start()
        try:
            assert compare(source, target, folder).strays == many
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, more = 1_000, 4_000
    peak(few)  # what is made once is none of theirs
    # Nor is a table of the interpreter's own that grows just then, by megabytes, as that of all paths' parts does once.
    assert min(peak(more), peak(more + 1)) - peak(few + 1) < (more - few) * 40


def test_a_long_comparison_says_that_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else another reader would take its run for that of one that hangs, and begin it anew."""
    monkeypatch.setattr(keys_on_disk, "AT_ONCE", 2)
    source, target = KeyFiles(tmp_path, "source"), KeyFiles(tmp_path, "target")
    for number in range(4):
        source.add([(f"a{number}",)])
    target.add([("b",)])
    said = []
    compare(source, target, tmp_path, lambda: said.append(1))
    assert len(said) == 2 * FILES + 2
