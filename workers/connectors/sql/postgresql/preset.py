"""What `segsync init` writes for PostgreSQL."""

from __future__ import annotations

from workers.connectors.sql.vendor import PRESET_WHY, Preset, usual_queries

PRESET = Preset(
    connector="""\
url = "postgresql://segsync@${CRM_HOST:-localhost}:${CRM_PORT:-5432}/${CRM_DATABASE:-crm}"
password = "${CRM_PASSWORD}"        # or password_file = "/run/secrets/crm"; never inside the URL
parallelism = 4                     # segments served at once, over all workers
statement_timeout = "30s\"""",
    why=f"""\
{PRESET_WHY}
COLLATE "C" compares byte by byte, trailing blanks included, and its index survives an upgrade of the system's
collations. Not char(n), which ignores trailing blanks, nor citext, which ignores case.""",
    members="""\
CREATE TABLE segment_member (
    segment_id bigint                   NOT NULL,
    client_id  varchar(255) COLLATE "C" NOT NULL,
    updated    timestamptz              NOT NULL,
    PRIMARY KEY (segment_id, client_id)
)""",
    segments="""\
CREATE TABLE segment (
    segment_id bigint      NOT NULL PRIMARY KEY,
    name       text        NULL,
    updated    timestamptz NOT NULL
)""",
    queries=usual_queries(
        "ON CONFLICT (segment_id, client_id) DO UPDATE SET updated = excluded.updated",
        "ON CONFLICT (segment_id) DO UPDATE SET name = excluded.name, updated = excluded.updated",
    ),
)
