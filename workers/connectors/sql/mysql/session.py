"""What gives a literal its meaning in MySQL and MariaDB: set in every session, and asserted.

The server's, the database's and the account's own settings count for nothing here. The connection's character set is
set by `SET NAMES` as it is opened; its collation is the server's own for utf8mb4, because a fixed one would fit the
columns of some versions and not of others (1267).
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pymysql

from workers.connectors.sql.link import MARGIN
from workers.connectors.sql.mysql.judging import code_of
from workers.errors import ErrorClass, HoldLevel, TargetError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.connectors.contract import Target
    from workers.connectors.sql.mysql.connection import Connection

SQL_MODES = (
    # What does not fit is refused, not bent; in tables without transactions, too.
    "STRICT_TRANS_TABLES",
    "STRICT_ALL_TABLES",
    "ERROR_FOR_DIVISION_BY_ZERO",
    # 0000-00-00 and 2026-00-10 are no dates, and neither is the time 24:00:00 in a datetime.
    "NO_ZERO_DATE",
    "NO_ZERO_IN_DATE",
    # The key 0 is 0, and not the next number.
    "NO_AUTO_VALUE_ON_ZERO",
    # With those above, no laxer than MySQL's own default.
    "ONLY_FULL_GROUP_BY",
    "NO_ENGINE_SUBSTITUTION",
)
"""Exactly these. Not among them are ANSI_QUOTES and NO_BACKSLASH_ESCAPES, which would make our escaping wrong, and
PIPES_AS_CONCAT, HIGH_NOT_PRECEDENCE and the like, with which a query would mean something else."""

MARIADB_ONLY = {
    "check_constraint_checks": "1",  # CHECK, by which JSON is JSON, too
    "default_regex_flags": "",
}

STAMPS = "explicit_defaults_for_timestamp"
"""MySQL's. Where it is off, a missing value becomes the present time in a TIMESTAMP NOT NULL; MariaDB does so whatever
its variable of this name says. It is set only where it is off: an older server lets no ordinary user (`MAY_NOT`), and
then `check` tells what a missing value becomes."""
MAY_NOT = frozenset({1227, 1238})

# A transaction that waits for another one's row says so (RETRY) before the statement's timeout says less (AMBIGUOUS).
LOCK_SHARE = 0.8
ALTERED = "although the session has set it; is there a proxy that changes sessions?"


def pinned(target: Target, *, mariadb: bool, release: str) -> Mapping[str, str]:
    """The session's variables, with the values that `SELECT @@name` then has.

    release  the server's, as it says itself
    """
    return {
        "sql_mode": ",".join(sorted(SQL_MODES)),
        "time_zone": zone(target.timezone),
        "lc_time_names": "en_US",  # the months and days of STR_TO_DATE
        "sql_auto_is_null": "0",  # else `WHERE id IS NULL` finds the row inserted last
        "foreign_key_checks": "1",
        "unique_checks": "1",
        # A server's init_connect could have taken it away without the driver's noticing.
        "autocommit": "1",
        "completion_type": "NO_CHAIN",  # COMMIT ends the transaction, and neither begins another nor hangs up
        # What a query computes: the digits of 1/3, the number of a week, all of a list that it joins.
        "div_precision_increment": "4",
        "default_week_format": "0",
        "group_concat_max_len": "1048576",
        # Else a DELETE without an index, or a join, is refused whatever its profile.
        "sql_safe_updates": "0",
        "sql_big_selects": "1",
        # Else a resync would take the first rows of a list for all of it.
        "sql_select_limit": str(2**64 - 1),
        **({**MARIADB_ONLY, "old_mode": old_mode(release)} if mariadb else {}),
    }


def old_mode(release: str) -> str:
    """A MariaDB's own default (mariadb.com/kb/en/old-mode): `utf8` has three bytes, as it has in MySQL.

    Before 10.6.1 it had them anyway, and there was no word for it.

    >>> old_mode("5.5.5-10.4.34-MariaDB"), old_mode("11.8.2-MariaDB-log")
    ('', 'UTF8_IS_UTF8MB3')
    """
    found = re.match(r"(?:5\.5\.5-)?(\d+)\.(\d+)\.(\d+)", release)
    return "UTF8_IS_UTF8MB3" if found and tuple(map(int, found.groups())) >= (10, 6, 1) else ""


def zone(name: str) -> str:
    """A time zone as the server takes it: one that never changes needs no tables of time zones there.

    >>> zone("UTC"), zone("Etc/GMT+5"), zone("Europe/Berlin")
    ('+00:00', '-05:00', 'Europe/Berlin')
    """
    offset = timedelta(0) if name == "UTC" else ZoneInfo(name).utcoffset(None)
    if offset is None:
        return name
    minutes = round(offset.total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def set_up(connection: Connection, target: Target, *, mariadb: bool) -> tuple[int, int]:
    """Sets what must hold in the session and asserts it; returns its id and the largest packet in bytes."""
    expected = dict(pinned(target, mariadb=mariadb, release=connection.get_server_info()))
    values = [f"{name} = {value if value.isdigit() else repr(value)}" for name, value in expected.items()]
    connection.run(f"SET SESSION {', '.join([*values, *_limits(target, mariadb=mariadb)])}".encode())
    # The isolation level cannot share a SET with other variables.
    connection.run(b"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
    expected["tx_isolation" if mariadb else "transaction_isolation"] = "READ-COMMITTED"
    expected["character_set_client"] = expected["character_set_connection"] = "utf8mb4"
    asked = ", ".join(f"@@{name}" for name in expected)
    session, largest, *found = connection.row(f"SELECT CONNECTION_ID(), @@max_allowed_packet, {asked}")
    for (name, value), kept in zip(expected.items(), found, strict=True):
        _expect(name, value, str(kept))
    if not mariadb:
        _refuse_missing_stamps(connection)
    connection.limit(target.statement_timeout + MARGIN)
    return int(session), int(largest)


def _refuse_missing_stamps(connection: Connection) -> None:
    if connection.row(f"SELECT @@{STAMPS}")[0]:
        return
    try:
        connection.run(f"SET SESSION {STAMPS} = 1".encode())
    except pymysql.Error as error:
        if code_of(error) not in MAY_NOT:
            raise
    else:
        _expect(STAMPS, "1", str(connection.row(f"SELECT @@{STAMPS}")[0]))


def _limits(target: Target, *, mariadb: bool) -> list[str]:
    wait = max(1, int(target.statement_timeout * LOCK_SHARE))
    limits = [f"innodb_lock_wait_timeout = {wait}", f"lock_wait_timeout = {wait}"]
    if mariadb:  # MySQL has a timeout for SELECT only
        limits.append(f"max_statement_time = {target.statement_timeout:.3f}")
    return limits


def _expect(name: str, value: str, kept: str) -> None:
    if name == "sql_mode":  # the server has an order of its own
        kept = ",".join(sorted(kept.split(",")))
    if kept != value:
        reason = f"{name} is {kept!r} instead of {value!r} {ALTERED}"
        raise TargetError(ErrorClass.HOLD, "mysql session", reason, level=HoldLevel.CONNECTOR)
