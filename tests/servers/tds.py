"""A server that speaks SQL Server's protocol (MS-TDS 7.4), as far as a driver's logins and batches need it.

It knows no SQL: what runs a batch is given to it. PRELOGIN with or without TLS, LOGIN7, SQL batches, attentions; tokens
LOGINACK, ENVCHANGE, ERROR, INFO, COLMETADATA, ROW, DONE. A thread serves each connection.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

PRELOGIN, LOGIN7, BATCH, ATTENTION, REPLY = 0x12, 0x10, 0x01, 0x06, 0x04
ENCRYPT_OFF, ENCRYPT_ON, ENCRYPT_NOT_SUPPORTED = 0, 1, 2
DATABASE, PACKET_SIZE, COLLATION, BEGIN, COMMIT, ROLLBACK, ROUTE = 1, 4, 7, 8, 9, 10, 20
SELECT, INSERT = 0xC1, 0xC3
MORE, ERROR, COUNT, CANCELLED = 0x01, 0x02, 0x10, 0x20
LATIN1 = bytes.fromhex("0904d00034")


class Refuse(Exception):
    """What a batch or a login is answered with."""

    def __init__(self, number: int, text: str = "no", *, severity: int = 16, state: int = 1) -> None:
        super().__init__(f"{number}: {text}")
        self.number, self.text, self.severity, self.state = number, text, severity, state


@dataclass(frozen=True)
class Result:
    """What came of one statement.

    count    rows that it read or changed; None where it tells nothing
    rows     what it read: texts, whole numbers and None
    columns  as many as the rows have values; () for a statement that reads nothing
    token    "done", or "in proc" for what a trigger or a procedure does
    """

    count: int | None = None
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    columns: tuple[str, ...] = ()
    token: str = "done"


class Backend(Protocol):
    """What runs the batches of one session."""

    transaction: int
    """A number of the open transaction's own; 0 for none."""

    def run(self, batch: str) -> list[Result]:
        """Runs it; Refuse."""

    def cancel(self) -> None:
        """Ends what is running, from another thread."""

    def close(self) -> None:
        """The session is over: what is open is rolled back."""


@dataclass(frozen=True)
class Login:
    """What a client said of itself."""

    session: int
    user: str
    password: str
    database: str
    application: str
    encrypted: bool


@dataclass
class _Script:
    pattern: re.Pattern[str]
    act: str | Refuse | list[Result]
    times: int


class TdsServer:
    """A listening server.

    make     gives a session's backend; raises Refuse for a login that it does not take
    tls      the server's side, where it has a certificate
    offers   what PRELOGIN answers about encryption
    packet   bytes of a packet, which the login is told
    """

    def __init__(
        self,
        make: Callable[[Login], Backend],
        *,
        tls: ssl.SSLContext | None = None,
        offers: int | None = None,
        packet: int = 4096,
    ) -> None:
        self._make = make
        self.tls = tls
        self.offers = (ENCRYPT_NOT_SUPPORTED if tls is None else ENCRYPT_ON) if offers is None else offers
        self.packet = packet
        self.logins: list[Login] = []
        self.batches: list[str] = []
        self.attentions = 0
        self.route: tuple[str, int] | None = None
        self._scripts: list[_Script] = []
        self._sessions: dict[int, _Served] = {}
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def on(self, pattern: str, act: str | Refuse | list[Result], times: int = 1) -> None:
        """What the next batches that the pattern is found in are answered with.

        act  Refuse; results; "hang": no answer until somebody cancels; "deaf": none ever; "drop": the link ends before
             it is run; "run and drop": after it was run
        """
        self._scripts.append(_Script(re.compile(pattern), act, times))

    def end(self, session: int) -> bool:
        """Ends a session as KILL does; False where there is none."""
        served = self._sessions.get(session)
        if served is not None:
            served.end()
        return served is not None

    def close(self) -> None:
        """Ends everything."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for served in list(self._sessions.values()):
            served.end()

    def script(self, batch: str) -> str | Refuse | list[Result]:
        """What was asked for this batch; "" where it is to be run."""
        for script in self._scripts:
            if script.times and script.pattern.search(batch):
                script.times -= 1
                return script.act
        return ""

    def backend(self, login: Login) -> Backend:
        """A new session's."""
        self.logins.append(login)
        return self._make(login)

    def _listen(self) -> None:
        number = 50
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            number += 1
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            served = self._sessions[number] = _Served(self, connection, number)
            threading.Thread(target=served.serve, daemon=True).start()


class _Gone(Exception):
    """The client has ended the link."""


class _Pipe:
    """Packets over a socket, through TLS where it has begun."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        # Not select(), which knows no file beyond the first 1,024 of a process: one that runs many tests has more.
        self._said = select.poll()
        self._said.register(connection, select.POLLIN)
        self._tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()

    def read(self) -> tuple[int, bytes]:
        """The next message: its kind, and the data of all its packets."""
        data = b""
        while True:
            kind, status, length = struct.unpack(">BBH4x", self._exactly(8))
            data += self._exactly(length - 8)
            if status & 1:
                return kind, data

    def write(self, data: bytes, size: int, kind: int = REPLY) -> None:
        """A message, in packets of at most `size` bytes."""
        pieces = [data[at : at + size - 8] for at in range(0, len(data), size - 8)] or [b""]
        for number, piece in enumerate(pieces):
            last = number == len(pieces) - 1
            self._send(struct.pack(">BBHHBB", kind, int(last), len(piece) + 8, 0, number % 256, 0) + piece)

    def begin_tls(self, context: ssl.SSLContext) -> None:
        """The handshake, in packets of PRELOGIN."""
        tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush_handshake()
                self._incoming.write(self.read()[1])
            except ssl.SSLError:
                self._flush_handshake()  # why
                raise
            else:
                self._flush_handshake()
                self._tls = tls
                return

    def end_tls(self) -> None:
        """From here on in plain text."""
        self._tls = None

    def waits(self, seconds: float) -> bool:
        """Whether the client says something meanwhile."""
        return bool((self._tls and self._tls.pending()) or self._said.poll(seconds * 1000))

    def _flush_handshake(self) -> None:
        if data := self._outgoing.read():
            self.write(data, 4096, PRELOGIN)

    def _send(self, data: bytes) -> None:
        if self._tls is not None:
            self._tls.write(data)
            data = self._outgoing.read()
        self.socket.sendall(data)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self._receive(size - len(data))
            if not piece:
                raise _Gone
            data += piece
        return data

    def _receive(self, size: int) -> bytes:
        while self._tls is not None:
            try:
                return self._tls.read(size)
            except ssl.SSLWantReadError:
                data = self.socket.recv(65536)
                if not data:
                    return b""
                self._incoming.write(data)
        return self.socket.recv(size)


class _Served:
    """One connection."""

    def __init__(self, server: TdsServer, connection: socket.socket, number: int) -> None:
        self._server = server
        self._pipe = _Pipe(connection)
        self._number = number
        self._backend: Backend | None = None
        self._encrypted = False
        self._known = 0

    def serve(self) -> None:
        """Until it ends."""
        with suppress(OSError, _Gone, ssl.SSLError):
            self._pre_login()
            if self._log_in():
                while True:
                    self._batch()
        self.end()

    def end(self) -> None:
        """Rolls back what is open, and hangs up."""
        if self._backend is not None:
            with suppress(Exception):
                self._backend.cancel()
            self._backend.close()
        with suppress(OSError):
            self._pipe.socket.shutdown(socket.SHUT_RDWR)
        self._pipe.socket.close()

    def _pre_login(self) -> None:
        _, asked = self._pipe.read()
        # Options of five bytes each: the second one is about encryption.
        wanted = asked[struct.unpack_from(">H", asked, 6)[0]]
        offers = self._server.offers
        self._pipe.write(struct.pack(">BHHBHHB", 0, 11, 6, 1, 17, 1, 0xFF) + bytes(6) + bytes([offers]), 4096)
        self._encrypted = offers == ENCRYPT_ON or (offers == ENCRYPT_OFF and wanted == ENCRYPT_OFF)
        if self._encrypted and self._server.tls is not None:
            self._pipe.begin_tls(self._server.tls)

    def _log_in(self) -> bool:
        _, data = self._pipe.read()
        if self._server.offers == ENCRYPT_OFF:
            self._pipe.end_tls()
        user, password, application, database = (_field(data, place) for place in (40, 44, 48, 68))
        login = Login(self._number, user, _plain(password), database, application, self._encrypted)
        if self._server.route is not None:
            host, port = self._server.route
            place = struct.pack("<BHH", 0, port, len(host)) + host.encode("utf-16-le") + bytes(2)
            route = _token(0xE3, bytes([ROUTE]) + struct.pack("<H", len(place) - 2) + place)
            self._pipe.write(_ack() + route + _done(), 4096)
            return False
        try:
            self._backend = self._server.backend(login)
        except Refuse as refused:
            self._pipe.write(_error(refused) + _done(ERROR), 4096)
            return False
        size = str(self._server.packet)
        tokens = _change(DATABASE, database, "master") + _token(0xE3, bytes([COLLATION, 5]) + LATIN1 + b"\0")
        self._pipe.write(_ack() + tokens + _change(PACKET_SIZE, size, "4096") + _done(), 4096)
        return True

    def _batch(self) -> None:
        kind, data = self._pipe.read()
        if kind == ATTENTION:
            self._server.attentions += 1
            self._pipe.write(_done(CANCELLED), self._server.packet)
            return
        (headers,) = struct.unpack_from("<I", data)
        batch = data[headers:].decode("utf-16-le")
        self._server.batches.append(batch)
        act = self._server.script(batch)
        if act == "drop":
            raise _Gone
        if act in ("hang", "deaf"):
            self._hang(deaf=act == "deaf")
            return
        tokens = self._answer(batch, act)
        if act == "run and drop":
            raise _Gone
        if tokens is not None:
            self._pipe.write(tokens, self._server.packet)

    def _hang(self, *, deaf: bool) -> None:
        while self._pipe.read()[0] != ATTENTION or deaf:
            pass
        self._server.attentions += 1
        self._lose_transaction()
        self._pipe.write(self._transactions() + _done(CANCELLED), self._server.packet)

    def _lose_transaction(self) -> None:
        with suppress(Refuse):
            self._using().run("ROLLBACK TRANSACTION")

    def _answer(self, batch: str, act: str | Refuse | list[Result]) -> bytes | None:
        """The tokens of a batch; None where the client has cancelled it."""
        found: list[bytes] = []

        def run() -> None:
            try:
                if isinstance(act, Refuse):
                    self._lose_transaction()
                    raise act
                results = act if isinstance(act, list) else self._using().run(batch)
            except Refuse as refused:
                found.append(self._transactions() + _error(refused) + _done(ERROR))
            else:
                found.append(self._transactions() + b"".join(map(_result, results)) + _done())

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(0.002)
            if thread.is_alive() and self._pipe.waits(0.005):
                self._interrupt(thread)
                return None
        return found[0] if found else _done(ERROR)

    def _interrupt(self, thread: threading.Thread) -> None:
        kind, _ = self._pipe.read()  # raises when the client has gone
        assert kind == ATTENTION, kind
        self._server.attentions += 1
        self._using().cancel()
        thread.join()
        self._lose_transaction()
        self._pipe.write(self._transactions() + _done(CANCELLED), self._server.packet)

    def _transactions(self) -> bytes:
        """What began and ended since this was told last."""
        now, before = self._using().transaction, self._known
        self._known = now
        tokens = b""
        if before and now != before:
            tokens += _token(0xE3, bytes([ROLLBACK, 0, 8]) + struct.pack("<Q", before))
        if now and now != before:
            tokens += _token(0xE3, bytes([BEGIN, 8]) + struct.pack("<Q", now) + b"\0")
        return tokens

    def _using(self) -> Backend:
        assert self._backend is not None
        return self._backend


def _field(login: bytes, place: int) -> str:
    offset, length = struct.unpack_from("<HH", login, place)
    return login[offset : offset + 2 * length].decode("utf-16-le", "surrogatepass")


def _plain(password: str) -> str:
    mixed = password.encode("utf-16-le", "surrogatepass")
    return bytes(((byte ^ 0xA5) << 4 & 0xF0) | ((byte ^ 0xA5) >> 4) for byte in mixed).decode("utf-16-le")


def _short(text: str) -> bytes:
    return bytes([len(text)]) + text.encode("utf-16-le")


def _token(kind: int, data: bytes) -> bytes:
    return bytes([kind]) + struct.pack("<H", len(data)) + data


def _change(kind: int, new: str, old: str) -> bytes:
    return _token(0xE3, bytes([kind]) + _short(new) + _short(old))


def _ack() -> bytes:
    return _token(0xAD, struct.pack(">BI", 1, 0x74000004) + _short("Microsoft SQL Server") + bytes((16, 0, 0, 0)))


def _error(refused: Refuse) -> bytes:
    text = struct.pack("<H", len(refused.text)) + refused.text.encode("utf-16-le")
    tail = _short("fake") + _short("") + struct.pack("<I", 1)
    return _token(0xAA, struct.pack("<iBB", refused.number, refused.state, refused.severity) + text + tail)


def _done(status: int = 0, command: int = 0, count: int = 0, token: int = 0xFD) -> bytes:
    return struct.pack("<BHHQ", token, status, command, count)


def _result(result: Result) -> bytes:
    tokens = b""
    if result.columns:
        tokens += struct.pack("<BH", 0x81, len(result.columns))
        for at, name in enumerate(result.columns):
            kind = b"\x26\x08" if _is_whole(result, at) else b"\xe7" + struct.pack("<H", 8000) + LATIN1
            tokens += struct.pack("<IH", 0, 1) + kind + _short(name)
        for row in result.rows:
            tokens += b"\xd1"
            for at, value in enumerate(row):
                tokens += _whole(value) if _is_whole(result, at) else _text(value)
    status = MORE if result.count is None else MORE | COUNT
    command = SELECT if result.columns else INSERT
    return tokens + _done(status, command, result.count or 0, 0xFF if result.token == "in proc" else 0xFD)


def _is_whole(result: Result, at: int) -> bool:
    return bool(result.rows) and all(row[at] is None or isinstance(row[at], int) for row in result.rows)


def _whole(value: int | None) -> bytes:
    return b"\0" if value is None else b"\x08" + struct.pack("<q", value)


def _text(value: object) -> bytes:
    if value is None:
        return b"\xff\xff"
    data = str(value).encode("utf-16-le")
    return struct.pack("<H", len(data)) + data
