"""What `segsync init` writes for Oracle."""

from __future__ import annotations

from workers.connectors.sql.vendor import PRESET_WHY, Preset, PresetQueries

PRESET = Preset(
    connector="""\
url = "oracle://segsync@${CRM_HOST:-localhost}:${CRM_PORT:-1521}/${CRM_SERVICE:-crm}"
password = "${CRM_PASSWORD}"        # or password_file = "/run/secrets/crm"; never inside the URL
parallelism = 4                     # segments served at once, over all workers
statement_timeout = "30s\"""",
    why=f"""\
{PRESET_WHY}
varchar2 keeps trailing blanks apart, which char does not, and is compared byte by byte: the session sets NLS_COMP and
NLS_SORT to BINARY. An empty text is NULL here, so a name that is empty is stored as none.""",
    members="""\
CREATE TABLE segment_member (
    segment_id number(19)         NOT NULL,
    client_id  varchar2(255 char) NOT NULL,
    updated    timestamp(6)       NOT NULL,
    PRIMARY KEY (segment_id, client_id)
)""",
    segments="""\
CREATE TABLE segment (
    segment_id number(19)         NOT NULL PRIMARY KEY,
    name       varchar2(1000 char),
    updated    timestamp(6)       NOT NULL
)""",
    queries=PresetQueries(
        add="""\
MERGE INTO segment_member t
USING (
{for $index, $lead = $batch}
{if $index > 0}UNION ALL {end}SELECT {segment_id} AS segment_id, '{$lead.CustomID}' AS client_id,
{$lead._event_time} AS updated FROM dual
{end}
) s ON (t.segment_id = s.segment_id AND t.client_id = s.client_id)
WHEN MATCHED THEN UPDATE SET t.updated = s.updated
WHEN NOT MATCHED THEN INSERT (segment_id, client_id, updated) VALUES (s.segment_id, s.client_id, s.updated)""",
        remove="""\
DELETE FROM segment_member WHERE segment_id = {segment_id} AND client_id IN ({batch_in "CustomID"})""",
        clear="DELETE FROM segment_member WHERE segment_id = {segment_id}",
        segment_upsert="""\
MERGE INTO segment t
USING (SELECT {segment_id} AS segment_id, '{segment_name}' AS name, {event_time} AS updated FROM dual) s
ON (t.segment_id = s.segment_id)
WHEN MATCHED THEN UPDATE SET t.name = s.name, t.updated = s.updated
WHEN NOT MATCHED THEN INSERT (segment_id, name, updated) VALUES (s.segment_id, s.name, s.updated)""",
        segment_delete="""\
DELETE FROM segment_member WHERE segment_id = {segment_id};
DELETE FROM segment WHERE segment_id = {segment_id}""",
    ),
)
