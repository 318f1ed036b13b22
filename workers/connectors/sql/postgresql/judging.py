"""Whatever psycopg raises, judged."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import psycopg

from workers.connectors.sql.postgresql import errors as postgresql_errors
from workers.connectors.sql.verdicts import UNLISTED, Verdict, judge, query, unknown
from workers.errors import Phase

if TYPE_CHECKING:
    from workers.errors import TargetError


RAISE = "exec_stmt_raise"
"""The server's function that runs a user's own RAISE."""


UNKNOWN_NAMES: Final = {"42P01": "table", "42703": "column"}
"""Codes whose message has a name that is not known, and what it would be."""
# Servers speak many languages, and put names in their quotes.
_QUOTED: Final = re.compile(r'["\u00ab\u00bb\u201e\u201c]([^"\u00ab\u00bb\u201c-\u201e]+)["\u00ab\u00bb\u201c\u201d]')


class Silent(Exception):
    """The server did not answer in time."""


def judged(error: Exception, phase: Phase) -> TargetError:
    """As `Link.judge`."""
    if isinstance(error, Silent):
        return judge(postgresql_errors.SILENT, phase, "postgresql silent")
    if isinstance(error, psycopg.Error):
        code = f"postgresql {error.sqlstate or 'link'}"
        diag = error.diag
        verdict = postgresql_errors.verdict(error.sqlstate, diag.source_file or "", diag.source_function or "")
        return judge(verdict, phase, code, where=_where(error), detail=str(error))
    return judge(
        unknown("the driver failed in an unknown way"),
        phase,
        f"postgresql {type(error).__name__}",
        detail=f"{type(error).__name__}: {error}",
    )


def judged_connecting(error: Exception) -> TargetError:
    """What follows from whatever was raised until the session was set up."""
    if isinstance(error, psycopg.errors.InvalidParameterValue):
        verdict = query("the server does not know the connector's time zone, or another setting of the session")
        return judge(verdict, Phase.CONNECT, f"postgresql {error.sqlstate}", detail=str(error))
    if not isinstance(error, psycopg.OperationalError) or error.sqlstate is not None:
        return judged(error, Phase.CONNECT)
    verdict = postgresql_errors.connecting(str(error))
    reason = UNLISTED.reason if verdict is UNLISTED else verdict.reason
    return judge(Verdict(verdict.error_class, reason), Phase.CONNECT, "postgresql connect", detail=str(error))


def _where(error: psycopg.Error) -> str:
    # Fields of their own in the protocol, which hold names from the schema; a RAISE fills them with what it likes.
    if error.diag.source_function == RAISE:
        return ""
    found = _QUOTED.search(error.diag.message_primary or "")
    if error.sqlstate in UNKNOWN_NAMES and found and not error.diag.context:
        # The server has no field for a name that it does not know. It is the statement's own, where no trigger or
        # function stands between: and no data becomes a name.
        return f"{UNKNOWN_NAMES[error.sqlstate]} {found[1]!r}"
    names = {"table": error.diag.table_name, "column": error.diag.column_name, "constraint": error.diag.constraint_name}
    return ", ".join(f"{kind} {name!r}" for kind, name in names.items() if name)
