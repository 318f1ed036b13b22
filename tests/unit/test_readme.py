"""What a newcomer copies from README.md and docs/ works as it is printed there."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING

import segsync
from tests.fake_redis import FakeRedis, producer_to
from tests.repository import ROOT
from workers.cli import presets
from workers.cli.commands import preview
from workers.events.parsing import parse
from workers.settings import load
from workers.templates import QueryKind, Row, SegmentView

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

README = (ROOT / "README.md").read_text(encoding="utf-8")
EVENTS = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
PREVIEW = (ROOT / "docs" / "preview.md").read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def test_the_configuration_is_right(tmp_path: Path) -> None:
    file = tmp_path / "segsync.toml"
    file.write_text(blocks(README, "toml")[0], encoding="utf-8")
    settings = load(file, {"CRM_PASSWORD": "x"})
    assert settings.warnings == []
    integration = settings.integrations["crm-segments"]
    rows: list[Row] = [Row({"_id": "1", "CustomID": text}, 0, 1) for text in ("O'Brien", 'x", NOW()),(666,"evil')]
    (statement,) = integration.queries[QueryKind.ADD].render(rows, SegmentView("7", None, 0, 0))
    assert '(7, "O\'Brien", NOW()),\n(7, "x"", NOW()),(666,""evil", NOW())\n' in statement


def xadds() -> list[list[str]]:
    return [shlex.split(line) for block in blocks(README, "sh") for line in block.splitlines() if " XADD " in line]


def test_the_commands_for_any_language_push_events() -> None:
    assert len(xadds()) == 2
    for command in xadds():
        assert command[:5] == ["redis-cli", "XADD", "segsync:events", "*", "event"]
        assert not parse(command[5].encode()).bad


def test_the_five_events_are_events() -> None:
    printed = [line for block in blocks(EVENTS, "json") for line in block.splitlines()]
    kinds = [parse(line.encode()).kind.label for line in printed]
    assert sorted(kinds) == sorted(kind.value for kind in QueryKind)


def test_the_client_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    intake = FakeRedis()
    asked: list[str] = []

    def producer(url: str) -> segsync.Producer:
        asked.append(url)
        return producer_to(intake)

    monkeypatch.setattr(segsync, "Producer", producer)
    exec(compile(blocks(README, "python")[0], "README.md", "exec"), {})  # noqa: S102 - our own page
    assert asked == ["redis://localhost:6379/0"]
    assert [json.loads(event)["type"] for event in intake.events] == ["segment_upsert", "add", "remove"]


def test_the_first_preview_shows_what_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "segsync.toml").write_text(presets.toml("sqlite"), encoding="utf-8")
    (tmp_path / "add.json").write_text(blocks(PREVIEW, "json")[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert preview.run("crm-segments", tmp_path / "add.json") == 0
    printed = PREVIEW.partition("$ segsync preview crm-segments events/add.json\n")[2].partition("```")[0]
    assert capsys.readouterr().out == printed


def test_the_page_of_all_keys_is_a_configuration(tmp_path: Path) -> None:
    for folder in ("crm", "integrations"):
        (tmp_path / folder).mkdir()
    (tmp_path / "integrations" / "none.toml").write_text("[integrations]\n", encoding="utf-8")
    (tmp_path / "crm" / "delete.sql").write_text("DELETE FROM mysegment WHERE segId = {segment_id}", encoding="utf-8")
    file = tmp_path / "segsync.toml"
    file.write_text(blocks(CONFIGURATION, "toml")[0], encoding="utf-8")
    secrets = ("CRM_PASSWORD", "REDIS_PASSWORD", "BROKER_PASSWORD", "SENTINEL_PASSWORD")
    settings = load(file, dict.fromkeys(secrets, "x"))
    assert settings.warnings == []
    assert set(settings.integrations["crm-segments"].queries) == set(QueryKind) - {QueryKind.SEGMENT_UPSERT}


FOR_TESTS = {"SEGSYNC_LEASE_MS", "SEGSYNC_CRASH_AT", "SEGSYNC_CRASH_FILE"}
ASKED = "optional_text|text|flag|whole|choice|seconds|list_of|table|tables|name|read_password|_url"
READS = re.compile(rf"\b(?:{ASKED})\(\s*(?:table, )?\"(\w+)\"")


def test_the_page_of_all_keys_has_every_key_that_is_read() -> None:
    code = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "workers" / "settings").glob("*.py"))
    read = set(READS.findall(code))
    assert read > {"namespace", "parallelism", "batch", "size", "max_quarantine", "sentinels"}
    assert {key for key in read if not re.search(rf"\b{key}\b", CONFIGURATION)} == set()


def test_the_page_of_all_keys_has_every_variable() -> None:
    code = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "workers").rglob("*.py"))
    read = set(re.findall(r"\"(SEGSYNC_[A-Z_]+)\"", code)) - FOR_TESTS
    assert {name for name in read if name not in CONFIGURATION} == set()


def test_the_workers_that_are_started_by_hand_serve_every_queue() -> None:
    """A queue that the page forgets is one whose tasks wait for ever."""
    served = {queue for found in re.findall(r"^celery .* -Q (\S+)", README, re.MULTILINE) for queue in found.split(",")}
    named = set(re.findall(r'Queue\("(\w+)"\)', (ROOT / "celeryconfig.py").read_text(encoding="utf-8")))
    assert named | {"deliver.crm"} == served
