"""The socket below the driver: all of an answer has one deadline, and TLS is Python's own.

In TDS up to 7.4 the handshake of TLS travels in packets of the protocol (MS-TDS 2.2.6.5, PRELOGIN), so no socket can be
wrapped; the driver's own way needs pyOpenSSL and compares names of certificates by itself.
"""

from __future__ import annotations

import ssl
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from workers.connectors.sql.url import show_certificate, trusting

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from workers.connectors.sql.url import Address

CHUNK = 65536
"""Bytes read from the socket at once: some packets' worth."""


class Wire:
    """A TCP connection as the driver wants one: sends and receives until `limit` has passed."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self._socket = connection
        self.limit(seconds)

    def limit(self, seconds: float) -> None:
        """Seconds from now that all sending and receiving may take, until this is called again."""
        self._deadline = time.monotonic() + seconds

    def sendall(self, data: bytes | bytearray, _flags: int = 0) -> None:
        """Sends all of it; TimeoutError."""
        self._socket.settimeout(self._left())
        self._socket.sendall(data)

    def recv(self, size: int) -> bytes:
        """What has come; b"" at the end. TimeoutError."""
        self._socket.settimeout(self._left())
        return self._socket.recv(size)

    def recv_into(self, buffer: bytearray | memoryview, size: int = 0, _flags: int = 0) -> int:
        """As `recv`, into a buffer."""
        data = self.recv(size or len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def fileno(self) -> int:
        """The socket's descriptor; -1 where it is closed."""
        return self._socket.fileno()

    def close(self) -> None:
        """Ends the connection; never raises."""
        with suppress(OSError):
            self._socket.close()

    def gettimeout(self) -> float | None:
        """Seconds that are left, for the driver."""
        return self._left()

    def settimeout(self, _seconds: float | None) -> None:
        """The driver's own limits count for nothing: `limit` does."""

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left


class TlsWire(Wire):
    """The same through TLS."""

    def __init__(self, plain: Wire, context: ssl.SSLContext, name: str) -> None:
        self._plain = plain
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)

    def handshake(self, exchange: Callable[[bytes], bytes]) -> None:
        """Comes to terms with the server; ssl.SSLError where it is not who it should be.

        exchange  sends what it is given and returns the server's next answer
        """
        done = False
        while not done:
            try:
                self._tls.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                self._incoming.write(exchange(self._outgoing.read()))

    def limit(self, seconds: float) -> None:
        """As `Wire.limit`."""
        self._plain.limit(seconds)

    def sendall(self, data: bytes | bytearray, _flags: int = 0) -> None:
        """As `Wire.sendall`."""
        self._tls.write(data)
        self._plain.sendall(self._outgoing.read())

    def recv(self, size: int) -> bytes:
        """As `Wire.recv`."""
        while True:
            try:
                return self._tls.read(size)
            except ssl.SSLWantReadError:
                data = self._plain.recv(CHUNK)
                if not data:
                    return b""
                self._incoming.write(data)
            except ssl.SSLZeroReturnError:
                return b""

    def fileno(self) -> int:
        """As `Wire.fileno`."""
        return self._plain.fileno()

    def close(self) -> None:
        """As `Wire.close`."""
        self._plain.close()

    def _left(self) -> float:
        return self._plain._left()  # noqa: SLF001 - it is the same wire


def context_of(place: Address) -> ssl.SSLContext:
    """What judges a server's certificate, as the URL wants it, and shows it the client's; UnreadableFile."""
    context = trusting(place, "ca_file")
    # What is carried in TDS packets ends with TLS 1.2: from 1.3 on the server speaks on after the handshake.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    if place.options.get("trust_server_certificate") == "true" or place.options.get("encrypt") == "false":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    show_certificate(context, place, "cert_file", "key_file")
    return context
