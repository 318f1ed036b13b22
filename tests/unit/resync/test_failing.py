"""What is said of a run that fails."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from workers.errors import ErrorClass, TargetError
from workers.resync import failing
from workers.resync.failing import fail
from workers.resync.planning import UnlistedTarget
from workers.resync.run import ResyncRun

if TYPE_CHECKING:
    from pathlib import Path


def test_a_run_that_is_tried_again_is_told_without_its_cause(caplog: pytest.LogCaptureFixture) -> None:
    """That may name a member."""
    looks: list[tuple[Any, ...]] = []
    run = ResyncRun("3", "crm", "7", tries=1)
    runs = SimpleNamespace(look=lambda *given: looks.append(given))
    work: Any = SimpleNamespace(run=run, has_cleared=False, runs=runs)
    with caplog.at_level(logging.INFO):
        fail(work, OSError("a member"))
    assert looks == [("3", 4000, {"tries": 2, "why": "the reader's own disk: OSError"})]
    told = "crm/7: run 3 has failed 2 times, next try in 4.0 s; `segsync resync --list` says why"
    assert caplog.messages == [told]


@pytest.mark.parametrize(
    ("side", "told", "said"),
    [
        ("source", 0, "nothing was changed"),
        ("target", 0, "nothing was changed"),
        ("source", 5, "its segment is flagged"),
    ],
)
def test_who_is_told_that_a_run_gave_up_knows_which_side_it_was_and_what_to_do(
    side: str, told: int, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ends: list[str] = []
    monkeypatch.setattr(failing, "stop", lambda _work, _outcome, why: ends.append(why))
    error = TargetError(ErrorClass.RETRY, "mysql 2013", "the link to the server was lost")
    run = ResyncRun("3", "crm", "7", mode="diff", tries=failing.MOST_TRIES - 1, told=told)
    work: Any = SimpleNamespace(run=run, has_cleared=False, keep=lambda: None, folder=tmp_path / "3")
    fail(work, UnlistedTarget.of(error) if side == "target" else error)
    (why,) = ends
    assert why == (
        f"the {side} could not be read: mysql 2013: the link to the server was lost; tried 5 times; {said}: "
        "ask again once that is mended"
    )
