"""Whatever the driver, sockets and TLS raise, judged."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

from pytds import tds_base

from workers.connectors.sql.mssql import errors
from workers.connectors.sql.mssql.connection import PlainText, Refused
from workers.connectors.sql.url import UnreadableFile
from workers.connectors.sql.verdicts import Verdict, broken_off, judge, retry, target, unknown, unwanted
from workers.errors import Phase

if TYPE_CHECKING:
    from workers.errors import TargetError


def judged(error: Exception, phase: Phase) -> TargetError:
    """As `Link.judge`."""
    if isinstance(error, Refused):
        place = errors.where(error.number, error.text)
        return judge(errors.verdict(error.number), phase, f"mssql {error.number}", where=place, detail=error.text)
    detail = f"{type(error).__name__}: {error}"
    if isinstance(error, TimeoutError):
        return judge(errors.SILENT, phase, "mssql -2", detail=detail)
    if isinstance(error, (OSError, tds_base.ClosedConnectionError)):
        return judge(errors.LOST, phase, "mssql link", detail=detail)
    return judge(unknown("the driver failed in an unknown way"), phase, f"mssql {type(error).__name__}", detail=detail)


def judged_connecting(error: Exception) -> TargetError:
    """What follows from whatever was raised until the session was set up."""
    found = _connecting(error)
    if found is None:
        return judged(error, Phase.CONNECT)
    code, verdict = found
    place = error.place if isinstance(error, UnreadableFile) else ""
    return judge(verdict, Phase.CONNECT, f"mssql {code}", where=place, detail=f"{type(error).__name__}: {error}")


# The first that fits counts: the classes of sockets and of TLS overlap.
_CONNECTING: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str, Verdict], ...] = (
    (
        PlainText,
        "tls",
        target("the server offers no TLS, which the URL asks for; encrypt=false would send data as plain text"),
    ),
    (ssl.SSLError, "tls", target("TLS failed: the server and segsync found no version or cipher in common")),
    (socket.gaierror, "connect", retry("the server's host name cannot be resolved")),
    (ConnectionRefusedError, "connect", retry("the server does not listen at this address")),
    (TimeoutError, "connect", retry("the server did not answer within the connector's connect timeout")),
    (UnreadableFile, "tls", target("a file that the URL names for TLS cannot be used")),
    ((ConnectionError, tds_base.ClosedConnectionError), "connect", retry("the server hung up")),
)


def _connecting(error: Exception) -> tuple[str, Verdict] | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        return "tls", target(_certificate(error))
    if unwanted(error):
        return "tls", broken_off("cert_file")
    return next(((code, verdict) for kind, code, verdict in _CONNECTING if isinstance(error, kind)), None)


_CERTIFICATES = {
    10: "has expired",
    18: "is signed by itself",
    19: "is signed by nobody that is trusted",
    20: "is signed by nobody that is trusted",
    62: "is another host's",
    64: "is another address's",
}
"""OpenSSL's codes (X509_V_ERR_…)."""


def _certificate(error: ssl.SSLCertVerificationError) -> str:
    what = _CERTIFICATES.get(error.verify_code, "is not to be trusted")
    return f"TLS failed: the server's certificate {what}; expected ca_file or host_name_in_certificate in the URL"
