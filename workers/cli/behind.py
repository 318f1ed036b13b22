"""Whether this process's file is behind what is applied, for the commands that say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis import RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from workers.lanes.keys import Keys
from workers.settings.standing import behind

if TYPE_CHECKING:
    from redis import Redis

    from workers.settings import Settings


def why_behind(settings: Settings, redis: Redis | None = None) -> str:
    """Why this file is behind what is applied; "" where it is not, or where Redis does not tell at once."""
    quickly = Retry(NoBackoff(), 0)
    client = redis or settings.local.redis.client(retry=quickly, socket_connect_timeout=1.0, socket_timeout=1.0)
    try:
        late = behind(client, Keys(settings.local.namespace), settings)
    except RedisError:
        return ""
    return late.sentence if late else ""
