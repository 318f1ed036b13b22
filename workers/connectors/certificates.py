"""Until when certificates are good: those in files, and those that servers show."""

from __future__ import annotations

import re
import socket
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_PEM: Final = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_VERSION, _UTC_TIME = 0xA0, 0x17
"""Tags of X.509's DER (RFC 5280): the version, which old ones have not, and a time with two digits of a year."""
_LONG: Final = 0x80
"""What a length's first byte has where more follow."""


def ends_in(path: Path) -> list[datetime]:
    """When the certificates in a PEM file end, in their order. OSError, ValueError where it holds none."""
    found = [end_of(ssl.PEM_cert_to_DER_cert(each)) for each in _PEM.findall(path.read_text("utf-8", "replace"))]
    if not found:
        raise ValueError("holds no certificate in PEM")
    return found


def end_of_server(
    host: str, port: int, begin: Callable[[socket.socket], bool], own: tuple[str, str | None] | None, seconds: float
) -> datetime | None:
    """When the certificate ends that a server shows, whoever vouches for it; None where it has no TLS.

    begin  says what comes before TLS; whether TLS follows
    own    our certificate's file and its key's, for servers that ask for one

    OSError where it is out of reach, ValueError for what is no certificate.
    """
    # Only looked at, and nothing is sent: who is to be believed is what `check --connect` tries. So no authorities are
    # read, which is most of what `create_default_context` takes its time for.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if own is not None:
        context.load_cert_chain(*own)
    with socket.create_connection((host, port), timeout=seconds) as link:
        if not begin(link):
            return None
        with context.wrap_socket(link, server_hostname=host) as sealed:
            return end_of(sealed.getpeercert(binary_form=True) or b"")


def end_of(der: bytes) -> datetime:
    """The end of a certificate's time. ValueError for what is no certificate."""
    try:
        ((_, certificate),) = _parts(der)
        fields = list(_parts(next(_parts(certificate))[1]))
        # version, serial number, signature, issuer, validity
        validity = fields[4 if fields[0][0] == _VERSION else 3][1]
        _, (tag, text) = _parts(validity)
        return datetime.strptime(text.decode(), "%y%m%d%H%M%SZ" if tag == _UTC_TIME else "%Y%m%d%H%M%SZ").replace(
            tzinfo=UTC
        )
    except (ValueError, IndexError, StopIteration):
        raise ValueError("is no certificate") from None


def _parts(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each element, one after the other."""
    at = 0
    while at < len(der):
        tag, size, at = der[at], der[at + 1], at + 2
        if size & _LONG:
            long = size & ~_LONG
            size, at = int.from_bytes(der[at : at + long], "big"), at + long
        yield tag, der[at : at + size]
        at += size
