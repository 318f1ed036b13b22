"""What is said of a run that fails."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from workers.resync.failing import fail
from workers.resync.run import ResyncRun

if TYPE_CHECKING:
    import pytest


def test_a_run_that_is_tried_again_is_told_without_its_cause(caplog: pytest.LogCaptureFixture) -> None:
    """That may name a member."""
    looks: list[tuple[Any, ...]] = []
    run = ResyncRun("3", "crm", "7", tries=1)
    work: Any = SimpleNamespace(run=run, runs=SimpleNamespace(look=lambda *given: looks.append(given)))
    with caplog.at_level(logging.INFO):
        fail(work, OSError("a member"))
    assert looks == [("3", 4000, {"tries": 2, "why": "the reader's own disk: OSError"})]
    told = "crm/7: run 3 has failed 2 times, next try in 4.0 s; `segsync resync --list` says why"
    assert caplog.messages == [told]
