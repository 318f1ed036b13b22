"""A platform that answers over HTTP, in this process, on a free port of this host."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Asked(NamedTuple):
    """A request: its path with the query, and its headers in lower case."""

    path: str
    headers: dict[str, str]


class Answer(NamedTuple):
    """What is sent, and how long it is said to be (None: nothing is said, and the end of the connection is the end)."""

    body: bytes
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    length: int | None = None


class PlatformHttp:
    """Answers by a function of the test's, and notes what it was asked."""

    def __init__(self, answer: Callable[[Asked], Answer]) -> None:
        self.asked: list[Asked] = []
        self.answer = answer
        platform = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = Asked(self.path, {name.lower(): value for name, value in self.headers.items()})
                platform.asked.append(asked)
                given = platform.answer(asked)
                self.send_response(given.status)
                for name, value in given.headers:
                    self.send_header(name, value)
                if given.length is not None:
                    self.send_header("Content-Length", str(given.length))
                self.end_headers()
                self.wfile.write(given.body)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        """Ends it; whoever asks then is refused."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def answering(answer: Callable[[Asked], Answer]) -> Iterator[PlatformHttp]:
    """A platform while the block runs."""
    server = PlatformHttp(answer)
    try:
        yield server
    finally:
        server.stop()
