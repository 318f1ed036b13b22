"""Connections that nobody else may be kept out by: those that say or read nothing, and too many of one address."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

from workers.console.guesses import counted_as

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

SLOWEST_SECONDS: Final = 10.0
"""From a connection, or a request's first byte, to the end of the request's headers."""
UNREAD_SECONDS: Final = 60.0
"""How long what is answered may wait to be read: 64 KiB of it, beside what the kernel takes."""
MOST_OF_ADDRESS: Final = 100
"""Connections of one address that is no proxy of ours."""
_TOO_MANY: Final = b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 5\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of one server's connections.

    is_proxy  whether an address stands for many, as a proxy's does
    seconds   from a connection, or a request's first byte, to the end of the request's headers
    most      connections of one address that is no proxy
    unread    seconds that an answer may wait to be read
    """

    is_proxy: Callable[[str], bool]
    seconds: float = SLOWEST_SECONDS
    most: int = MOST_OF_ADDRESS
    unread: float = UNREAD_SECONDS
    counted: Counter[str] = field(default_factory=Counter)


class BoundedProtocol(H11Protocol):
    """Uvicorn's own with these bounds. By itself it bounds the time between requests, and nothing else."""

    bounds: ClassVar[Bounds]
    _timer: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _counted = ""

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - as the base has it
        """One more; it is let go at once where its address has too many."""
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        if not self.bounds.is_proxy(address):
            self._counted = counted_as(address)
            self.bounds.counted[self._counted] += 1
        if self.bounds.counted[self._counted] > self.bounds.most:
            transport.write(_TOO_MANY)
            transport.close()
        self._watch()

    def data_received(self, data: bytes) -> None:
        """A part of a request."""
        super().data_received(data)
        self._watch()

    def pause_writing(self) -> None:
        """As much waits as may: whoever reads nothing of it is let go."""
        super().pause_writing()
        self._let_go_unread(self.bounds.unread)

    def resume_writing(self) -> None:
        """Enough of it was read."""
        super().resume_writing()
        self._has_read()
        if self.transport.is_closing():
            self._let_go_unread(self.bounds.seconds)

    def timeout_keep_alive_handler(self) -> None:
        """No further request came. What is left of the last answer is read within the same time, or never."""
        super().timeout_keep_alive_handler()
        self._let_go_unread(self.bounds.seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """One less."""
        counted = self.bounds.counted
        counted[self._counted] -= 1
        if counted[self._counted] <= 0:
            del counted[self._counted]
        self._stop()
        self._has_read()
        super().connection_lost(exc)

    def _watch(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.bounds.seconds, self._give_up)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
            self._let_go_unread(self.bounds.seconds)

    def _let_go_unread(self, seconds: float) -> None:
        if self._unread is None:
            # Closing would wait until everything is read.
            self._unread = self.loop.call_later(seconds, self.transport.abort)

    def _has_read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None


def bounded(bounds: Bounds) -> type[BoundedProtocol]:
    """The protocol of one server."""
    return type("BoundedProtocol", (BoundedProtocol,), {"bounds": bounds})
