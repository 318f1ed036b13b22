"""What Redis says of itself, and whether it takes writes: that is tried, with a write of nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from redis.exceptions import RedisError, ResponseError

from workers.lanes.answers import fields_of
from workers.lanes.server_info import read_info
from workers.settings.reconnecting import ReadOnly

if TYPE_CHECKING:
    from redis import Redis

    from workers.lanes.keys import Keys


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """Redis at this moment.

    is_replica    it may only be read
    refuses       how it answers a write, where it refuses one; "" where it takes it
    disk          what it could not write to its disk, as it says itself; "" where nothing is wrong
    policy        its eviction policy; anything but noeviction may drop events
    used, limit   bytes; no limit is 0
    full          why producers are refused; "" while they are not
    """

    is_replica: bool
    refuses: str
    disk: str
    policy: str
    used: int
    limit: int
    full: str

    @property
    def writes(self) -> bool:
        """Whether it takes writes."""
        return not (self.is_replica or self.refuses)


def read_server(redis: Redis, keys: Keys) -> ServerStatus:
    """Redis as it is now. redis.RedisError."""
    told = read_info(redis)
    marks = fields_of(redis, keys.full_marks)
    return ServerStatus(
        is_replica=told.is_replica,
        refuses=_refusal(redis, keys),
        disk=told.disk,
        policy=told.policy,
        used=told.used,
        limit=told.limit,
        full=marks.get("reason", "an integration is full") if marks else "",
    )


def _refusal(redis: Redis, keys: Keys) -> str:
    """How a write is refused, by a right, a disk, a missing replica; a full one takes this write (rule 5)."""
    try:
        redis.delete(keys.nothing)
    except (ReadOnly, ResponseError) as error:
        return str(error)
    except RedisError:  # silence is no refusal: whoever reads on meets it
        return ""
    return ""
