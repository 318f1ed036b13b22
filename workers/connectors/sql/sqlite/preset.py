"""What `segsync init` writes for SQLite."""

from __future__ import annotations

from workers.connectors.sql.vendor import PRESET_WHY, Preset, usual_queries

PRESET = Preset(
    connector="""\
url = "sqlite:///${CRM_FILE:-crm.db}"     # relative to this file; the database must be there already
statement_timeout = "30s\"""",
    why=f"""\
{PRESET_WHY}
COLLATE BINARY, which is SQLite's own choice, compares byte by byte, trailing blanks included.""",
    members="""\
CREATE TABLE segment_member (
    segment_id integer NOT NULL,
    client_id  text    NOT NULL COLLATE BINARY,
    updated    text    NOT NULL,
    PRIMARY KEY (segment_id, client_id)
)""",
    segments="""\
CREATE TABLE segment (
    segment_id integer NOT NULL PRIMARY KEY,
    name       text    NULL,
    updated    text    NOT NULL
)""",
    queries=usual_queries(
        "ON CONFLICT (segment_id, client_id) DO UPDATE SET updated = excluded.updated",
        "ON CONFLICT (segment_id) DO UPDATE SET name = excluded.name, updated = excluded.updated",
    ),
)
