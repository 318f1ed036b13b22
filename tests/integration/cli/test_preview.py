"""`segsync preview`, with a Redis that nobody answers for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.place import Call, Place, caller, integration

if TYPE_CHECKING:
    from pathlib import Path

    import redis


@pytest.fixture
def offline(tmp_path: Path, redis_client: redis.Redis) -> Place:
    """An installation whose Redis is out of reach."""
    place = Place(tmp_path, redis_client, "redis://127.0.0.1:1/0", "offline")
    place.write(integration())
    place.target.unlink()
    return place


@pytest.fixture
def call(offline: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    return caller(offline, monkeypatch, capsys)


def test_the_whole_round(offline: Place, call: Call) -> None:
    folder = offline.folder / "events"
    folder.mkdir()
    (folder / "add.json").write_text(
        '{"type":"add","segment":{"id":7},"profiles":[{"_id":"1","id":"value\'s"},{"_id":"2"}]}'
    )
    alone = call("preview", "crm", str(folder / "add.json"))
    assert (alone.returncode, alone.stdout.count("profile 2 (_id 2): missing key"), alone.stderr) == (1, 1, "")
    assert "('7', 'value''s');" in alone.stdout

    assert call("preview", "crm", str(folder)).returncode == 1
    assert call("preview", "crm", str(folder), "--write").returncode == 0
    assert (folder / "add.sql").read_text() == alone.stdout
    assert call("preview", "crm", str(folder)).returncode == 0
    assert not offline.target.exists()


def test_wrong_usage_is_a_message_and_status_2(offline: Place, call: Call) -> None:
    for arguments, message in (
        (("preview", "crn", "e.json"), "no integration 'crn'"),
        (("preview", "crm", "e.json"), "e.json: no such file"),
        (("init", "--dialect", "db2"), "has no preset"),
        (("init", "--dialect", "sqlite", "--output", str(offline.file)), "is there already"),
    ):
        done = call(*arguments)
        assert (done.returncode, done.stderr.startswith("segsync: "), message in done.stderr) == (2, True, True), done
