"""A stand-in for the redis-py client that the producers' client pushes through."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from segsync import Producer

if TYPE_CHECKING:
    import redis


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


def producer_to(intake: FakeRedis) -> Producer:
    """A producer that pushes to it."""
    return Producer(client=cast("redis.Redis", intake))
