"""Lines that were chosen, asked for one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.resync import chosen
from workers.resync.chosen import Chosen

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_what_is_in_the_file_is_chosen_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chosen, "AT_ONCE", 7)
    lines = [b'["%d"]' % number for number in range(500)]
    file = tmp_path / "missing"
    file.write_bytes(b"\n".join(lines[:300]) + b"\n")
    said = []
    for _ in range(2):  # the second time it is there already
        with Chosen(file, lambda: said.append(1)) as found:
            assert [line in found for line in lines] == [True] * 300 + [False] * 200
    assert 300 // 7 < len(said) < 300
    assert sorted(each.name for each in tmp_path.iterdir()) == ["missing", "missing-digests"]


def test_of_nothing_nothing_is_chosen(tmp_path: Path) -> None:
    (tmp_path / "missing").touch()
    with Chosen(tmp_path / "missing", lambda: None) as found:
        assert b'["a"]' not in found


def test_who_died_while_it_was_sorted_leaves_nothing_wrong(tmp_path: Path) -> None:
    file = tmp_path / "missing"
    file.write_bytes(b'["a"]\n')
    (tmp_path / "missing-digests-0").write_bytes(bytes(16))
    (tmp_path / "missing-digests-coming").write_bytes(bytes(16))
    with Chosen(file, lambda: None) as found:
        assert b'["a"]' in found
        assert len(memoryview((tmp_path / "missing-digests").read_bytes())) == 8
