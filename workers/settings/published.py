"""What stands in Redis of the applied configuration, for those who need not understand all of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workers.errors import SegsyncError
from workers.lanes.answers import fields_of

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import Pipeline

    from workers.lanes.keys import Keys

INTAKE_LIMIT: Final = "intake"
"""The field of the limits that producers look at."""


class NothingApplied(SegsyncError):
    """No configuration has been applied to this Redis yet."""


@dataclass(frozen=True, slots=True)
class Published:
    """What stands in Redis of the applied configuration, unread."""

    revision: int
    digest: str
    installation: str
    text: str
    at: str
    by: str


def published(redis: Redis | Pipeline, keys: Keys) -> Published | None:
    """What is applied at this moment; None if nothing is."""
    text = fields_of(redis, keys.config)
    if "revision" not in text:
        return None
    return Published(int(text["revision"]), text["digest"], text["installation"], text["text"], text["at"], text["by"])


def what_is_applied(redis: Redis, keys: Keys) -> Published:
    """The same; NothingApplied if nothing is. redis.RedisError."""
    found = published(redis, keys)
    if found is None:
        raise NothingApplied(f"no configuration has been applied under {keys.namespace!r}; run `segsync apply`")
    return found
