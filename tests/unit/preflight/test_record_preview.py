"""What an ad account would be sent for events, without asking anybody."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.settings.files import loaded
from workers.errors import WrongUsage
from workers.preflight.record_preview import RecordPreview, preview_records, record_text

if TYPE_CHECKING:
    from pathlib import Path

FILE = """
[connectors.fb]
platform = "facebook-ads"
account = "1"
access_token = "${FB_TOKEN}"
[integrations.buyers]
connector = "fb"
key = "CustomID"
scope = { segments = [7] }
fields = { em = "email", ph = "phone", fn = "name", external_id = "CustomID" }
phone_region = "RU"
consent = "ads"
on_delete = "delete"
"""
ANN = {"_id": "61f0", "CustomID": "A-17", "email": " Ann@Example.com", "name": "Ann", "phone": "12", "ads": True}


def previewed(tmp_path: Path, *events: dict[str, object]) -> RecordPreview:
    settings = loaded(tmp_path, FILE)
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join(json.dumps({"segment": {"id": 7, "name": "VIP"}} | event) for event in events))
    return preview_records(settings.integrations["buyers"], settings.connectors["fb"], file)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_records_are_shown_as_they_would_be_sent(tmp_path: Path) -> None:
    no = {"_id": 2, "CustomID": "B-18", "email": "b@example.com", "ads": False}
    found = previewed(
        tmp_path,
        {"type": "segment_upsert"},
        {"type": "add", "profiles": [ANN, no, {"_id": 3, "ads": True}]},
        {"type": "remove", "profiles": [ANN]},
        {"type": "segment_delete"},
    )
    assert (
        record_text(found)
        == f"""\
-- segment_upsert of segment 7: its audiences are called 'VIP'

-- segment_delete of segment 7: its audiences are deleted

-- add of profile 61f0 (key A-17): sent
EMAIL            sha256   {sha256("ann@example.com")}
EXTERN_ID        as it is A-17
FN               sha256   {sha256("ann")}  (only along)
ph               left out: {found.records[0].left_out["ph"]}

-- add of profile 2 (key B-18): its own consent is no yes

-- remove of profile 61f0 (key A-17): taken out, as it was sent
EMAIL            sha256   {sha256("ann@example.com")}
EXTERN_ID        as it is A-17
FN               sha256   {sha256("ann")}  (only along)
ph               left out: {found.records[0].left_out["ph"]}

-- rejected: event 2, profile 3 (_id 3): {found.rejected[0].partition(": ")[2]}
"""
    )
    assert not any(each.refused for each in found.records)


def test_a_folder_is_for_statements(tmp_path: Path) -> None:
    settings = loaded(tmp_path, FILE)
    with pytest.raises(WrongUsage, match="is a folder, and 'fb' an ad account; expected a file of events"):
        preview_records(settings.integrations["buyers"], settings.connectors["fb"], tmp_path)
