"""Whatever PyMySQL raises, judged."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pymysql

from workers.connectors.sql.mysql.codes import DEFINER, PASSWORD, TIMEOUT, UNWANTED, VERDICTS
from workers.connectors.sql.mysql.errors import verdict, where
from workers.connectors.sql.url import UnreadableFile
from workers.connectors.sql.verdicts import judge, query, unknown, unwanted
from workers.errors import Phase

if TYPE_CHECKING:
    from workers.connectors.sql.verdicts import Verdict
    from workers.errors import TargetError


def judged(error: Exception, phase: Phase) -> TargetError:
    """As `Link.judge`."""
    if not isinstance(error, pymysql.Error):
        return _judge_foreign(error, phase)
    code = code_of(error)
    message = str(error.args[1]) if len(error.args) > 1 else ""
    place = where(code, message)
    return judge(_verdict(error, code, message, phase), phase, f"mysql {code}", where=place, detail=message)


def _verdict(error: pymysql.Error, code: int, message: str, phase: Phase) -> Verdict:
    cause = getattr(error, "original_exception", None) or error.__context__
    if isinstance(cause, ssl.SSLError) and phase is Phase.CONNECT:
        return UNWANTED if unwanted(cause) else VERDICTS[2026]
    if timed_out(error) and phase is Phase.EXECUTE:
        return TIMEOUT
    found = verdict(code, getattr(error, "sqlstate", None) or "", message)
    # Whoever runs a statement has logged in: what is refused then is the account that a view or trigger runs as.
    return DEFINER if found is PASSWORD and phase is Phase.EXECUTE else found


def _judge_foreign(error: Exception, phase: Phase) -> TargetError:
    # PyMySQL raises RuntimeError where a login needs the package `cryptography`, OSError for TLS files, and more.
    detail = f"{type(error).__name__}: {error}"
    if isinstance(error, RuntimeError) and "cryptography" in str(error):
        missing = "this account's login without TLS needs the Python package 'cryptography'"
        return judge(query(missing), phase, "mysql login", detail=detail)
    if isinstance(error, OSError) and phase is Phase.CONNECT:
        unreadable = "a file that the URL names for TLS cannot be used"
        place = error.place if isinstance(error, UnreadableFile) else ""
        return judge(query(unreadable), phase, "mysql tls", where=place, detail=detail)
    return judge(unknown("the driver failed in an unknown way"), phase, f"mysql {type(error).__name__}", detail=detail)


def code_of(error: pymysql.Error) -> int:
    """The error's code; 0 where it has none."""
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0


def timed_out(error: pymysql.Error) -> bool:
    """Whether the driver gave up waiting."""
    return isinstance(error.__context__, TimeoutError)
