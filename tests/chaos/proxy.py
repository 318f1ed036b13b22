"""A TCP proxy on the loopback interface that can cut links, hold them half-open, and lead elsewhere.

It runs in a thread of its own. Workers connect through it; whoever checks connects directly.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")
CHUNK = 64 * 1024


class _Pair:
    """A client's link and the one to the server that belongs to it."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.writers = (client, server)
        self.open = asyncio.Event()
        self.open.set()

    def cut(self) -> None:
        """Both ends see a reset; what was under way is gone."""
        self.open.set()
        for writer in self.writers:
            writer.transport.abort()


class Proxy:
    """Forwards 127.0.0.1:`port` to 127.0.0.1:`upstream`."""

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.port = 0
        self._pairs: set[_Pair] = set()
        self._frozen = False
        self._doomed = 0
        self._answers_left: int | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy-{upstream}", daemon=True)
        self._thread.start()
        self._server = self._do(self._listen())

    def cut(self) -> int:
        """Resets every link; how many there were."""
        return self._do(self._cut())

    def cut_answers(self, count: int) -> None:
        """The next so many answers do not arrive: what was asked for is done, and the link is reset."""
        self._do(self._doom(count))

    @property
    def answers_to_cut(self) -> int:
        """Those of `cut_answers` that have not come yet."""
        return self._doomed

    def freeze(self, *, newcomers: bool) -> None:
        """Nothing is forwarded any more, in either direction, on the links there are; nor on new ones."""
        self._do(self._freeze(newcomers))

    def freeze_after(self, answers: int) -> None:
        """So, too, but only once so many more answers have passed: in the middle of what somebody does."""
        self._answers_left = answers

    @property
    def is_frozen(self) -> bool:
        """Whether new links are answered no more."""
        return self._frozen

    def thaw(self) -> None:
        """All goes on, with what was sent in the meantime."""
        self._do(self._thaw())

    def close(self) -> None:
        """Ends it all."""
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _cut(self) -> int:
        count = len(self._pairs)
        for pair in list(self._pairs):
            pair.cut()
        return count

    async def _freeze(self, newcomers: bool) -> None:
        self._frozen = newcomers
        for pair in self._pairs:
            pair.open.clear()

    async def _thaw(self) -> None:
        self._frozen = False
        for pair in self._pairs:
            pair.open.set()

    async def _close(self) -> None:
        self._server.close()
        await self._cut()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:
            writer.transport.abort()
            return
        pair = _Pair(writer, far_writer)
        if self._frozen:
            pair.open.clear()
        self._pairs.add(pair)
        try:
            await asyncio.gather(_pump(reader, far_writer, pair.open), self._answer(far_reader, pair))
        except asyncio.CancelledError:
            pass  # the proxy is being closed; asyncio would print it if it went further
        finally:
            self._pairs.discard(pair)
            pair.cut()

    async def _doom(self, count: int) -> None:
        self._doomed = count

    async def _count_answer(self, left: int) -> None:
        self._answers_left = left - 1 if left else None
        if not left:
            await self._freeze(newcomers=True)

    async def _answer(self, reader: asyncio.StreamReader, pair: _Pair) -> None:
        """Forwards what the server says, but for the answers that are to be lost."""
        writer = pair.writers[0]
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                if self._answers_left is not None:
                    await self._count_answer(self._answers_left)
                await pair.open.wait()
                if self._doomed > 0:
                    self._doomed -= 1
                    pair.cut()
                    return
                writer.write(data)
                await writer.drain()
            await pair.open.wait()
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_open: asyncio.Event) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            await is_open.wait()
            writer.write(data)
            await writer.drain()
        await is_open.wait()
    writer.close()
