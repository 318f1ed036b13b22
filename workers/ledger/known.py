"""Which ledger Redis says that an installation writes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workers.lanes.answers import fields_of

if TYPE_CHECKING:
    from redis import Redis

    from workers.lanes.keys import Keys


@dataclass(frozen=True, slots=True)
class KnownLedger:
    """The ledger that an installation knows.

    place, host  of whoever wrote to it first
    emptied      Unix seconds when it was found that this Redis is another one than before; None where it is not
    counted      up to where those who wrote to it have counted
    """

    id: str
    place: str
    host: str
    emptied: int | None
    counted: int


def known(redis: Redis, keys: Keys) -> KnownLedger | None:
    """The ledger that was written to; None before the first. redis.RedisError."""
    text = fields_of(redis, keys.ledger)
    if "id" not in text:
        return None
    emptied = int(text["emptied"]) if "emptied" in text else None
    return KnownLedger(text["id"], text.get("place", ""), text.get("host", ""), emptied, int(text.get("counted", 0)))
