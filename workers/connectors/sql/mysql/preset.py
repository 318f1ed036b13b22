"""What `segsync init` writes for MySQL and MariaDB."""

from __future__ import annotations

from workers.connectors.sql.vendor import PRESET_WHY, Preset, usual_queries

PRESET = Preset(
    connector="""\
url = "mysql://segsync@${CRM_HOST:-localhost}:${CRM_PORT:-3306}/${CRM_DATABASE:-crm}"
password = "${CRM_PASSWORD}"        # or password_file = "/run/secrets/crm"; never inside the URL
parallelism = 4                     # segments served at once, over all workers
statement_timeout = "30s\"""",
    why=f"""\
{PRESET_WHY}
client_id is varbinary, which compares byte by byte: the usual collations take "a", "A" and "á" for one client, and
even utf8mb4_bin takes "a" and "a " for one, since it pads with blanks. The text collations that do not pad have no
name in common: utf8mb4_0900_bin (MySQL from 8.0.17), utf8mb4_nopad_bin (MariaDB); on one of them alone, varchar(255)
CHARACTER SET utf8mb4 with its collation does as well. 1020 bytes are 255 characters in UTF-8 of any kind. To read it
as text: SELECT CONVERT(client_id USING utf8mb4).""",
    members="""\
CREATE TABLE segment_member (
    segment_id bigint          NOT NULL,
    client_id  varbinary(1020) NOT NULL,
    updated    datetime(6)     NOT NULL,
    PRIMARY KEY (segment_id, client_id)
) ENGINE=InnoDB""",
    segments="""\
CREATE TABLE segment (
    segment_id bigint        NOT NULL PRIMARY KEY,
    name       varchar(4096) CHARACTER SET utf8mb4 NULL,
    updated    datetime(6)   NOT NULL
) ENGINE=InnoDB""",
    queries=usual_queries(
        "ON DUPLICATE KEY UPDATE updated = VALUES(updated)",
        "ON DUPLICATE KEY UPDATE name = VALUES(name), updated = VALUES(updated)",
    ),
)
