"""A complete integration for each database: tables, keys and queries that `segsync init` writes out.

The queries may be repeated: `add` and `segment_upsert` find the row that is there by its unique key, so a batch that
is delivered twice leaves the same rows (delivery is at least once). Two profiles whose keys differ in case, in an
accent or in a trailing blank are two for segsync (rule 15), and so they must be for the column.
"""

from __future__ import annotations

from string import Template
from typing import TYPE_CHECKING, Final

from workers.connectors.sql.vendors import VENDORS

if TYPE_CHECKING:
    from workers.connectors.sql.vendor import Preset


PRESETS: Final = {scheme: vendor.preset for scheme, vendor in VENDORS.items()}
"""By dialect."""


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
ordering = "exact"                  # different texts of the key are different rows, as the tables above have it
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
    return f"Only for exactly_once = true:\n{VENDORS[dialect].position.create};"


def _commented(text: str, empty: str, mark: str) -> str:
    return "\n".join(mark + line if line else empty for line in text.split("\n"))
