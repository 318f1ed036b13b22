"""The console's server: uvicorn, one process."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import uvicorn

from workers.console.connections import Bounds, bounded
from workers.errors import WrongUsage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp

KEEP_ALIVE_SECONDS: Final = 10
MOST_CONNECTIONS: Final = 200
"""At once; more are answered with 503, so that a crowd costs this process no more memory than that."""
LEAVE_SECONDS: Final = 3
"""For requests that are being answered when it ends."""


def serve(
    app: ASGIApp,
    host: str,
    port: int,
    told: Callable[[str], None],
    ending: Callable[[], None],
    is_proxy: Callable[[str], bool] = lambda _: False,
) -> None:
    """Until SIGTERM or Ctrl-C; port 0 is any free one. WrongUsage.

    told, ending  get the URL as soon as it listens; end what would go on for as long as somebody looks, in its loop
    is_proxy      whether an address is a proxy's, and so many people's
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except OSError as error:
            raise WrongUsage(f"--listen {host}:{port}: {error.strerror}") from None
        listening.listen()  # from now on whoever connects is answered, soon
        name = f"[{host}]" if family == socket.AF_INET6 else host
        told(f"http://{name}:{listening.getsockname()[1]}/")
        config = uvicorn.Config(
            app,
            http=bounded(Bounds(is_proxy)),
            log_level="warning",
            access_log=False,
            server_header=False,
            # Whom such headers are believed of, the file says (proxied.py); uvicorn's own would come before that.
            proxy_headers=False,
            ws="none",  # the end of a connection that became one would be told to nobody who counts
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=LEAVE_SECONDS,
            limit_concurrency=MOST_CONNECTIONS,
        )
        server = _Quiet(config, ending)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, server.end)
        server.run(sockets=[listening])


def _was_not_ended(record: logging.LogRecord) -> bool:
    """False for a request that was answered for longer than the console waits at its end: it is no mistake."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, asyncio.CancelledError)


class _Quiet(uvicorn.Server):
    """Ends with status 0 where it is asked to: uvicorn's own raises the signal once more at its end."""

    def __init__(self, config: uvicorn.Config, ending: Callable[[], None]) -> None:
        super().__init__(config)
        self._ending = ending
        logging.getLogger("uvicorn.error").addFilter(_was_not_ended)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Streams first: it waits for whatever is being answered."""
        self._ending()
        await super().shutdown(sockets)

    def end(self, *_: object) -> None:
        """Answers what it has begun to, and ends; the second time at once."""
        self.force_exit, self.should_exit = self.should_exit, True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to `end`."""
        yield
