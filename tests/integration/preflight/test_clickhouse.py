"""What `check --connect` finds on ClickHouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.preflight.checking import Place
from tests.servers.clickhouse import PASSWORD
from tests.targets import CLICKHOUSE_INTO, TargetDatabase

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.clickhouse import ClickhouseServer

PLAIN = "INSERT INTO {} (segment_id, client_id) VALUES {{for $x = $batch}}({{segment_id}}, '{{$x.CustomID}}'){}{{end}}"


@pytest.fixture
def clickhouse(tmp_path: Path, clickhouse_url: str, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("RIGHT", PASSWORD)
    monkeypatch.setenv("WRONG", "wr0ng")
    place = Place(tmp_path, TargetDatabase("clickhouse", clickhouse_url, "${RIGHT}"))
    place.database.create()
    place.database.run("INSERT INTO member VALUES (7, 'A', now(), 1, 0)")
    return place


def test_what_is_right_needs_no_word_and_nothing_is_run(clickhouse: Place) -> None:
    assert clickhouse.findings() == []
    assert clickhouse.database.members() == {("7", "A")}


def test_every_step_is_told(clickhouse: Place) -> None:
    (found,) = clickhouse.check(clickhouse.database.connector(), clickhouse.database.integration())
    assert [(step.name, step.mark) for step in found.steps] == [
        ("reach", "fine"), ("session", "fine"), ("version", "fine"), ("lock", "skipped"), ("writes", "fine"),
    ]  # fmt: skip
    assert "neither transactions nor session locks" in found.steps[3].what


@pytest.mark.parametrize(
    ("table", "what"),
    [
        ("MergeTree", "expected a table of ReplacingMergeTree(version) that is ordered by what names the row"),
        ("ReplacingMergeTree", "'other' has no version column"),
        ("ReplacingMergeTree(v)", ""),
    ],
)
def test_what_a_repeated_row_does_is_the_tables_affair(clickhouse: Place, table: str, what: str) -> None:
    clickhouse.database.run(
        f"CREATE TABLE other (segment_id Int64, client_id String, v UInt64) ENGINE = {table}"
        " ORDER BY (segment_id, client_id)"
    )
    found = clickhouse.findings(add=PLAIN.format("other", "{autocomma}"))
    assert [what in each.what for each in found] == [True] * bool(what)


def test_a_table_that_is_not_ordered_by_the_key_is_told(clickhouse: Place) -> None:
    clickhouse.database.run(
        "CREATE TABLE other (segment_id Int64, client_id String, v UInt64) ENGINE = ReplacingMergeTree(v)"
        " ORDER BY segment_id"
    )
    (found,) = clickhouse.findings(add=PLAIN.format("other", "{autocomma}"))
    assert "rows of different members or segments overwrite each other" in found.what


@pytest.mark.parametrize(
    ("add", "what"),
    [
        (CLICKHOUSE_INTO.replace("client_id", "client"), "column 'client', table"),
        (CLICKHOUSE_INTO.replace("member", "nowhere"), "a table does not exist"),
    ],
)
def test_a_wrong_name_is_a_mistake_that_names_it(clickhouse: Place, add: str, what: str) -> None:
    row = "({segment_id}, '{$x.CustomID}', {$x._event_time}, {$x._sequence}, 0){autocomma}"
    found, *_ = clickhouse.findings(add=f"{add} VALUES {{for $x = $batch}}{row}{{end}}")
    assert found.level == "mistake"
    assert what in found.what


def test_a_missing_right_is_a_mistake(clickhouse: Place, clickhouse_server: ClickhouseServer) -> None:
    name = clickhouse.database.url.rpartition("/")[2]
    reader = TargetDatabase("clickhouse", clickhouse_server.url(name, "reader"), "${RIGHT}")
    (found,) = clickhouse.check(reader.connector(), reader.integration(leave_out=("clear",)))
    assert {each.level for each in found.findings} == {"mistake"}
    assert "the user has no right to do this" in found.findings[0].what


@pytest.mark.parametrize(
    ("old", "new", "step", "what"),
    [
        ("${RIGHT}", "${WRONG}", "session", "refuses this user or password"),
        ("127.0.0.1", "nowhere.invalid", "reach", "cannot be resolved"),
        ("/test_", "/nope_", "session", "the database does not exist"),
        ('"\npassword', '?secure=true"\npassword', "session", "it speaks no TLS at this port"),
    ],
)
def test_what_fails_first_is_told_with_its_remedy(clickhouse: Place, old: str, new: str, step: str, what: str) -> None:
    connector = clickhouse.database.connector()
    assert old in connector
    (found,) = clickhouse.check(connector.replace(old, new), clickhouse.database.integration())
    failed = found.steps[-1]
    assert (failed.name, failed.mark) == (step, "mistake")
    assert what in failed.what
    assert "wr0ng" not in failed.what
