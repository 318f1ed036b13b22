"""A connection that leaves a node which has become a replica.

After a failover the old node may live on, read-only, and its clients with it: whoever holds a link would be refused
for ever. So READONLY ends the link, and the next one goes where the name leads by then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, ResponseError

if TYPE_CHECKING:
    from redis import ConnectionPool


class ReadOnly(RedisConnectionError):
    """This Redis may only be read: a replica, or a master that was demoted."""


def leave_replicas(pool: ConnectionPool) -> None:
    """Has the pool's connections end themselves when they are answered READONLY."""
    kind: Any = pool.connection_class

    class Leaving(kind):  # type: ignore[misc]
        def read_response(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - redis-py's
            try:
                return super().read_response(*args, **options)
            except ResponseError as error:
                # Redis 6.2 wraps a script's error in one of its own.
                if not isinstance(error, ReadOnlyError) and "READONLY" not in str(error):
                    raise
                self.disconnect()
                raise ReadOnly(
                    "Redis answers READONLY: it is a replica by now, or there is no master; expected a master"
                ) from None

    Leaving.__name__ = kind.__name__
    pool.connection_class = Leaving
