"""All that waits in the intake, or in a lane, for those who only look: a page at a time, while others take from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from workers.events.sequence import TEXT_LENGTH
from workers.lanes.answers import entries_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

    from workers.lanes.answers import StreamEntry

PAGE: Final = 100
"""Entries or chunks that are read at once."""
GREATEST: Final = "18446744073709551615-18446744073709551615"
"""The last stream id there is: Redis refuses to be asked for what comes behind it."""


def entries(redis: Redis, key: str) -> Iterator[StreamEntry]:
    """A stream's entries, the oldest first. redis.RedisError."""
    after = "-"
    while page := entries_of(redis, key, PAGE, first=after):
        yield from page
        if len(page) < PAGE or page[-1].id == GREATEST:
            return
        after = f"({page[-1].id}"


def chunks(redis: Redis, key: str) -> Iterator[bytes]:
    """A lane's chunks from its head on, as packed. redis.RedisError.

    A delivery, or a compaction, that takes some away moves those behind them to other places. So the last one that was
    read is looked for again, and what is still there is met once, or twice rather than never.
    """
    first, read_to = 0, b""
    while True:
        page = cast("list[bytes]", redis.lrange(key, first, first + PAGE - 1))
        if first and not (page and _last_of(page[0]) <= read_to):
            first = max(0, first - PAGE + 1)  # what comes next stands before this place by now
            continue
        for chunk in page:
            last = _last_of(chunk)
            if not last or last > read_to:
                yield chunk
            read_to = max(read_to, last)
        if len(page) < PAGE:
            return
        first += PAGE - 1


def _last_of(chunk: bytes) -> bytes:
    """The last sequence of a chunk, by its header; empty for bytes that are none, which may stand anywhere."""
    last = chunk[TEXT_LENGTH : 2 * TEXT_LENGTH]
    return last if len(last) == TEXT_LENGTH and last.isdigit() else b""
