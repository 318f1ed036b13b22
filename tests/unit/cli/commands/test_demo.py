"""How the demo waits: for as long as it takes on a busy machine, and never without a word."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from workers.cli.commands import demo as command
from workers.cli.commands.demo import DEATHS_AT_MOST, Demo


def waiting(deaths: int = 0, interrupted: int = 0) -> Demo:
    """A demo with nothing but what its waiting looks at."""
    demo = object.__new__(Demo)
    installation: Any = SimpleNamespace(
        signals=SimpleNamespace(count=interrupted),
        children=SimpleNamespace(deaths=lambda: deaths),
        tend=list,
    )
    demo.installation = installation
    return demo


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "LOOK_EVERY", 0.0)
    monkeypatch.setattr(command, "TELL_EVERY", 0.0)


def test_it_tells_what_is_missing_until_nothing_is(capsys: pytest.CaptureFixture[str]) -> None:
    missing = iter(["mysegment: 3 rows are missing", "ledger: 2 operations settled", ""])
    waiting()._until(lambda: next(missing))
    told = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[2] for line in told] == [
        "mysegment: 3 rows are missing; it goes on (Ctrl-C ends it)",
        "ledger: 2 operations settled; it goes on (Ctrl-C ends it)",
    ]


@pytest.mark.parametrize("demo", [waiting(deaths=DEATHS_AT_MOST), waiting(interrupted=1)])
def test_it_does_not_wait_for_what_will_not_come(demo: Demo) -> None:
    asked: list[int] = []

    def missing() -> str:
        asked.append(1)
        return "all"

    demo._until(missing)
    assert asked == [1]
