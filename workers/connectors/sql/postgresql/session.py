"""What gives a literal its meaning in PostgreSQL: set in every session, and asserted.

The server's, the database's and the role's own settings count for nothing here. Left alone are those that belong to
the data that is there already: lc_monetary (how many digits a `money` has) and default_text_search_config.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from workers.errors import ErrorClass, HoldLevel, TargetError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psycopg.pq.abc import PGresult

    from workers.connectors.contract import Target

# A transaction that waits for another one's row says so (RETRY) before the statement's timeout says less (AMBIGUOUS).
LOCK_SHARE = 0.8
IDLE_IN_TRANSACTION = 60.0
"""Seconds beyond the statement's timeout after which the server ends a transaction that nobody goes on with."""

REPORTED = ("standard_conforming_strings", "TimeZone", "DateStyle", "IntervalStyle")
"""Of those that are pinned, what the server reports by itself whenever it changes."""


def pinned(target: Target) -> Mapping[str, str]:
    """The session's settings, with the values that `SHOW` then has."""
    return {
        # Escaping: a backslash is a backslash, and a quote is escaped by doubling it.
        "standard_conforming_strings": "on",
        "backslash_quote": "safe_encoding",
        # Dates and times as PostgreSQL reads them where nobody has set anything: 02/03/2026 is in February.
        "TimeZone": target.timezone,
        "DateStyle": "ISO, MDY",
        "IntervalStyle": "postgres",
        "timezone_abbreviations": "Default",
        # Values that a query casts to text, and texts that it casts to others.
        "bytea_output": "hex",
        "extra_float_digits": "1",
        "xmlbinary": "base64",
        "xmloption": "content",
        "array_nulls": "on",
        "transform_null_equals": "off",
        "quote_all_identifiers": "off",
        "row_security": "on",  # else a query is refused where a policy would leave out some rows
        "gin_fuzzy_search_limit": "0",  # else a query leaves out rows that a GIN index has found
    }


class SettingsLink(Protocol):
    """A connection that answers questions of our own; see `link.PostgresqlLink`."""

    def run(self, statements: str, seconds: float | None = None) -> Sequence[PGresult]:
        """Runs them in one round trip; one result for each."""

    def parameter(self, name: bytes) -> bytes | None:
        """What the server reports of a setting."""


def set_up(link: SettingsLink, target: Target) -> None:
    """Sets what must hold in the session and asserts it, in one round trip; TargetError (HOLD, CONNECTOR)."""
    limits = {
        "statement_timeout": f"{statement_limit(target)}ms",
        "lock_timeout": f"{lock_limit(target)}ms",
        "idle_in_transaction_session_timeout": f"{milliseconds(target.statement_timeout + IDLE_IN_TRANSACTION)}ms",
    }
    settings = pinned(target)
    calls = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in {**settings, **limits}.items())
    answer = link.run(f"SELECT {calls}", target.connect_timeout)[-1]
    for column, (name, value) in enumerate(settings.items()):
        _expect(name, value, (answer.get_value(0, column) or b"").decode())
    if not held(link, target):
        raise _altered("a setting that escaping relies on was not kept")


def held(link: SettingsLink, target: Target) -> bool:
    """Whether what the server reports still is what was set; without a round trip."""
    settings = pinned(target)
    if link.parameter(b"client_encoding") != b"UTF8":
        return False
    return all(_same(settings[name], (link.parameter(name.encode()) or b"").decode()) for name in REPORTED)


def _expect(name: str, value: str, kept: str) -> None:
    if not _same(value, kept):
        raise _altered(f"{name} is {kept!r} instead of {value!r}")


def _altered(what: str) -> TargetError:
    reason = f"{what}, although the session has set it; is there a pooler between?"
    return TargetError(ErrorClass.HOLD, "postgresql session", reason, level=HoldLevel.CONNECTOR)


def _same(value: str, kept: str) -> bool:
    return kept.lower() == value.lower()  # "europe/berlin" comes back as "Europe/Berlin"


def milliseconds(seconds: float) -> int:
    """Whole milliseconds, 1 at least: to the server 0 is no limit."""
    return max(1, round(seconds * 1000))


def statement_limit(target: Target) -> int:
    """Milliseconds that a statement may take."""
    return milliseconds(target.statement_timeout)


def lock_limit(target: Target) -> int:
    """Milliseconds that a statement may wait for another transaction's row."""
    return milliseconds(target.statement_timeout * LOCK_SHARE)
