"""Whatever the driver raises, judged."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError
from urllib3 import exceptions as urllib3_errors

from workers.connectors.sql.clickhouse import errors
from workers.connectors.sql.verdicts import judge, unknown, unwanted
from workers.errors import Phase

if TYPE_CHECKING:
    from workers.connectors.sql.verdicts import Verdict
    from workers.errors import TargetError


def judged(error: Exception, phase: Phase) -> TargetError:
    """As `Link.judge`."""
    if not isinstance(error, ClickHouseError | OSError):
        what = unknown("the driver failed in an unknown way")
        return judge(what, phase, f"clickhouse {type(error).__name__}", detail=f"{type(error).__name__}: {error}")
    message, code = str(error), getattr(error, "code", None)
    if code is None:
        way = _of_the_way(error)
        if way is errors.LOST and phase is Phase.CONNECT:
            way = errors.HUNG_UP
        return judge(way, phase, "clickhouse link", detail=message)
    said = errors.said(message)
    return judge(errors.verdict(code, said), phase, f"clickhouse {code}", where=errors.where(code, said), detail=said)


def _of_the_way(error: Exception) -> Verdict:
    """Of an error that the server has not sent: by what was under it."""
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLError | urllib3_errors.SSLError) for cause in causes):
        return errors.UNWANTED if any(map(unwanted, causes)) else errors.TLS
    if any(isinstance(cause, OSError) and not isinstance(cause, ConnectionError | TimeoutError) for cause in causes):
        return errors.UNREACHABLE if any(map(_is_connecting, causes)) else errors.FILE
    return errors.UNREACHABLE if any(map(_is_connecting, causes)) else errors.LOST


def _is_connecting(cause: BaseException) -> bool:
    return isinstance(cause, urllib3_errors.NewConnectionError | urllib3_errors.ConnectTimeoutError)


def _causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        # urllib3 keeps the cause of a failed handshake as an argument alone.
        reason = getattr(error, "reason", None) or next(iter(error.args), None)
        error = reason if isinstance(reason, BaseException) else error.__cause__ or error.__context__
    return found


def timed_out(error: Exception) -> bool:
    """Whether we gave up waiting for an answer."""
    return any(isinstance(cause, urllib3_errors.ReadTimeoutError | TimeoutError) for cause in _causes(error))


def late_error(body: str) -> DatabaseError:
    """The error in the body of an answer that had begun well; of no known code where the body says none."""
    return DatabaseError(body, code=errors.code_in(body))
