"""A complete integration for each database: tables, keys and queries that `segsync init` writes out.

The queries may be repeated: `add` and `segment_upsert` find the row that is there by its unique key, so a batch that
is delivered twice leaves the same rows (delivery is at least once). Two profiles whose keys differ in case, in an
accent or in a trailing blank are two for segsync (rule 15), and so they must be for the column.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Template
from typing import Final

from workers.connectors.sql.positions import CREATE as POSITION


@dataclass(frozen=True, slots=True)
class Preset:
    """What differs between databases.

    connector      lines of [connectors.crm]
    why            why the tables are as they are
    members        CREATE TABLE of the members, without a `;`
    segments       CREATE TABLE of the segments, likewise
    member_upsert  what `add` says of a member that is there
    name_upsert    what `segment_upsert` says of a segment that is there
    """

    connector: str
    why: str
    members: str
    segments: str
    member_upsert: str
    name_upsert: str


_WHY: Final = """\
The primary keys are not optional: without them every repeated delivery adds the same rows again.
Where a segment's id may be a text, give segment_id the type of client_id and write '{segment_id}' in the queries."""

_MYSQL: Final = Preset(
    connector="""\
url = "mysql://segsync@${CRM_HOST:-localhost}:${CRM_PORT:-3306}/${CRM_DATABASE:-crm}"
password = "${CRM_PASSWORD}"        # or password_file = "/run/secrets/crm"; never inside the URL
parallelism = 4                     # segments served at once, over all workers
statement_timeout = "30s\"""",
    why=f"""\
{_WHY}
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
    member_upsert="ON DUPLICATE KEY UPDATE updated = VALUES(updated)",
    name_upsert="ON DUPLICATE KEY UPDATE name = VALUES(name), updated = VALUES(updated)",
)
_POSTGRESQL: Final = Preset(
    connector="""\
url = "postgresql://segsync@${CRM_HOST:-localhost}:${CRM_PORT:-5432}/${CRM_DATABASE:-crm}"
password = "${CRM_PASSWORD}"        # or password_file = "/run/secrets/crm"; never inside the URL
parallelism = 4                     # segments served at once, over all workers
statement_timeout = "30s\"""",
    why=f"""\
{_WHY}
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
    member_upsert="ON CONFLICT (segment_id, client_id) DO UPDATE SET updated = excluded.updated",
    name_upsert="ON CONFLICT (segment_id) DO UPDATE SET name = excluded.name, updated = excluded.updated",
)
_SQLITE: Final = Preset(
    connector="""\
url = "sqlite:///${CRM_FILE:-crm.db}"     # relative to this file; the database must be there already
statement_timeout = "30s\"""",
    why=f"""\
{_WHY}
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
    member_upsert="ON CONFLICT (segment_id, client_id) DO UPDATE SET updated = excluded.updated",
    name_upsert="ON CONFLICT (segment_id) DO UPDATE SET name = excluded.name, updated = excluded.updated",
)

PRESETS: Final = {"mysql": _MYSQL, "postgresql": _POSTGRESQL, "sqlite": _SQLITE}
"""By dialect; MariaDB is "mysql"."""


class _Text(Template):
    """`@name` is filled in; `$` and braces are TOML's variables and the queries' tags."""

    delimiter = "@"


_TOML: Final = _Text("""\
# Written by `segsync init --dialect @dialect`. `segsync check` checks it, `segsync apply` publishes it.
# ${NAME:-default} is a variable of the environment, with what stands where it is not set.

namespace = "segsync"               # prefixes every key in Redis and Celery's queues

# Left out, `segsync up` starts a Redis of its own. In production:
# [redis]
# url = "${SEGSYNC_REDIS_URL:-redis://localhost:6379/0}"
# password = "${REDIS_PASSWORD}"

[ledger]                            # what was delivered, what failed and why
url = "${SEGSYNC_LEDGER_URL:-sqlite:///segsync.db}"

[connectors.crm]
@connector

# The tables, to be made once, before the first delivery (`segsync init --dialect @dialect --sql` prints them alone):
#
@tables

[integrations.crm-segments]
name = "CRM segments"
description = "Keeps segment_member and segment up to date"
connector = "crm"
key = "CustomID"                    # the profile's field that names the row; if another, change add and remove, too
scope = { database = "main", segments = "all" }
batch = { size = 1000, timeout = "60s" }    # goes when 1,000 profiles are there, or the first has waited so long
exactly_once = false                # true needs the table segsync_position, above

# Each may be delivered again after a crash, and leaves the same rows then. `updated` is when it happened on the
# platform, not when it came to be delivered.
[integrations.crm-segments.queries]
add = '''
INSERT INTO segment_member (segment_id, client_id, updated) VALUES
{for $index, $lead = $batch}
({segment_id}, '{$lead.CustomID}', {$lead._event_time}){autocomma}
{end}
@member_upsert
'''
remove = '''
DELETE FROM segment_member WHERE segment_id = {segment_id} AND client_id IN ({batch_in "CustomID"})
'''
clear = '''
DELETE FROM segment_member WHERE segment_id = {segment_id}
'''
segment_upsert = '''
INSERT INTO segment (segment_id, name, updated) VALUES ({segment_id}, '{segment_name}', {event_time})
@name_upsert
'''
# The members of a deleted segment go, too: nothing else would ever remove them.
segment_delete = '''
DELETE FROM segment_member WHERE segment_id = {segment_id};
DELETE FROM segment WHERE segment_id = {segment_id}
'''
""")


def toml(dialect: str) -> str:
    """A whole segsync.toml for a key of PRESETS, with its tables as comments."""
    preset = PRESETS[dialect]
    return _TOML.substitute(
        dialect=dialect,
        connector=preset.connector,
        tables=_commented(f"{preset.why}\n\n{_tables(preset)}\n\n{_position(dialect)}", "#", "# "),
        member_upsert=preset.member_upsert,
        name_upsert=preset.name_upsert,
    )


def sql(dialect: str) -> str:
    """The tables alone; what only `exactly_once` needs stands in a comment."""
    preset = PRESETS[dialect]
    return (
        f"{_commented(preset.why, '--', '-- ')}\n{_tables(preset)}\n\n{_commented(_position(dialect), '--', '-- ')}\n"
    )


def _tables(preset: Preset) -> str:
    return f"{preset.members};\n\n{preset.segments};"


def _position(dialect: str) -> str:
    return f"Only for exactly_once = true:\n{POSITION[dialect]};"


def _commented(text: str, empty: str, mark: str) -> str:
    return "\n".join(mark + line if line else empty for line in text.split("\n"))
