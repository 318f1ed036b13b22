"""Whatever python-oracledb raises, judged."""

from __future__ import annotations

import re
import socket
import ssl
from typing import TYPE_CHECKING

import oracledb

from workers.connectors.sql.oracle import errors
from workers.connectors.sql.url import UnreadableFile
from workers.connectors.sql.verdicts import Verdict, broken_off, judge, retry, target, unknown, unwanted
from workers.errors import Phase

if TYPE_CHECKING:
    from workers.errors import TargetError


def judged(error: Exception, phase: Phase) -> TargetError:
    """As `Link.judge`."""
    if not isinstance(error, oracledb.Error):
        detail = f"{type(error).__name__}: {error}"
        return judge(
            unknown("the driver failed in an unknown way"), phase, f"oracle {type(error).__name__}", detail=detail
        )
    text = _text(error)
    driver, number = _driver_code(error), code_of(error)
    verdict = errors.verdict(number, driver, text)
    code = f"oracle {number or driver or 'driver'}"
    return judge(verdict, phase, code, where=errors.where(number, text), detail=text)


def judged_connecting(error: Exception) -> TargetError:
    """What follows from whatever was raised until the session was set up."""
    below = _below(error)
    if any(map(unwanted, below)):
        return judge(broken_off("cert_file"), Phase.CONNECT, "oracle tls")
    found = next(
        ((code, verdict) for kind, code, verdict in _CONNECTING if any(isinstance(e, kind) for e in below)), None
    )
    if found is not None:
        place = error.place if isinstance(error, UnreadableFile) else ""
        return judge(found[1], Phase.CONNECT, f"oracle {found[0]}", where=place)
    return judged(error, Phase.CONNECT)


# The first that fits counts: the classes of sockets and of TLS overlap.
_CONNECTING: tuple[tuple[type[Exception], str, Verdict], ...] = (
    (ssl.SSLError, "tls", target("TLS failed: the server's certificate is not to be trusted, or is another's")),
    (socket.gaierror, "connect", retry("the server's host name cannot be resolved")),
    (TimeoutError, "connect", retry("the server did not answer within the connector's connect timeout")),
    (ConnectionRefusedError, "connect", retry("the listener does not listen at this address")),
    (ConnectionError, "connect", retry("the server hung up")),
    (UnreadableFile, "tls", target("a file that the URL names for TLS cannot be used")),
)


def _below(error: BaseException | None) -> list[BaseException]:
    """An error and all that it was raised from."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def code_of(error: oracledb.Error) -> int:
    """The server's number, as in ORA-00001; 0 for an error of the driver's own."""
    return int(getattr(error.args[0], "code", 0) or 0) if error.args else 0


def _driver_code(error: oracledb.Error) -> str:
    code = str(getattr(error.args[0], "full_code", "")) if error.args else ""
    if not code.startswith("DPY-"):
        return ""
    # DPY-6005 stands for all that hinders a connection; the error that it quotes says more.
    return str(re.findall(r"^(DPY-[0-9]+):", _text(error), re.MULTILINE)[-1])


def _text(error: oracledb.Error) -> str:
    return str(getattr(error.args[0], "message", None) or error) if error.args else ""
