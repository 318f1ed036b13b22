"""Having ad platforms told once more what they refused by name: each from its account's own store."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

from workers.lanes.clock import redis_ms
from workers.lanes.tending import tend_again
from workers.outcomes import Resolved
from workers.quarantine import refused_members
from workers.settings.ad_connectors import AdConnectorSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis import Redis

    from workers.lanes.keys import Keys
    from workers.quarantine.entries import EntryDetail
    from workers.settings import Settings


def retry_members(
    settings: Settings,
    redis: Redis,
    keys: Keys,
    entries: Sequence[EntryDetail],
    by: str,
) -> list[str]:
    """As `requeue.MemberRetry`. Only stores are asked, no platform: no token is needed.

    First the store, then the word to the ledger: should that be lost, what comes of it is told all the same.
    """
    # Loads SQLAlchemy, for who has ad accounts alone.
    from workers.connectors.audiences.store.database import Store  # noqa: PLC0415 - start-up time
    from workers.connectors.audiences.store.refusal_entries import tell_again  # noqa: PLC0415 - as above
    from workers.connectors.audiences.store.written import StoreWatch  # noqa: PLC0415 - as above

    wanted, found = {entry.uid for entry in entries}, set[str]()
    for _, account in sorted(settings.connectors.items()):
        if not isinstance(account, AdConnectorSettings) or found == wanted:
            continue
        watch = StoreWatch(redis, keys.ad_stores, keys.nothing, account.key)
        with closing(Store(account.store_at(os.environ), watch)) as store:
            store.upgrade()
            with store.changing() as connection:
                now_ms = redis_ms(redis)
                mine = tell_again(connection, account.key, wanted - found, now_ms)
        if mine:
            refused_members.append(redis, keys, [Resolved(uid, "retried", now_ms, by=by) for uid in sorted(mine)])
            tend_again(redis, keys, account.key, 0)
        found |= mine
    return ["ok" if entry.uid in found else "not refused" for entry in entries]
