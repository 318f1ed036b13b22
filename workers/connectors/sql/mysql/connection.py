"""PyMySQL's connection: the parts of its inside that we cannot do without, and how one is opened."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pymysql
from pymysql.protocol import MysqlPacket

from workers.connectors.sql.mysql.options import OPTIONS
from workers.connectors.sql.url import Address, address, show_certificate, trusting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workers.connectors.contract import Target


class Packet(MysqlPacket):  # type: ignore[misc]  # PyMySQL has no type hints
    """A packet whose error keeps all that the server says of it."""

    def raise_for_error(self) -> None:
        """As PyMySQL's, which drops the SQLSTATE in some versions, and reads codes from 32768 on as negative."""
        try:
            super().raise_for_error()
        except pymysql.Error as error:
            data = bytes(self.get_all_data())
            error.args = (int.from_bytes(data[1:3], "little"), *error.args[1:])
            error.sqlstate = data[4:9].decode(errors="replace") if data[3:4] == b"#" else ""
            raise


class Connection(pymysql.Connection):  # type: ignore[misc]  # PyMySQL has no type hints
    """PyMySQL's connection, as far as we use it.

    sent  called once, between the next statement and its answer
    """

    sent: Callable[[], None] | None = None

    def _create_ssl_ctx(self, sslp: Mapping[str, Any] | ssl.SSLContext) -> ssl.SSLContext:
        # PyMySQL's reads the system's authorities for each connection (20 ms), and then asks none of them.
        return sslp if isinstance(sslp, ssl.SSLContext) else unverified()

    def _read_packet(self, packet_type: type[MysqlPacket] | None = None) -> MysqlPacket:
        # The default must be ours: only so does an error keep its SQLSTATE whatever the driver's version.
        return super()._read_packet(packet_type or Packet)

    def _read_query_result(self, unbuffered: bool = False) -> int:
        sent, self.sent = self.sent, None
        if sent is not None:
            sent()
        rows: int = super()._read_query_result(unbuffered)
        return rows

    def limit(self, seconds: float) -> None:
        """Seconds that one read or write may take from now on."""
        self._read_timeout = self._write_timeout = seconds

    def notice_death(self) -> None:
        """A link that died without a word is found out in half a minute, however long an answer may take."""
        for name, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
            with suppress(OSError):  # of a Unix socket
                if hasattr(socket, name):
                    self._sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    def run(self, statement: bytes) -> int:
        """Sends one statement as it stands and drains all its results; returns the affected rows of the last."""
        rows: int = self.query(statement)
        while self._result is not None and self._result.has_next:
            rows = self.next_result()
        return rows

    def row(self, statement: str) -> tuple[Any, ...]:
        """The first row of a statement's only result."""
        self.run(statement.encode())
        row: tuple[Any, ...] = self._result.rows[0]
        return row

    @property
    def socket_number(self) -> int | None:
        """The socket's file descriptor; None where it is closed."""
        return None if self._sock is None else int(self._sock.fileno())

    def forget_result(self) -> None:
        """Nobody reads what is left of a result: PyMySQL would, when it collects it, over whatever link there is."""
        if self._result is not None:
            self._result.unbuffered_active = False
            self._result: Any = None

    def hang_up(self) -> None:
        """Closes the socket without the goodbye that `close` sends."""
        self._force_close()


def unverified() -> ssl.SSLContext:
    """TLS with whoever answers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def open_connection(target: Target) -> Connection:
    """A new connection, logged in and not set up; raises whatever PyMySQL raises, and TargetError for a wrong URL."""
    place = address(target, OPTIONS)
    return Connection(
        host=place.host,
        port=place.port or 0,
        user=place.user,
        # As bytes: PyMySQL would take text for Latin-1.
        password=(target.password or "").encode(),
        database=place.database,
        charset="utf8mb4",
        # Transactions are opened by START TRANSACTION; after anything that ends one the server's report then says so,
        # while without autocommit the next one would have begun unseen.
        autocommit=True,
        program_name=target.session_name,
        connect_timeout=target.connect_timeout,
        # Until the session is set up; then `limit` says what a statement may take.
        read_timeout=target.connect_timeout,
        write_timeout=target.connect_timeout,
        **_tls(place),
        **({"unix_socket": path} if (path := place.options.get("unix_socket")) else {}),
    )


def _tls(place: Address) -> dict[str, object]:
    """TLS as the URL wants it; left out, the driver's own: encrypted where the server can, and nothing verified.

    The context is ours, since the driver's depends on its version: with `ssl_ca` alone some verify nothing, and without
    it some look at no name whatever `ssl_verify_identity` says.
    """
    options, mode = place.options, place.options.get("ssl-mode", "PREFERRED")
    if options.get("ssl_disabled") == "true" or mode == "DISABLED":
        return {"ssl_disabled": True}
    if mode == "PREFERRED" and not any(name.startswith("ssl_") for name in options):
        return {}
    authority = options.get("ssl_ca")
    identity = options.get("ssl_verify_identity") == "true" or mode == "VERIFY_IDENTITY"
    unless_said = "true" if authority else "false"
    verified = identity or mode == "VERIFY_CA" or options.get("ssl_verify_cert", unless_said) == "true"
    context = trusting(place, "ssl_ca") if verified or authority else unverified()
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # MySQL's own certificates would not pass
    context.check_hostname = identity
    context.verify_mode = ssl.CERT_REQUIRED if verified else ssl.CERT_NONE
    show_certificate(context, place, "ssl_cert", "ssl_key")
    return {"ssl": context}
