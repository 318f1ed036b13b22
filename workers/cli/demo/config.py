"""The demo's configuration and target: what a user would write, in SQLite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

INTEGRATION: Final = "crm-segments"

SCHEMA: Final = """
CREATE TABLE mysegment (
    segment_id INTEGER NOT NULL,
    client_id  TEXT NOT NULL,
    name       TEXT,
    updated    TEXT NOT NULL,
    PRIMARY KEY (segment_id, client_id)
);
CREATE TABLE segments (
    segment_id INTEGER PRIMARY KEY,
    name       TEXT,
    updated    TEXT NOT NULL
);
"""
"""The customer's tables; the demo makes them, segsync never would."""

CONFIG: Final = """\
namespace = "segsync"

[redis]
url = "%(redis)s"

[ledger]
url = "sqlite:///ledger.db"

[connectors.crm]
url = "sqlite:///target.db"
parallelism = 2

[integrations.crm-segments]
name = "CRM segments"
description = "Keeps mysegment and segments up to date"
connector = "crm"
key = "CustomID"
scope = { database = "main", segments = "all" }
batch = { size = 1000, timeout = "2s" }

[integrations.crm-segments.queries]
add = '''
INSERT INTO mysegment (segment_id, client_id, name, updated)
VALUES
{for $index, $lead = $batch}
({segment_id}, '{$lead.CustomID}', '{$lead.name}', CURRENT_TIMESTAMP){autocomma}
{end}
ON CONFLICT (segment_id, client_id) DO UPDATE SET name = excluded.name, updated = excluded.updated
'''
remove = '''
DELETE FROM mysegment
WHERE segment_id = {segment_id}
AND client_id IN ({batch_in "CustomID"})
'''
clear = '''
DELETE FROM mysegment
WHERE segment_id = {segment_id}
'''
segment_upsert = '''
INSERT INTO segments (segment_id, name, updated)
VALUES ({segment_id}, '{segment_name}', CURRENT_TIMESTAMP)
ON CONFLICT (segment_id) DO UPDATE SET name = excluded.name, updated = excluded.updated
'''
segment_delete = '''
DELETE FROM segments
WHERE segment_id = {segment_id}
'''
"""


def write_config(folder: Path, redis_url: str) -> Path:
    """Writes segsync.toml into the folder; its path."""
    path = folder / "segsync.toml"
    path.write_text(CONFIG % {"redis": redis_url})
    return path
