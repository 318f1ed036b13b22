"""What `segsync init` writes for ClickHouse: every query is an INSERT, and the greatest version of a row wins."""

from __future__ import annotations

from workers.connectors.sql.vendor import Preset, PresetQueries

MEMBERS = "(segment_id, client_id, updated, version, gone)"
CLEARED = f"""\
INSERT INTO segment_member {MEMBERS}
SELECT segment_id, client_id, {{event_time}}, {{sequence}}, 1 FROM segment_member FINAL
WHERE segment_id = {{segment_id}} AND version < {{sequence}}"""


def _member(gone: int) -> str:
    return f"""\
INSERT INTO segment_member {MEMBERS} VALUES
{{for $index, $lead = $batch}}
({{segment_id}}, '{{$lead.CustomID}}', {{$lead._event_time}}, {{$lead._sequence}}, {gone}){{autocomma}}
{{end}}"""


def _segment(name: str, gone: int) -> str:
    return f"""\
INSERT INTO segment (segment_id, name, updated, version, gone) VALUES
({{segment_id}}, {name}, {{event_time}}, {{sequence}}, {gone})"""


PRESET = Preset(
    connector="""\
url = "clickhouse://segsync@${CRM_HOST:-localhost}:${CRM_PORT:-8123}/${CRM_DATABASE:-crm}"   # ?secure=true for TLS
password = "${CRM_PASSWORD}"        # or password_file = "/run/secrets/crm"; never inside the URL
parallelism = 4                     # segments served at once, over all workers
statement_timeout = "30s\"""",
    why="""\
Of the rows with one ORDER BY, ReplacingMergeTree keeps the one of the greatest version. The version is the event's
place in the order, so a batch that comes late or again loses against what has overtaken it. A member who left is a row
with gone = 1, which FINAL hides; the rows that lost go when ClickHouse merges parts, some time later. So read the
tables with FINAL, or the view. String compares byte by byte.
Where a segment's id may be a text, make segment_id a String and write '{segment_id}' in the queries.""",
    members="""\
CREATE TABLE segment_member (
    segment_id Int64,
    client_id  String,
    updated    DateTime64(6, 'UTC'),
    version    UInt64,
    gone       UInt8
) ENGINE = ReplacingMergeTree(version, gone) ORDER BY (segment_id, client_id)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE VIEW segment_member_now AS SELECT segment_id, client_id, updated FROM segment_member FINAL""",
    segments="""\
CREATE TABLE segment (
    segment_id Int64,
    name       Nullable(String),
    updated    DateTime64(6, 'UTC'),
    version    UInt64,
    gone       UInt8
) ENGINE = ReplacingMergeTree(version, gone) ORDER BY segment_id
SETTINGS non_replicated_deduplication_window = 1000""",
    queries=PresetQueries(
        add=_member(0),
        remove=_member(1),
        clear=CLEARED,
        segment_upsert=_segment("'{segment_name}'", 0),
        segment_delete=f"{CLEARED};\n{_segment('NULL', 1)}",
        members="SELECT client_id FROM segment_member FINAL WHERE segment_id = {segment_id}",
    ),
)
