"""`segsync quarantine retry|drop|export|purge|list`, as functions: what they print, write and end with."""

from __future__ import annotations

import base64
import errno
import json
import stat
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.place import integration
from workers.cli.commands import quarantine, runs, why
from workers.cli.commands.statistics import Form
from workers.cli.exit_status import FINE, NEEDS_SOMEONE
from workers.control.drain import drain
from workers.errors import WrongUsage
from workers.quarantine import entries
from workers.quarantine.entries import Selection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.place import Place
    from workers.runtime import Runtime

BINARY = b"\xff\x00{"


@pytest.fixture
def runtime(place: Place, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """An installation with three entries: a profile without key, one of another segment, and bytes that are no text."""
    runtime = place.publish(integration())
    monkeypatch.setenv("SEGSYNC_CONFIG", str(place.file))
    for segment in (7, 8):
        event = {"type": "add", "segment": {"id": segment}, "profiles": [{"_id": "1", "id": ""}]}
        place.redis.xadd(place.keys.events, {"event": json.dumps(event)})
    place.redis.xadd(place.keys.events, {"event": BINARY})
    deliver(runtime)
    return runtime


def deliver(runtime: Runtime) -> None:
    """Until nothing is owed: the batch waits for its timeout."""
    drain(runtime, 300)
    while int(runtime.redis.hget(runtime.keys.integration("crm"), "backlog") or 0):
        drain(runtime, 300)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def states(runtime: Runtime) -> list[str]:
    return [entry.state for page in entries.pages(runtime.ledger, Selection(state=None)) for entry in page]


def test_show_tells_the_tries(runtime: Runtime, capsys: pytest.CaptureFixture[str]) -> None:
    """A profile without key is set aside before its batch runs: that is the one try."""
    (found,) = [e for e in entries.list_entries(runtime.ledger, "crm") if e.segment == "7"]

    assert quarantine.show(found.id, as_json=False) == FINE
    assert "try " in (text := capsys.readouterr().out)
    assert "of 1 operation: delivered, without it" in text
    assert quarantine.show(found.id, as_json=True) == FINE
    (attempt,) = json.loads(capsys.readouterr().out)["tries"]
    assert (attempt["operations"], attempt["outcome"], attempt["code"]) == (1, "delivered", "")


def test_an_export_holds_every_byte(runtime: Runtime, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.jsonl"
    assert quarantine.export(quarantine.fitting(None, None, "open"), str(out)) == FINE
    assert "3 entries" in capsys.readouterr().out
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    exported = lines(out)
    for line in exported:
        stored = entries.show(runtime.ledger, line["id"])
        payload = (line["payload"] or "").encode() or base64.b64decode(line["payload_base64"])
        assert (payload, line["reason"], line["code"]) == (stored.payload, stored.reason, stored.code)
        assert (line["retries"], line["whole"], line["state"]) == (0, True, "open")
        assert datetime.fromisoformat(line["at"]) == stored.at
    assert sorted(line["payload"] is None for line in exported) == [False, False, True]


def test_an_export_can_be_narrowed_and_overwrites_nothing(runtime: Runtime, tmp_path: Path) -> None:
    assert runtime is not None
    out = tmp_path / "out.jsonl"
    quarantine.export(quarantine.fitting("crm", "missing key", "all"), str(out))
    assert [line["segment"] for line in lines(out)] == ["7", "8"]
    with pytest.raises(WrongUsage, match="cannot be made"):
        quarantine.export(quarantine.fitting(None, None, "open"), str(out))


@pytest.mark.usefixtures("runtime")
def test_half_an_export_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looked like all of them, and a second try met a file that is never overwritten."""

    def failing(*_: object) -> Iterator[bytes]:
        yield b"{}\n"
        raise OSError(errno.ENOSPC, "No space left on device")

    out = tmp_path / "out.jsonl"
    with monkeypatch.context() as patched:
        patched.setattr(quarantine, "export_lines", failing)
        with pytest.raises(OSError, match="No space left"):
            quarantine.export(quarantine.fitting(None, None, "open"), str(out))
    assert not out.exists()
    assert quarantine.export(quarantine.fitting(None, None, "open"), str(out)) == FINE


def test_an_export_goes_to_standard_output(runtime: Runtime, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert runtime is not None
    quarantine.export(quarantine.fitting("crm", None, "open"), "-")
    assert [json.loads(line)["integration"] for line in capfdbinary.readouterr().out.splitlines()] == ["crm", "crm"]


@pytest.mark.parametrize(
    ("ids", "more"), [([], {}), ([1], {"integration": "crm"}), ([1], {"code": "x"}), ([1], {"every": True})]
)
def test_a_command_about_nothing_or_two_things_is_wrong(ids: list[int], more: dict[str, Any]) -> None:
    with pytest.raises(WrongUsage):
        quarantine.wanted(ids, more.pop("integration", None), more.pop("code", None), **more)


def test_retry_and_list_tell_what_came_of_it(runtime: Runtime, capsys: pytest.CaptureFixture[str]) -> None:
    assert quarantine.retry(quarantine.wanted([], "crm", None), as_json=False) == FINE
    assert "2 entries are on their way once more" in capsys.readouterr().out
    deliver(runtime)
    assert states(runtime).count("replaced") == 2
    assert quarantine.retry(quarantine.wanted([], "crm", "no such code"), as_json=False) == FINE
    assert "0 entries" in capsys.readouterr().out
    quarantine.listed("crm", 10, state="all", as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["open"] == 2
    assert [(e["state"], e["retries"]) for e in found["entries"]] == [("open", 1)] * 2 + [("replaced", 0)] * 2
    quarantine.listed("crm", 10, state="replaced", as_json=False)
    assert "missing key" in capsys.readouterr().out


def test_a_command_may_be_about_a_segment_alone(runtime: Runtime, capsys: pytest.CaptureFixture[str]) -> None:
    quarantine.listed(None, 10, segment="8", as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["open"], [each["segment"] for each in found["entries"]]) == (1, ["8"])
    quarantine.listed(None, 10, segment="9", as_json=False)
    assert capsys.readouterr().out == "no entries of segment 9: open\n"
    assert quarantine.drop(quarantine.wanted([], None, None, "8"), as_json=False) == FINE
    assert "1 entry is dropped" in capsys.readouterr().out
    assert sorted(states(runtime)) == ["dropped", "open", "open"]


@pytest.mark.parametrize("segment", ["", "8" * 256, "8\n"])
def test_a_segment_that_is_none_is_wrong_usage(segment: str, runtime: Runtime) -> None:
    """Of an integration's entries an empty one left nothing out: all were given up."""
    with pytest.raises(WrongUsage, match="is no id; expected 1 to 255 bytes"):
        quarantine.drop(quarantine.wanted([], "crm", None, segment), as_json=False)
    with pytest.raises(WrongUsage, match="is no id"):
        quarantine.listed(None, 10, segment=segment, as_json=True)
    with pytest.raises(WrongUsage, match="is no id"):
        quarantine.fitting("crm", None, "open", segment)
    with pytest.raises(WrongUsage, match="is no id"):
        why.run("crm", segment, None, as_json=True)
    with pytest.raises(WrongUsage, match="is no id"):
        runs.run("24h", "now", None, segment, failed=False, limit=1, form=Form())
    assert set(states(runtime)) == {"open"}


def test_an_unknown_state_is_wrong_usage(runtime: Runtime) -> None:
    assert runtime is not None
    with pytest.raises(WrongUsage, match="expected one of open, retried"):
        quarantine.listed(None, 10, state="opne", as_json=False)


def test_what_cannot_be_dropped_is_said_and_counts(runtime: Runtime, capsys: pytest.CaptureFixture[str]) -> None:
    first = min(e.id for e in entries.list_entries(runtime.ledger))
    assert quarantine.drop(quarantine.wanted([first], None, None), as_json=False) == FINE
    assert quarantine.drop(quarantine.wanted([first], None, None), as_json=False) == NEEDS_SOMEONE
    assert f"{first} stays as it is: it is dropped" in capsys.readouterr().out
    assert quarantine.drop(quarantine.wanted([first], None, None), as_json=True) == NEEDS_SOMEONE
    assert json.loads(capsys.readouterr().out) == {"entries": 0, "left": [[first, "it is dropped"]], "skipped": 1}


def test_purge_deletes_what_was_resolved_long_ago(runtime: Runtime, capsys: pytest.CaptureFixture[str]) -> None:
    quarantine.drop(quarantine.wanted([1], None, None), as_json=False)
    assert quarantine.purge("30d") == FINE
    assert len(states(runtime)) == 3
    assert entries.purge(runtime.ledger, datetime.now(UTC) + timedelta(hours=1)) == 1
    assert states(runtime) == ["open", "open"]
    assert "0 entries that were resolved before" in capsys.readouterr().out
