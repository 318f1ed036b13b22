"""`audiences --accept`: an older copy of an ad account's store, or another one, is meant to be it from now on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.control.acting import Actor, recorded
from workers.control.retry import retry
from workers.lanes.tending import tend_again

if TYPE_CHECKING:
    from workers.targets import OpenAccount


def accept_store(account: OpenAccount, who: Actor) -> None:
    """What is held for it is tried at once. TargetError where the store is away, redis.RedisError."""
    connector, key = account.connector, account.connector.key
    with recorded(account.redis, account.keys, who, "audiences --accept", key):
        connector.store.accept()
        if account.is_applied:
            retry(account.redis, account.keys, key)
            tend_again(account.redis, account.keys, key, 0)
