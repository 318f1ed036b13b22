"""python-tds's connection: the parts of its inside that we cannot do without, and how one is opened.

The driver's own `connect` tries again for as long as it may, reads each answer with a limit of its own, and counts the
rows that a SELECT or a trigger reports as changed rows. So its session is used below that.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Any, Final

from pytds import tds_base
from pytds.tds_session import _TdsSession
from pytds.tds_socket import _TdsSocket

from workers.connectors.sql.mssql.login import NOT_SUPPORTED, OFF, ON, PACKET, login_of
from workers.connectors.sql.mssql.options import OPTIONS, PORT
from workers.connectors.sql.mssql.wire import TlsWire, Wire, context_of
from workers.connectors.sql.url import address

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from pytds.tds_reader import ResponseMetadata

    from workers.connectors.contract import Target
    from workers.connectors.sql.url import Address

ROUTES: Final = 3
"""How often a login may be sent on to another server, as Azure's gateway does."""
_ENDS = frozenset({tds_base.TDS_DONE_TOKEN, tds_base.TDS_DONEPROC_TOKEN, tds_base.TDS_DONEINPROC_TOKEN})
_ROWS = frozenset({tds_base.TDS_ROW_TOKEN, tds_base.TDS_NBC_ROW_TOKEN})
_SELECT = 0xC1
"""The command whose DONE counts rows that were only read."""


class Refused(Exception):
    """The server said no; the first of its errors is the cause of the others.

    number, text   as it sent them
    state          tells errors of one number apart
    """

    def __init__(self, number: int, text: str, state: int = 0) -> None:
        super().__init__(f"{number}: {text}")
        self.number = number
        self.text = text
        self.state = state


class PlainText(Exception):
    """TLS is asked for, and the server has none."""


class TdsSession(_TdsSession):  # type: ignore[misc]  # python-tds has no type hints that mypy may use
    """The driver's session, which judges TLS by itself and reads answers to their end."""

    name = ""
    """Whose certificate is expected."""
    tls: ssl.SSLContext
    _plain: Wire | None = None

    def begin_response(self) -> ResponseMetadata:
        """As the driver's, which would send a cancel where the time is up: `TdsConnection.cancel` does."""
        return self._reader.begin_response()

    def parse_prelogin(self, octets: bytes, login: tds_base._TdsLogin) -> None:
        """What the server offers; TLS begins where either side wants it."""
        offered = _option(octets, tds_base.PreLoginToken.ENCRYPTION, NOT_SUPPORTED)
        login.server_enc_flag = offered
        if offered in (OFF, NOT_SUPPORTED) and login.enc_flag == ON:
            raise PlainText
        if offered != NOT_SUPPORTED:
            self._plain = self._transport
            wire = TlsWire(self._plain, self.tls, self.name)
            wire.handshake(self._exchange)
            self._use(wire)

    def tds7_send_login(self, login: tds_base._TdsLogin) -> None:
        """The login, after which TLS ends where it was for the password alone."""
        super().tds7_send_login(login)
        if login.server_enc_flag == OFF and self._plain is not None:
            self._use(self._plain)

    def each_row(self, seconds: float, columns: list[str]) -> Iterator[tuple[Any, ...]]:
        """Reads an answer to its end, row by row, each within `seconds`; notes its columns. Raises Refused."""
        self.begin_response()
        more = True
        while more:
            self.conn.sock.limit(seconds)
            marker = self.get_token_id()
            if marker in _ENDS:
                _, more = self._end(marker)
                continue
            self.process_token(marker)
            if marker == tds_base.TDS7_RESULT_TOKEN:
                columns[:] = [column.column_name for column in self.res_info.columns]
            elif marker in _ROWS:
                yield tuple(self.row)
        self._raise_refusal()

    def _raise_refusal(self) -> None:
        refused = [each for each in self.messages if each["marker"] == tds_base.TDS_ERROR_TOKEN]
        if refused:
            raise Refused(refused[0]["msgno"], refused[0]["message"], refused[0]["state"])

    def answer(self) -> tuple[int, list[tuple[Any, ...]]]:
        """Reads an answer to its end: changed rows, and the rows of its last result. Raises Refused."""
        self.begin_response()
        changed = 0
        rows: list[tuple[Any, ...]] = []
        while True:
            marker = self.get_token_id()
            if marker in _ENDS:
                rows_of_it, more = self._end(marker)
                changed += rows_of_it
                if not more:
                    break
                continue
            self.process_token(marker)
            if marker == tds_base.TDS7_RESULT_TOKEN:
                rows = []
            elif marker in _ROWS:
                rows.append(tuple(self.row))
        self._raise_refusal()
        return changed, rows

    def _end(self, marker: int) -> tuple[int, bool]:
        """Changed rows, and whether more follows; the driver raises at the first error and counts rows of a SELECT."""
        status, command = self._reader.get_usmallint(), self._reader.get_usmallint()
        count = self._reader.get_int8()
        more = bool(status & tds_base.TDS_DONE_MORE_RESULTS)
        if not more:
            self.set_state(tds_base.TDS_IDLE)
        # What a trigger or a procedure does inside is its own affair, and told by another token.
        counts = marker == tds_base.TDS_DONE_TOKEN and status & tds_base.TDS_DONE_COUNT and command != _SELECT
        return (count if counts else 0), more

    def _exchange(self, data: bytes) -> bytes:
        self._writer.begin_packet(tds_base.PacketType.PRELOGIN)
        self._writer.write(data)
        self._writer.flush()
        self._reader.begin_response()
        answer = b""
        while not self._reader.stream_finished():
            answer += bytes(self._reader.recv(PACKET))
        return answer

    def _use(self, wire: Wire) -> None:
        self._transport = self._writer._transport = self._reader._transport = self.conn.sock = wire  # noqa: SLF001


def _option(octets: bytes, wanted: int, default: int) -> int:
    """One byte of PRELOGIN's options: each is its token, the place of its data and their length."""
    at = 0
    while at + 5 <= len(octets) and octets[at] != tds_base.PreLoginToken.TERMINATOR:
        place, length = struct.unpack_from(">HH", octets, at + 1)
        if octets[at] == wanted and length and place < len(octets):
            return int(octets[place])
        at += 5
    return default


class TdsConnection:
    """A session that is logged in."""

    def __init__(self, wire: Wire, login: tds_base._TdsLogin, place: Address) -> None:
        self._driver = _TdsSocket(sock=wire, login=login, autocommit=True)
        self._session = TdsSession(self._driver, wire, None, self._driver.env, bufsize=4096)
        self._driver._main_session = self._session  # noqa: SLF001 - it has no parameter for it
        self._session.name = place.options.get("host_name_in_certificate") or place.host or ""
        self._session.tls = context_of(place)
        self.route: dict[str, Any] | None = self._log_in()
        self.lost = False

    def run(self, batch: str, seconds: float) -> int:
        """Sends a batch and reads all that comes of it; the changed rows. Raises Refused, OSError, tds_base.Error."""
        return self._ask(batch, seconds)[0]

    def rows(self, batch: str, seconds: float) -> list[tuple[Any, ...]]:
        """The rows of a batch's last result; raises likewise."""
        return self._ask(batch, seconds)[1]

    def stream(self, batch: str, seconds: float, columns: list[str]) -> Iterator[tuple[Any, ...]]:
        """The rows of a batch as they come, each within `seconds`; its columns are noted with the first. As `run`."""
        self._session.conn.sock.limit(seconds)
        self._session.submit_plain_query(batch)
        yield from self._session.each_row(seconds, columns)

    def cancel(self, seconds: float) -> bool:
        """Asks the server to give up what it is doing; whether it says within `seconds` that it has. Never raises."""
        try:
            self._session.conn.sock.limit(seconds)
            self._session.put_cancel()
            self._session.process_cancel()
        except Exception:  # noqa: BLE001 - the link is given up in any case
            return False
        return True

    @property
    def transaction(self) -> int:
        """The number of the open transaction, 0 for none: the server tells whenever one begins or ends."""
        return int(self._driver.tds72_transaction)

    @property
    def database(self) -> str:
        """The session's database."""
        return str(self._driver.env.database or "")

    @property
    def largest(self) -> int:
        """Bytes of the largest batch: 65,536 packets ("Maximum capacity specifications for SQL Server")."""
        return 65_536 * int(self._session._writer.bufsize)  # noqa: SLF001

    @property
    def fileno(self) -> int | None:
        """The socket's descriptor; None where it is closed."""
        number = self._driver.sock.fileno()
        return None if number < 0 else number

    def close(self) -> None:
        """Ends the connection, without a word as TDS has none for that; never raises."""
        self.lost = True
        self._driver.sock.close()

    def _ask(self, batch: str, seconds: float) -> tuple[int, list[tuple[Any, ...]]]:
        self._session.conn.sock.limit(seconds)
        try:
            self._session.submit_plain_query(batch)
            return self._session.answer()
        except Refused:
            raise
        except TimeoutError:
            raise
        except BaseException:
            self.lost = True
            raise

    def _log_in(self) -> dict[str, Any] | None:
        try:
            route = self._driver.login()
        except tds_base.DatabaseError as error:
            first = next((m for m in self._session.messages if m["marker"] == tds_base.TDS_ERROR_TOKEN), None)
            number, text = (first["msgno"], first["message"]) if first else (error.number, error.text)
            raise Refused(int(number), str(text)) from None
        return route  # type: ignore[no-any-return]


def open_connection(target: Target) -> TdsConnection:
    """A new connection, logged in and not set up.

    Raises TargetError for a wrong URL, Refused, PlainText, and whatever the driver, sockets and TLS raise.
    """
    place = address(target, OPTIONS)
    host, port = place.host or "localhost", place.port or PORT
    for _ in range(ROUTES):
        wire = Wire(_reach(host, port, target.connect_timeout), target.connect_timeout)
        try:
            connection = TdsConnection(wire, login_of(target, place), place)
        except BaseException:
            wire.close()
            raise
        if connection.route is None:
            return connection
        connection.close()
        host, port = connection.route["server"], connection.route["port"]
    raise ConnectionError("the login is sent from server to server")


def _reach(host: str, port: int, seconds: float) -> socket.socket:
    connection = socket.create_connection((host, port), seconds)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # A link that died without a word is found out while it waits (half a minute).
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return connection
