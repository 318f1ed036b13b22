"""What people and programs get to see."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from workers.cli.output import print_json, print_table, shown
from workers.settings.spelling import age, in_line, plain


@dataclass(frozen=True, slots=True)
class Sample:
    at: datetime
    name: str
    count: int | None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "-"),
        (0.0, "0.0 s"),
        (9.94, "9.9 s"),
        (59.0, "59 s"),
        (61.0, "1.0 min"),
        (7_200.0, "2.0 h"),
        (9e5, "10 d"),
    ],
)
def test_ages_are_short(seconds: float | None, words: str) -> None:
    assert age(seconds) == words


def test_nothing_that_a_terminal_obeys_gets_through() -> None:
    assert plain("a\x1b[31mb\r\x07c\nd") == "a\\x1b[31mb\\r\\x07c\nd"
    assert shown("\x1b[2J") == "\\x1b[2J"
    assert in_line("a\n\x07b") == "a\\n\\x07b"


def test_of_a_long_name_the_beginning_is_shown() -> None:
    assert shown("k" * 100_000) == f"{'k' * 1_000}… (100,000 characters)"
    assert shown("k" * 1_000) == "k" * 1_000


def test_numbers_have_thousands_and_none_is_a_dash() -> None:
    assert [shown(value) for value in (1234567, None, "7", True)] == ["1,234,567", "-", "7", "True"]


def test_a_table_shows_names_as_they_are_in_80_columns_without_colours(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    print_table(("name", ">count"), [("[red]VIP[/red]", 1234), ("x" * 100, 5), ("held", None)])
    lines = capsys.readouterr().out.split("\n")
    assert any("[red]VIP[/red]" in line and line.rstrip().endswith("1,234") for line in lines)
    assert all(len(line) <= 80 for line in lines)
    assert not any("\x1b" in line for line in lines)


ROWS = [("crm-segments", "held", 30, "9.4 s", 2, 0), ("warehouse", "active", 1_234_567, "3.2 h", 41_000, 0)]
COLUMNS = ("integration", "state", ">backlog", ">oldest", ">lanes", "?>needs resync")


@pytest.mark.parametrize("width", [60, 80])
def test_a_table_fits_60_and_80_columns_and_breaks_no_number(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    print_table(COLUMNS, ROWS)
    out = capsys.readouterr().out
    assert all(len(line) <= width for line in out.split("\n"))
    assert "1,234,567   3.2 h  41,000" in out


def test_a_column_of_nothing_is_left_out_where_it_may_be(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    print_table(COLUMNS, ROWS)
    assert "resync" not in capsys.readouterr().out
    print_table(COLUMNS, [*ROWS, ("late", "active", 0, "-", 0, 3)])
    assert "resync" in capsys.readouterr().out


def test_what_does_not_fit_is_told_in_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    print_table(COLUMNS, ROWS)
    out = capsys.readouterr().out
    assert "backlog      1,234,567\n" in out.replace(" \n", "\n")
    assert out.count("integration") == 2


def test_json_has_objects_and_times_in_iso_8601(capsys: pytest.CaptureFixture[str]) -> None:
    print_json([Sample(datetime(2026, 11, 21, 18, tzinfo=UTC), "Zoë", None)])
    assert json.loads(capsys.readouterr().out) == [{"at": "2026-11-21T18:00:00Z", "name": "Zoë", "count": None}]
