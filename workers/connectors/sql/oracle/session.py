"""What gives a literal its meaning in Oracle: set in every session, and asserted.

The server's, the database's and the user's own settings (a logon trigger's, too) count for nothing here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from workers.errors import ErrorClass, HoldLevel, TargetError

if TYPE_CHECKING:
    import oracledb

    from workers.connectors.contract import Target

ALTERED: Final = "although the session has set it; is there a logon trigger or a pool that changes sessions?"
PINNED: Final = {
    # The territory first: it sets others along with it.
    "NLS_TERRITORY": "AMERICA",
    "NLS_LANGUAGE": "AMERICAN",  # names of days and months, and the server's messages
    "NLS_CALENDAR": "GREGORIAN",
    "NLS_NUMERIC_CHARACTERS": ".,",
    "NLS_DATE_FORMAT": "YYYY-MM-DD HH24:MI:SS",
    "NLS_TIMESTAMP_FORMAT": "YYYY-MM-DD HH24:MI:SS.FF",
    "NLS_TIMESTAMP_TZ_FORMAT": "YYYY-MM-DD HH24:MI:SS.FF TZH:TZM",
    # Texts are compared byte by byte: two that differ in case are two.
    "NLS_SORT": "BINARY",
    "NLS_COMP": "BINARY",
    "NLS_NCHAR_CONV_EXCP": "TRUE",
}
"""With the values that nls_session_parameters then has ("Database Globalization Support Guide")."""
_SETTINGS: Final = (
    "CURSOR_SHARING = EXACT",  # else the server takes literals for parameters, and a text of one byte for CHAR
    "ISOLATION_LEVEL = READ COMMITTED",
)
_ASKED: Final = "SELECT parameter, value FROM nls_session_parameters"


def set_up(cursor: oracledb.Cursor, target: Target) -> None:
    """Sets what must hold in the session and asserts it; TargetError (HOLD, CONNECTOR)."""
    pinned = [f"{name} = '{value}'" for name, value in PINNED.items()]
    cursor.execute(f"ALTER SESSION SET {' '.join(pinned)} TIME_ZONE = '{target.timezone}'")
    for setting in _SETTINGS:
        cursor.execute(f"ALTER SESSION SET {setting}")
    cursor.execute(_ASKED)
    found = dict(cursor.fetchall())
    cursor.execute("SELECT SESSIONTIMEZONE FROM dual")
    found["TIME_ZONE"] = cursor.fetchall()[0][0]
    for name, value in [*PINNED.items(), ("TIME_ZONE", target.timezone)]:
        if not _same(value, str(found.get(name))):
            reason = f"{name} is {found.get(name)!r} instead of {value!r} {ALTERED}"
            raise TargetError(ErrorClass.HOLD, "oracle session", reason, level=HoldLevel.CONNECTOR)


def _same(value: str, kept: str) -> bool:
    # A zone that is an offset comes back as one, and others as they were written.
    return kept.upper() == value.upper() or (
        value in ("UTC", "Etc/UTC") and re.fullmatch(r"[+-]00:00", kept) is not None
    )
