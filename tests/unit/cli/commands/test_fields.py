"""The page for people and the one to be handed on, made of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.cli.commands import fields

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

FILE = """
[connectors.crm]
url = "sqlite:///crm.db"
[integrations.people]
name = "A | *name*"
active = false
connector = "crm"
key = "odd|name"
scope = { segments = [7] }
[integrations.people.queries]
add = '''INSERT INTO m VALUES ('{lead["odd|name"]}', '{lead.segment_id}', '{segment_id}', '{json lead}')'''
remove = '''DELETE FROM m WHERE a = '{lead["odd|name"]}' '''
"""


def test_names_stay_in_their_place_whatever_they_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "segsync.toml"
    file.write_text(FILE)
    monkeypatch.setenv("SEGSYNC_CONFIG", str(file))
    assert fields.run("people", file=True, markdown=True, as_json=False) == 0
    page = capsys.readouterr().out
    assert "## people (A \\| \\*name\\*): SQLite, connector crm, paused in the file" in page
    assert "None: it is a file." in page
    assert "| odd\\|name | not hashed | add, remove |" in page
    assert "| the whole profile | not hashed | add |" in page
    # A field of the profile's, and the segment's id: two things of one name.
    assert "| segment_id | not hashed | add |" in page
    assert "| the segment's id | not hashed | add |" in page

    assert fields.run(None, file=True, markdown=False, as_json=False) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Data transmitted during synchronization: {file}\n\npeople (A | *name*): SQLite")
    assert "  authorization  none: it is a file\n" in text
