"""What `segsync init` writes for SQL Server.

MERGE without HOLDLOCK can meet a row that another session inserts between its look and its insert, and fails then
(learn.microsoft.com, "MERGE (Transact-SQL)", Remarks).
"""

from __future__ import annotations

from workers.connectors.sql.vendor import PRESET_WHY, Preset, PresetQueries

PRESET = Preset(
    connector="""\
url = "mssql://segsync@${CRM_HOST:-localhost}:${CRM_PORT:-1433}/${CRM_DATABASE:-crm}"
password = "${CRM_PASSWORD}"        # or password_file = "/run/secrets/crm"; never inside the URL
parallelism = 4                     # segments served at once, over all workers
statement_timeout = "30s\"""",
    why=f"""\
{PRESET_WHY}
Every collation of texts ignores trailing blanks here, and most of them ignore case. So the key is client_key, the bytes
of client_id, which the server computes; client_id itself is there to be read and joined with. In the queries the bytes
are more than the column's, since CAST cuts what is too long without a word, and would find another row.""",
    members="""\
CREATE TABLE segment_member (
    segment_id bigint                                         NOT NULL,
    client_id  nvarchar(255) COLLATE Latin1_General_100_BIN2  NOT NULL,
    client_key AS CAST(client_id AS varbinary(510)) PERSISTED NOT NULL,
    updated    datetime2(6)                                   NOT NULL,
    PRIMARY KEY (segment_id, client_key)
)""",
    segments="""\
CREATE TABLE segment (
    segment_id bigint        NOT NULL PRIMARY KEY,
    name       nvarchar(max) NULL,
    updated    datetime2(6)  NOT NULL
)""",
    queries=PresetQueries(
        add="""\
MERGE INTO segment_member WITH (HOLDLOCK) AS t
USING (VALUES
{for $index, $lead = $batch}
({segment_id}, '{$lead.CustomID}', CAST('{$lead.CustomID}' AS varbinary(8000)), {$lead._event_time}){autocomma}
{end}
) AS s (segment_id, client_id, client_key, updated)
ON t.segment_id = s.segment_id AND t.client_key = s.client_key
WHEN MATCHED THEN UPDATE SET updated = s.updated
WHEN NOT MATCHED THEN INSERT (segment_id, client_id, updated) VALUES (s.segment_id, s.client_id, s.updated)""",
        remove="""\
DELETE FROM segment_member WHERE segment_id = {segment_id} AND client_key IN (
{for $lead = $batch}CAST('{$lead.CustomID}' AS varbinary(8000)){autocomma}{end}
)""",
        clear="DELETE FROM segment_member WHERE segment_id = {segment_id}",
        segment_upsert="""\
MERGE INTO segment WITH (HOLDLOCK) AS t
USING (VALUES ({segment_id}, '{segment_name}', {event_time})) AS s (segment_id, name, updated)
ON t.segment_id = s.segment_id
WHEN MATCHED THEN UPDATE SET name = s.name, updated = s.updated
WHEN NOT MATCHED THEN INSERT (segment_id, name, updated) VALUES (s.segment_id, s.name, s.updated)""",
        segment_delete="""\
DELETE FROM segment_member WHERE segment_id = {segment_id};
DELETE FROM segment WHERE segment_id = {segment_id}""",
        members="",
    ),
)
