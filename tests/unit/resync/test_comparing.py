"""Two readers of one run: whoever was taken for dead harms nothing that another has read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from workers.lanes.runs import ReadingLost
from workers.resync import keys_on_disk
from workers.resync.comparing import compare
from workers.resync.keys_on_disk import KeyDifference, KeyFiles
from workers.resync.planning import Planner

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("lost_at", [1, 2])
def test_a_reader_that_was_taken_for_dead_harms_nothing_of_anothers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost_at: int
) -> None:
    folder, asked = tmp_path / "7", 0
    folder.mkdir()
    (folder / "strays").write_text("the other's")

    def keep() -> None:
        nonlocal asked
        asked += 1
        if asked == lost_at:
            raise ReadingLost("another process reads for resyncs")

    def plan(_: Planner, __: object, into: Path) -> KeyDifference:
        keys_on_disk.remove(into)
        into.mkdir()
        (into / "strays").write_text("mine")
        return KeyDifference(into)

    monkeypatch.setattr(Planner, "plan", plan)
    run, source = SimpleNamespace(segment="7", verifies=True), SimpleNamespace(paged=True)
    integration, way = SimpleNamespace(members=None), SimpleNamespace(open=None, examine=None)
    work = SimpleNamespace(run=run, source=source, integration=integration, way=way, keep=keep, folder=folder)
    with pytest.raises(ReadingLost):
        compare(cast("Any", work))
    assert [path.name for path in tmp_path.iterdir()] == ["7"]
    assert (folder / "strays").read_text() == "the other's"
    assert compare(cast("Any", work)).found.folder == folder
    assert (folder / "strays").read_text() == "mine"


def test_what_was_removed_while_it_is_compared_is_no_empty_file(tmp_path: Path) -> None:
    keys = KeyFiles(tmp_path, "source")
    keys.add([("a",)])
    keys.flush()
    for path in tmp_path.iterdir():
        path.unlink()
    with pytest.raises(FileNotFoundError):
        keys.repeats()
