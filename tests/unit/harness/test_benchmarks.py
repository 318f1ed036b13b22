"""What the benchmark writes down: ratios of each round, honest sentences, and nothing outside of its marks."""

from __future__ import annotations

import os
import sys
import time
import xml.etree.ElementTree as ET
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from tests.bench.report import contest, loads, page, picture, throughput
from tests.bench.report.contest import Table
from tests.bench.report.figures import Figures
from tests.bench.report.goals import GOALS, Goal, told
from tests.bench.report.processes import cpu_seconds, family, resident_bytes
from tests.bench.report.sizes import SIZES
from tests.bench.rivals.venvs import NotInstallableError, run
from tests.repository import texts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bench.servers import Servers

ABOUT = {"date": "d", "command": "c", "commit": "1", "machine": "m", "versions": "v", "load": "0", "warning": "Small."}


def measured() -> Figures:
    figures = Figures(about=dict(ABOUT))
    for ours, bare in ((50.0, 100.0), (90.0, 100.0), (80.0, 400.0)):
        figures.note("a.segsync.rate", ours)
        figures.note("a.bare.rate", bare)
    figures.relate("a.segsync.of_bare", "a.segsync.rate", "a.bare.rate")
    figures.check("a.segsync", 0)
    return figures


def written(tmp_path: Path, figures: Figures) -> str:
    for name in ("benchmarks.md", "scaling.md"):
        (tmp_path / name).write_text(f"before\n{page.BEGIN}\nOUTDATED\n{page.END}\nafter\n")
    page.write_all(tmp_path, figures)
    return (tmp_path / "benchmarks.md").read_text()


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    """And not that of medians: 80 of 100 would be 0.8."""
    assert measured().median("a.segsync.of_bare") == 0.5


def test_a_part_that_is_measured_again_takes_the_place_of_what_it_had_found_and_is_named(tmp_path: Path) -> None:
    kept, again = measured(), Figures(about={"date": "later", "commit": "2"})
    kept.missing = {"j": "TimeoutError: late", "a.dlt": "no such package"}
    again.note("push.raw.rate", 5.0)
    kept.values["push.raw.rate"] = [1.0, 2.0]
    kept.take_over("j", again)
    assert (kept.values["push.raw.rate"], kept.missing) == ([5.0], {"a.dlt": "no such package"})
    kept.take_over("push", again)
    assert "once more since: j on later at commit 2, push on later at commit 2." in written(tmp_path, kept)


def test_a_run_writes_between_the_marks_and_nowhere_else(tmp_path: Path) -> None:
    text = written(tmp_path, measured())
    assert text.startswith(f"before\n{page.BEGIN}\n")
    assert text.endswith(f"{page.END}\nafter\n")
    assert "OUTDATED" not in text
    assert "| **segsync** | 80 | 0.50 (0.20 … 0.90) |  | yes |" in text
    assert "**Small.**" in text
    assert "neither `reached` nor `not reached` is a finding" in text


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    where = tmp_path / "benchmarks.md"
    where.write_text("mine")
    with pytest.raises(page.MarksMissingError, match=r"benchmarks\.md: expected the lines"):
        page.write(where, ["new"])
    assert where.read_text() == "mine"


def test_the_pages_of_the_repository_have_their_marks() -> None:
    for name in ("docs/benchmarks.md", "docs/scaling.md"):
        assert texts()[name].index(page.BEGIN) < texts()[name].index(page.END)


def test_what_a_core_carries_is_the_rate_by_the_cores_that_it_took(tmp_path: Path) -> None:
    figures = measured()
    for part, cores in {"route": 0.5, "deliver": 0.8, "redis": 0.0001, "postgresql": 0.2}.items():
        figures.note(f"a.cores.{part}", cores)
    written(tmp_path, figures)
    lines = (tmp_path / "scaling.md").read_text().splitlines()
    assert any(line.endswith("| 160 | 100 | 800,000 | 400 |") for line in lines)
    assert any(
        line.startswith("| 1,000 |") and line.endswith("| 6.25 | 10.00 | 0.00 | 2.50 | too much for the router |")
        for line in lines
    )


def test_a_rival_that_did_not_run_and_a_table_that_is_wrong_are_said(tmp_path: Path) -> None:
    figures = measured()
    figures.missing["a.dlt"] = "pip: no | such package"
    figures.note("a.celery.rate", 10)
    figures.check("a.celery", 3)
    text = written(tmp_path, figures)
    assert "| dlt, merge by upsert | did not run: pip: no / such package |" in text
    assert "| no: 3 rows differ |" in text


def test_our_own_wrong_rows_are_said_below_the_goals(tmp_path: Path) -> None:
    figures = measured()
    figures.check("g", 2)
    assert "these differed: {'g': 2}" in written(tmp_path, figures)


def test_a_part_that_failed_is_said(tmp_path: Path) -> None:
    figures = measured()
    figures.missing["h"] = "TimedOut: too long"
    assert "(h) was not measured: TimedOut: too long" in written(tmp_path, figures)


def test_a_goal_that_is_missed_says_why_with_this_runs_numbers() -> None:
    figures = measured()
    figures.note("a.cores.route", 0.456)
    goal = Goal("a.segsync.of_bare", "(a)", 0.7, reason="the router took {a.cores.route:.2f} and {a.cores.beat:.1f}")
    assert not goal.reached(0.5)
    assert told(goal, figures) == "the router took 0.46 and ?"


def test_a_goal_may_be_a_most_or_a_least() -> None:
    assert [Goal("f", "", 1).reached(value) for value in (0.9, 1, 1.1)] == [False, True, True]
    assert [Goal("f", "", 1, most=True).reached(value) for value in (0.9, 1, 1.1)] == [True, True, False]


def test_every_goal_is_about_a_figure_of_its_own() -> None:
    assert len({goal.figure for goal in GOALS}) == len(GOALS)


def test_the_picture_has_a_bar_for_everybody_who_ran() -> None:
    drawn = ET.fromstring(picture.draw(measured()))  # noqa: S314  our own text
    bars = [each for each in drawn.iter("{http://www.w3.org/2000/svg}rect") if each.get("x")]
    assert len(bars) == 2


def test_a_slow_rival_gets_the_beginning_of_the_load() -> None:
    assert loads.hot(100).first(10).events == loads.hot(10).events
    assert loads.large(5_000).first(2_000).operations == 2_000


def test_processes_are_told_by_proc() -> None:
    assert family(os.getpid())[0] == os.getpid()
    assert cpu_seconds(os.getpid()) > 0
    assert resident_bytes(os.getpid()) > 1_000_000


class Counted(Table):
    """A table whose counts are told beforehand; the last one stays."""

    def __init__(self, *counts: int) -> None:
        self._counts = list(counts)

    def count(self) -> int:
        return self._counts.pop(0) if len(self._counts) > 1 else self._counts[0]


def test_a_run_ends_with_its_last_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contest, "GONE_QUIET_SECONDS", 1e9)
    started = time.perf_counter()
    took = Counted(1, 2, 3).settled(3, started)
    assert 0 < took <= time.perf_counter() - started


def test_a_table_that_never_gets_there_counts_until_it_last_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contest, "GONE_QUIET_SECONDS", 0.05)
    started = time.perf_counter()
    took = Counted(1, 2).settled(3, started)
    assert 0 < took <= time.perf_counter() - started - contest.GONE_QUIET_SECONDS


def test_what_cannot_be_installed_says_what_was_said_last() -> None:
    with pytest.raises(NotInstallableError, match="no such package"):
        run([sys.executable, "-c", "import sys; print('one moment'); sys.exit('no such package')"])
    with pytest.raises(NotInstallableError, match="status 3"):
        run([sys.executable, "-c", "import sys; sys.exit(3)"])


class Ready:
    """A contestant that needs a second."""

    title = "ready"

    def run(self, _place: object, _load: object) -> float:
        return 1.0


class Missing(Ready):
    def __init__(self, tries: list[str]) -> None:
        self._tries = tries

    def run(self, _place: object, _load: object) -> float:
        self._tries.append("try")
        raise NotInstallableError("not for this machine")


class Right:
    """A table that holds what it should."""

    def members(self) -> set[tuple[str, str]]:
        return loads.hot(10).rows


def test_who_cannot_run_is_noted_once_and_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[str] = []
    monkeypatch.setattr(throughput, "CONTESTANTS", {"bare": Ready, "gone": lambda: Missing(tries), "late": Ready})
    monkeypatch.setattr(throughput, "place", lambda _: nullcontext(SimpleNamespace(target=Right())))
    figures = Figures()
    sizes = replace(SIZES["small"], events=10)
    throughput.measure("a", cast("Servers", None), sizes, 3, figures)
    assert figures.missing == {"a.gone": "not for this machine"}
    assert tries == ["try"]
    assert figures.values["a.bare.rate"] == figures.values["a.late.rate"] == [10.0, 10.0, 10.0]
    assert figures.values["a.late.of_bare"] == [1.0, 1.0, 1.0]
    assert figures.wrong == {"a.bare": 0, "a.late": 0}
