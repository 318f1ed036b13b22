"""What gives a statement its meaning in ClickHouse: sent with every request, and asserted once.

HTTP has no session: each setting goes with each statement, so that a proxy may send every request to another server.
The server's, the profile's and the driver's own settings count for nothing here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from workers.errors import ErrorClass, HoldLevel, TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workers.connectors.contract import Target

LARGEST_QUERY_BYTES = 128 * 1024 * 1024
"""Of a statement beside what follows VALUES; the server's own 256 KiB would refuse an IN of 10,000 long keys."""

OVERFLOWS = (
    *("result_overflow_mode", "read_overflow_mode", "read_overflow_mode_leaf", "timeout_overflow_mode"),
    *("timeout_overflow_mode_leaf", "transfer_overflow_mode", "set_overflow_mode", "join_overflow_mode"),
    *("group_by_overflow_mode", "sort_overflow_mode", "distinct_overflow_mode"),
)
"""What becomes of a statement that goes beyond one of the server's limits: it fails, or ends early and well."""


def pinned(target: Target) -> Mapping[str, str]:
    """The settings, with the values that `toString(getSetting(name))` then has."""
    return {
        "dialect": "clickhouse",
        # Times without a zone, and how they are written: 2026-11-27 20:00:00, and nothing that must be guessed.
        "session_timezone": target.timezone,
        "date_time_input_format": "basic",
        # A missing value is refused where none may be missing, instead of becoming 0 or "".
        "input_format_null_as_default": "false",
        "insert_null_as_default": "false",
        "input_format_force_null_for_omitted_fields": "false",
        "input_format_values_interpret_expressions": "true",
        "cast_ipv4_ipv6_default_on_conversion_error": "false",
        "transform_null_in": "false",
        # When the answer comes, the rows are there: no queue, and no change that is made some time later.
        "async_insert": "false",
        "mutations_sync": "1",
        "lightweight_deletes_sync": "1",
        # All rows, or an error: a profile may have the first ones taken for all of them, and a list that ends so has
        # those removed who stand behind, or in a shard that does not answer.
        **dict.fromkeys(OVERFLOWS, "throw"),
        "skip_unavailable_shards": "false",
        "limit": "0",
        "offset": "0",
        # And those of now: a list that was kept for a minute has nobody who came since.
        "use_query_cache": "false",
        "max_execution_time": str(statement_limit(target)),
        "max_query_size": str(LARGEST_QUERY_BYTES),
    }


def statement_limit(target: Target) -> int:
    """Whole seconds that a statement may take, 1 at least: to the server 0 is no limit."""
    return max(1, math.ceil(target.statement_timeout))


def check(settings: Mapping[str, str], row: Callable[[str], list[str]]) -> None:
    """Asserts that the server keeps what is sent; TargetError (HOLD, CONNECTOR).

    row  asks a question; the answer's one row, as texts
    """
    asked = ", ".join(f"toString(getSetting('{name}'))" for name in settings)
    for (name, value), kept in zip(settings.items(), row(f"SELECT {asked}"), strict=True):
        if kept != value:
            reason = f"{name} is {kept!r} instead of {value!r} although the session has set it"
            raise TargetError(ErrorClass.HOLD, "clickhouse session", reason, level=HoldLevel.CONNECTOR)
