"""What gives a literal its meaning in SQL Server: set in every session, and asserted.

The server's, the database's and the login's own settings count for nothing here. There is no session time zone:
GETDATE() tells the server's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers.errors import ErrorClass, HoldLevel, TargetError

if TYPE_CHECKING:
    from workers.connectors.contract import Target
    from workers.connectors.sql.mssql.connection import TdsConnection

# A transaction that waits for another one's row says so (1222, RETRY) before the time is up, which says less.
LOCK_SHARE: Final = 0.8
ALTERED: Final = "although the session has set it; is there a proxy that changes sessions?"

_ON = {
    "ANSI_WARNINGS": 8,  # what is too long or out of range is refused, not cut
    "ANSI_PADDING": 16,
    "ANSI_NULLS": 32,
    "ARITHABORT": 64,
    "QUOTED_IDENTIFIER": 256,  # "…" is a name: queries are compiled so
    "ANSI_NULL_DFLT_ON": 1024,
    "CONCAT_NULL_YIELDS_NULL": 4096,
    "XACT_ABORT": 16384,  # whatever fails ends the transaction, and none is committed in half
}
_OFF = {
    "IMPLICIT_TRANSACTIONS": 2,
    "ARITHIGNORE": 128,
    "NOCOUNT": 512,  # else no statement says how many rows it changed
    "NUMERIC_ROUNDABORT": 8192,
}
"""Options with their bits in @@OPTIONS ("Configure the user options", learn.microsoft.com)."""
MASK: Final = sum(_ON.values()) + sum(_OFF.values())
EXPECTED: Final = sum(_ON.values())


def set_up(connection: TdsConnection, target: Target) -> int:
    """Sets what must hold in the session and asserts it; returns its number. TargetError (HOLD, CONNECTOR)."""
    settings = [
        *(f"{name} ON" for name in _ON),
        *(f"{name} OFF" for name in _OFF),
        *("LANGUAGE us_english", "DATEFORMAT mdy", "DATEFIRST 7", "TEXTSIZE 2147483647", "ROWCOUNT 0"),
        f"LOCK_TIMEOUT {lock_limit(target)}",
        "TRANSACTION ISOLATION LEVEL READ COMMITTED",
    ]
    connection.run("; ".join(f"SET {setting}" for setting in settings), target.connect_timeout)
    asked = (
        f"SELECT CAST(@@SPID AS int), CAST(@@OPTIONS & {MASK} AS int), CAST(@@DATEFIRST AS int),"
        # How dates are read is told by nothing that every user may ask: one is read.
        " CAST(CONVERT(char(8), CAST('02/03/2026' AS datetime), 112) AS nvarchar(8)), CAST(@@LANGUAGE AS nvarchar(64)),"
        " CAST(@@TRANCOUNT AS int)"
    )
    session, options, first, date, language, depth = connection.rows(asked, target.connect_timeout)[0]
    for name, found, expected in (
        ("@@OPTIONS", options, EXPECTED),
        ("DATEFIRST", first, 7),
        ("DATEFORMAT", date, "20260203"),
        ("LANGUAGE", str(language).lower(), "us_english"),
        ("@@TRANCOUNT", depth, 0),
    ):
        if found != expected:
            reason = (
                f"{name} is {found!r} instead of {expected!r}, although the session has set it; is a proxy between?"
            )
            raise TargetError(ErrorClass.HOLD, "mssql session", reason, level=HoldLevel.CONNECTOR)
    return int(session)


def lock_limit(target: Target) -> int:
    """Milliseconds that a statement may wait for another transaction's row."""
    return max(1, round(target.statement_timeout * LOCK_SHARE * 1000))
