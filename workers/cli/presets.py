"""A complete integration for each database: tables, keys and queries that `segsync init` writes out.

The queries may be repeated: `add` and `segment_upsert` find the row that is there by its unique key, so a batch that
is delivered twice leaves the same rows (delivery is at least once). Two profiles whose keys differ in case, in an
accent or in a trailing blank are two for segsync (rule 15), and so they must be for the column.
"""

from __future__ import annotations

from dataclasses import asdict
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
@once

# Each may be delivered again after a crash, and leaves the same rows then. `updated` is when it happened on the
# platform, not when it came to be delivered.
[integrations.crm-segments.queries]
add = '''
@add
'''
remove = '''
@remove
'''
clear = '''
@clear
'''
segment_upsert = '''
@segment_upsert
'''
# The members of a deleted segment go, too: nothing else would ever remove them.
segment_delete = '''
@segment_delete
'''
@listed
""")
_LISTED: Final = """\
# The rows of a segment: what a resync compares with the platform.
members = '''
{}
'''"""
_LISTED_LATER: Final = """\
# The rows of a segment are what a resync compares with the platform: once the database allows snapshots
# (ALTER DATABASE crm SET ALLOW_SNAPSHOT_ISOLATION ON), and only then.
# members = 'SELECT client_id FROM segment_member WHERE segment_id = {segment_id}'"""


_ONCE: Final = "exactly_once = false                # true needs the table segsync_position, above"
_NEVER_ONCE: Final = "exactly_once = false                # it cannot be true: this database has no transactions"


def toml(dialect: str) -> str:
    """A whole segsync.toml for a key of PRESETS, with its tables as comments."""
    preset = PRESETS[dialect]
    return _TOML.substitute(
        dialect=dialect,
        connector=preset.connector,
        tables=_commented("\n\n".join([preset.why, _tables(preset), *_position(dialect)]), "#", "# "),
        listed=_LISTED.format(preset.queries.members) if preset.queries.members else _LISTED_LATER,
        once=_ONCE if VENDORS[dialect].has_transactions else _NEVER_ONCE,
        **asdict(preset.queries),
    )


def sql(dialect: str) -> str:
    """The tables alone; what only `exactly_once` needs stands in a comment."""
    preset = PRESETS[dialect]
    parts = [f"{_commented(preset.why, '--', '-- ')}\n{_tables(preset)}"]
    parts += [_commented(each, "--", "-- ") for each in _position(dialect)]
    return "\n\n".join(parts) + "\n"


def _tables(preset: Preset) -> str:
    return f"{preset.members};\n\n{preset.segments};"


def _position(dialect: str) -> list[str]:
    """`exactly_once`'s table, where the database can have it."""
    position = VENDORS[dialect].position
    return [] if position is None else [f"Only for exactly_once = true:\n{position.create};"]


def _commented(text: str, empty: str, mark: str) -> str:
    return "\n".join(mark + line if line else empty for line in text.split("\n"))
