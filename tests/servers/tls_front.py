"""TLS in front of a server that has none: it ends here, and what is inside goes on in plain text.

For PostgreSQL, whose wheel is built without TLS, the client asks before it begins (SSLRequest); ClickHouse's begins.
"""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from tests.waiting import PATIENCE

if TYPE_CHECKING:
    import ssl

SSL_REQUEST = bytes([0, 0, 0, 8, 4, 210, 22, 47])
"""https://www.postgresql.org/docs/18/protocol-message-formats.html"""
ROUNDS = 10
"""Of the loop, in which whatever is under way comes to an end: more than any chain of callbacks here is long."""


class TlsFront:
    """Listens on `port` of 127.0.0.1 from `with` on; `context` may be replaced for those who come after.

    asks  the client sends SSLRequest first, and is told yes
    """

    def __init__(self, behind: int, context: ssl.SSLContext, *, asks: bool) -> None:
        self.context = context
        self.port = 0
        self._behind = behind
        self._asks = asks
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(PATIENCE)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()
        # asyncio loses some transports whose client went away in the handshake; no later test is to answer for them.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()

    async def _close(self) -> None:
        self._server.close()
        await _some_rounds()  # a task that is cancelled before it begins leaves the socket that it was given
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await _some_rounds()  # transports that were closed close their sockets one layer after the other

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._asks and not await self._is_asked(reader, writer):
                return
            await writer.start_tls(self.context)
            inner, outer = await asyncio.open_connection("127.0.0.1", self._behind)
            try:
                await asyncio.gather(_pump(reader, outer), _pump(inner, writer))
            finally:
                outer.transport.abort()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client does not trust us, or has gone
        except asyncio.CancelledError:
            pass  # our end; asyncio.streams asks each task for its exception, which a cancelled one answers by raising
        finally:
            writer.transport.abort()

    async def _is_asked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the client wants TLS; it is told that it can have it."""
        asked = await reader.readexactly(len(SSL_REQUEST)) == SSL_REQUEST
        if asked:
            writer.write(b"S")
        return asked


async def _some_rounds() -> None:
    for _ in range(ROUNDS):
        await asyncio.sleep(0)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
