"""A stand-in for the redis-py client that the producers' client pushes through."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self, cast

from segsync import AsyncProducer, Producer

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis.asyncio


class FakeRedis:
    """Keeps the chunks that the push script is given.

    fails_at  0-based chunk at which to raise `error`
    """

    def __init__(self, fails_at: int | None = None, error: Exception | None = None) -> None:
        self._fails_at = fails_at
        self._error = error
        self.chunks: list[list[bytes]] = []
        self.closed = False

    def register_script(self, _: str) -> FakeRedis:
        """Itself stands for the script."""
        return self

    def __call__(self, keys: list[str], args: list[bytes]) -> list[bytes]:
        """Runs the script: everything is accepted, but for the chunk that is to fail."""
        self.keys = keys
        if len(self.chunks) == self._fails_at and self._error:
            raise self._error
        self.chunks.append(args)
        return [b"%d-%d" % (len(self.chunks), index) for index in range(len(args))]

    def close(self) -> None:
        """Notes it."""
        self.closed = True

    @property
    def events(self) -> list[bytes]:
        """What was sent, without the borders of chunks."""
        return [event for chunk in self.chunks for event in chunk]


class Awaited:
    """The same for asyncio."""

    def __init__(self, intake: FakeRedis) -> None:
        self._intake = intake

    def register_script(self, _: str) -> Awaited:
        """Itself stands for the script."""
        return self

    async def __call__(self, keys: list[str], args: list[bytes]) -> list[bytes]:
        """Runs the script."""
        return self._intake(keys, args)

    async def aclose(self) -> None:
        """Notes it."""
        self._intake.close()


def producer_to(intake: FakeRedis) -> Producer:
    """A producer that pushes to it."""
    return Producer(client=cast("redis.Redis", intake))


def async_producer_to(intake: FakeRedis) -> Producer:
    """An AsyncProducer that pushes to it, as a Producer."""
    return waited_for(lambda: AsyncProducer(client=cast("redis.asyncio.Redis", Awaited(intake))))


class _WaitedFor:
    """Each method of an AsyncProducer is waited for: what it does can be tested as a Producer's."""

    def __init__(self, make: Callable[[], AsyncProducer]) -> None:
        self._runner = asyncio.Runner()

        async def made() -> AsyncProducer:
            return make()

        self._producer = self._runner.run(made())

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._producer, name)

        def call(*given: Any, **more: Any) -> Any:
            return self._runner.run(method(*given, **more))

        return call

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._producer.__aexit__(None, None, None))
        self._runner.close()


def waited_for(make: Callable[[], AsyncProducer]) -> Producer:
    """An AsyncProducer as a Producer; `make` is called where its event loop runs."""
    return cast("Producer", _WaitedFor(make))
