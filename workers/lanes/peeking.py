"""A look at what else an integration owes, which changes nothing: it may have moved a moment later."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from workers.lanes.answers import first_of, text_of
from workers.lanes.chunks import MARK, UnreadableChunk, unpack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

    from workers.lanes.chunks import Operation
    from workers.lanes.keys import Keys

FIRST, LAST = 0, -1
"""Places in a lane's list of chunks."""


class Owed(NamedTuple):
    """Some operations of a lane that are not settled, and the segment's name there."""

    segment: str
    name: str | None
    operations: list[Operation]


def owed(redis: Redis, keys: Keys, integration: str, segment: str, after: str, most: int) -> Iterator[Owed]:
    """What an integration owes beside one batch: the end of its lane, and the heads of others that wait the longest.

    segment, after  the batch's, and its last sequence
    most            other lanes that are looked at. Raises redis.RedisError
    """
    yield from _chunk(redis, keys, (integration, segment), LAST, after)
    waiting = [*first_of(redis, keys.full(integration), most + 1), *first_of(redis, keys.timed(integration), most + 1)]
    for other in [each for each in dict.fromkeys(waiting) if each != segment][:most]:
        done = text_of(redis.hget(keys.lane(integration, other), "done")) or ""
        yield from _chunk(redis, keys, (integration, other), FIRST, done)


def _chunk(redis: Redis, keys: Keys, lane: tuple[str, str], place: int, after: str) -> Iterator[Owed]:
    """One chunk's operations behind a sequence; none where it was settled in the meantime or cannot be read."""
    chunk = cast("bytes | None", redis.lindex(keys.chunks(*lane), place))
    try:
        name, operations = unpack(chunk) if chunk is not None else (None, [])
    except UnreadableChunk:
        return  # its own deliverer says so
    left = [each for each in operations if each.sequence > after and each.kind != MARK]
    if left:
        yield Owed(lane[1], name, left)
