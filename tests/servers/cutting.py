"""A link that breaks off: forwarded to a server, and reset after so many bytes of what that says."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable


class Cutting:
    """Forwards one link, and resets it after so many bytes of the server's; counts what came."""

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.limit: int | None = None
        self.seen = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._begin(self._accept)

    def _begin(self, work: Callable[..., None], *sockets: socket.socket) -> None:
        thread = threading.Thread(target=work, args=sockets, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                server = socket.create_connection(("127.0.0.1", self.upstream))
                self._sockets += [client, server]
                self._begin(self._forward, client, server)
                self._begin(self._answer, client, server)

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)

    def _answer(self, client: socket.socket, server: socket.socket) -> None:
        self.seen = 0
        with suppress(OSError):
            while data := server.recv(65536):
                left = len(data) if self.limit is None else self.limit - self.seen
                self.seen += len(data)
                client.sendall(data[:left])
                if left < len(data):
                    break
        for each in (client, server):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Ends all of it, once no thread uses it any more."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        for each in (self._server, *self._sockets):
            each.close()
