"""A target that is put back from last night's copy, while a lane still owes something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.integration.jobs import add, remove

if TYPE_CHECKING:
    import pytest

    from tests.integration.resync.platform import Platform


def held(platform: Platform) -> str:
    """Why the lane of segment 7 stands; "" where it does not."""
    return platform.lane(7).get("hold", "")


def is_held_after_a_restore(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows are a and x then; the platform's members of segment 7 are a, b, c and d."""
    job, target = platform.job, platform.target
    platform.has(7, "a", "b", "c", "d")
    job.push(add(7, "a", "x"))
    platform.delivered()
    target.run(
        "CREATE TABLE member_copy AS SELECT * FROM member",
        "CREATE TABLE position_copy AS SELECT * FROM segsync_position",
    )
    job.push(add(7, "b"), remove(7, "x"), add(7, "c"), add(7, "d"))
    lanes = job.runtime.lanes
    settle, settled = lanes.settle, []

    def restores(done: Any) -> Any:
        answer = settle(done)
        settled.append(done)
        if len(settled) == 3:
            target.run("DELETE FROM member", "INSERT INTO member SELECT * FROM member_copy")
            target.run("DELETE FROM segsync_position", "INSERT INTO segsync_position SELECT * FROM position_copy")
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(lanes, "settle", restores)
        platform.works(lambda: held(platform))
    assert platform.rows(7) == {"a", "x"}
    assert "segsync position: the target's position is behind" in held(platform)
