"""Every line that the product logs is one of the closed list, with its fields and no others."""

from __future__ import annotations

import ast
import json
import logging
from typing import TYPE_CHECKING

import pytest

from tests.repository import ROOT, parsed
from workers import log
from workers.log import FIELDS, LINES, REVISION_FOLLOWED, JsonFormatter, Without, shape, tell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PRODUCT = [path for folder in ("workers", "tasks") for path in sorted((ROOT / folder).rglob("*.py"))]
SILENCES = {
    "workers/preflight/shapes.py",
    "workers/connectors/sql/clickhouse/connection.py",
    "workers/connectors/audiences/http.py",
}
SETS_UP = {"workers/console/serving.py", "workers/log.py", "workers/cli/commands/drain.py", *SILENCES}
"""Where `logging` itself is spoken to: what defines the lines, a command that says where they go, and
libraries that are silenced."""
LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}


def calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(parsed()[path.relative_to(ROOT).as_posix()]) if isinstance(node, ast.Call))


def test_no_module_logs_by_itself() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in PRODUCT
        if str(path.relative_to(ROOT)) not in SETS_UP
        for call in calls(path)
        if isinstance(call.func, ast.Attribute)
        and (
            (call.func.attr == "getLogger")
            or (call.func.attr in LEVELS and isinstance(call.func.value, ast.Name) and "log" in call.func.value.id)
        )
    ]
    assert found == []


def test_every_line_is_told_with_its_fields() -> None:
    told = [
        (path, call)
        for path in PRODUCT
        if "from workers.log import" in path.read_text()
        for call in calls(path)
        if isinstance(call.func, ast.Name) and call.func.id == "tell"
    ]
    assert len(told) > 5
    for path, call in told:
        (name,) = call.args
        assert isinstance(name, ast.Name), f"{path}:{call.lineno}: expected the name of a line"
        line = getattr(log, name.id)
        given = {keyword.arg for keyword in call.keywords} - {"level", "traceback"}
        assert given == line.fields, f"{path}:{call.lineno}: {line.name} has the fields {sorted(line.fields)}"


def test_every_line_is_told_somewhere() -> None:
    names = {
        argument.id
        for path in PRODUCT
        for call in calls(path)
        if isinstance(call.func, ast.Name) and call.func.id == "tell"
        for argument in call.args
        if isinstance(argument, ast.Name)
    }
    assert {name for name in vars(log) if isinstance(getattr(log, name), log.Line)} <= names


def test_fields_are_a_closed_list() -> None:
    used = {name for line in LINES.values() for name in line.fields}
    assert used == set(FIELDS)


def test_no_field_takes_the_place_of_what_every_line_has() -> None:
    record = logging.LogRecord("segsync", logging.INFO, "", 0, "", (), (ValueError, ValueError(), None))
    assert set(FIELDS).isdisjoint(json.loads(JsonFormatter().format(record)))


def test_names_are_spelled_alike() -> None:
    assert {name.lower() for name in vars(log) if isinstance(getattr(log, name), log.Line)} == set(LINES)


@pytest.fixture
def record(caplog: pytest.LogCaptureFixture) -> logging.LogRecord:
    with caplog.at_level(logging.INFO):
        tell(REVISION_FOLLOWED, revision=3)
    (found,) = caplog.records
    return found


def test_for_people_a_line_is_its_sentence(record: logging.LogRecord) -> None:
    assert record.getMessage() == "working by revision 3 of the configuration"


def test_as_json_it_has_its_event_and_fields(record: logging.LogRecord) -> None:
    found = json.loads(JsonFormatter().format(record))
    assert found.pop("at").endswith("+00:00")
    assert found == {
        "level": "info",
        "event": "revision_followed",
        "revision": 3,
        "text": "working by revision 3 of the configuration",
    }


def test_a_library_s_line_with_a_traceback_is_one_line_of_json() -> None:
    try:
        raise ValueError("no\nsuch")  # noqa: TRY301 - a traceback is wanted
    except ValueError as error:
        record = logging.LogRecord("celery", logging.ERROR, "", 0, "it %s", ("fails",), (type(error), error, None))
    text = JsonFormatter().format(record)
    assert "\n" not in text
    found = json.loads(text)
    assert (found["event"], found["logger"], found["text"]) == ("library", "celery", "it fails")
    assert "ValueError" in found["traceback"]


def test_the_environment_decides() -> None:
    text, as_json = logging.StreamHandler(), logging.StreamHandler()
    shape([text], {})
    shape([as_json], {"SEGSYNC_LOG": "JSON"})
    assert not isinstance(text.formatter, JsonFormatter)
    assert isinstance(as_json.formatter, JsonFormatter)


def test_what_is_told_before_the_log_is_set_up_is_written_where_it_is_then(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    early = log.Early()
    early.begin()
    monkeypatch.setattr(log.logger, "propagate", False)
    tell(log.ROUTING_LOST)
    assert (caplog.records, capsys.readouterr().err) == ([], "")
    monkeypatch.setattr(log.logger, "propagate", True)
    early.hand_on()
    early.hand_on()
    assert [each.segsync_line for each in caplog.records] == ["routing_lost"]  # type: ignore[attr-defined]
    tell(log.ROUTING_LOST)
    assert len(caplog.records) == 2


def test_the_last_word_of_what_cannot_start_is_a_line_like_the_others() -> None:
    assert log.last_word("a\nb", {}) == "a\nb"
    said = json.loads(log.last_word("a\nb", {"SEGSYNC_LOG": "json"}))
    assert (said["level"], said["text"]) == ("critical", "a\nb")


def test_no_field_makes_a_line_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        tell(log.CONSOLE_ACT, by="bob", act="pause", on="x\nann: apply\x1b[31m", outcome="done")
    assert "x\\nann: apply\\x1b[31m" in caplog.messages[-1]
    assert caplog.messages[-1].isprintable()


def test_a_line_can_be_left_out(record: logging.LogRecord) -> None:
    assert not Without([REVISION_FOLLOWED]).filter(record)
    assert Without([]).filter(record)
