"""How far a run is, as a person sees it: one line that moves in a terminal, some lines in a pipe."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, cast

import pytest

from workers.cli.commands import resync as command
from workers.control import resync as control
from workers.resync.run import ResyncRun

if TYPE_CHECKING:
    from collections.abc import Callable

RUN: dict[str, Any] = {"id": "3", "integration": "crm", "segment": "7"}
STEPS: list[dict[str, Any]] = [
    {"state": "waiting"},
    {"state": "marked", "reached": 1},
    {"state": "removing", "removed": 5, "strays": 20},
    *({"state": "adding", "added": 0, "members": 4_000},) * 2,
    {"state": "adding", "added": 1_000, "members": 4_000},
    {"state": "adding", "added": 1_000, "members": 4_000, "why": "the target is out of reach"},
    {"state": "ended", "added": 4_000, "members": 4_000, "outcome": "done"},
]
"""What a run says of itself, one look after the other."""


class Clock:
    """`time`, in which each look takes as long as is said."""

    def __init__(self, look_seconds: float) -> None:
        self._look_seconds = look_seconds
        self._now = 1_000.0

    def monotonic(self) -> float:
        """Now."""
        return self._now

    def sleep(self, _seconds: float) -> None:
        """To the next look."""
        self._now += self._look_seconds


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ResyncRun]:
    """Watches the run to its end."""

    def watch(look_seconds: float, *, terminal: bool, quiet: bool = False) -> ResyncRun:
        steps = iter(STEPS)
        monkeypatch.setattr(control, "find", lambda *_: ResyncRun(**RUN, **next(steps)))
        monkeypatch.setattr(command, "time", Clock(look_seconds))
        monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
        return command._ended(cast("Any", None), "3", quiet=quiet)

    return watch


def test_a_terminal_has_one_line_with_a_bar(
    watched: Callable[..., ResyncRun], capsys: pytest.CaptureFixture[str]
) -> None:
    """Each word takes the place of the one before, and the last is wiped away before the result is printed."""
    assert watched(0.3, terminal=True).outcome == "done"
    told = capsys.readouterr()
    start = "\r\x1b[K"
    assert told.err.split(start)[1:] == [
        "run 3: waiting",
        "run 3: reading",
        "run 3: removing, 5 of 20 [#####...............]",
        "run 3: adding, 0 of 4,000 [....................]",
        "run 3: adding, 1,000 of 4,000 [#####...............]",
        "run 3: adding, 1,000 of 4,000 [#####...............]: the target is out of reach",
        "",
    ]
    assert told.out == ""


def test_a_pipe_has_plain_lines_now_and_then(
    watched: Callable[..., ResyncRun], capsys: pytest.CaptureFixture[str]
) -> None:
    """No bar, nothing that a terminal would obey, and no line twice."""
    watched(command.SAY_EVERY_SECONDS / 2, terminal=False)
    assert capsys.readouterr().err.splitlines() == [
        "run 3: waiting",
        "run 3: adding, 0 of 4,000",
        "run 3: adding, 1,000 of 4,000: the target is out of reach",
    ]
    watched(command.SAY_EVERY_SECONDS + 1, terminal=False)
    assert capsys.readouterr().err.splitlines() == [
        "run 3: waiting",
        "run 3: reading",
        "run 3: removing, 5 of 20",
        "run 3: adding, 0 of 4,000",
        "run 3: adding, 1,000 of 4,000",
        "run 3: adding, 1,000 of 4,000: the target is out of reach",
    ]


@pytest.mark.parametrize("terminal", [True, False])
def test_a_program_that_asks_for_json_hears_nothing_else(
    watched: Callable[..., ResyncRun], capsys: pytest.CaptureFixture[str], *, terminal: bool
) -> None:
    watched(command.SAY_EVERY_SECONDS + 1, terminal=terminal, quiet=True)
    assert capsys.readouterr().err == ""


def test_what_an_equal_target_has_beside_its_members_is_told() -> None:
    """A row that is there twice differs in nothing that a key says, and a member without a key is in no table."""
    counts: dict[str, Any] = {"members": 40, "rows": 42, "repeated": 2, "unusable": 3}
    told = command._verdict(ResyncRun(**RUN, kind="verify", state="ended", outcome="equal", **counts))
    assert "; 2 rows beside another one of their very key; 3 members have no usable key" in told
