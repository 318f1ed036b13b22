"""What becomes of an ad account's people when their integration leaves the file."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from workers.errors import WrongUsage
from workers.lanes.clock import redis_ms
from workers.lanes.tending import tend_again
from workers.settings import revision, revisions
from workers.settings.ad_connectors import AdConnectorSettings
from workers.settings.spelling import nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from redis import Redis

    from workers.control.apply import ApplyPlan
    from workers.lanes.keys import Keys
    from workers.settings import Settings


def leaving(before: str, after: str) -> dict[str, str]:
    """The ad account of each integration that has left it, or the file; by two published configurations."""
    old, new = json.loads(before), json.loads(after)
    accounts = {key for key, each in old.get("connectors", {}).items() if "platform" in each}
    now = {key: each.get("connector") for key, each in new.get("integrations", {}).items()}
    was = {key: str(each.get("connector")) for key, each in old.get("integrations", {}).items()}
    return {key: connector for key, connector in was.items() if connector in accounts and now.get(key) != connector}


def check_emptied(gone: Mapping[str, str], emptied: Collection[str], settings: Settings) -> None:
    """WrongUsage for an integration whose audiences cannot be emptied."""
    for key in emptied:
        if key not in gone:
            hint = nearest(key, gone) if gone else "; none does"
            raise WrongUsage(f"--empty {key[:60]}: expected an integration that leaves its ad account{hint}")
        if not isinstance(settings.connectors.get(gone[key]), AdConnectorSettings):
            what = f"its ad account {gone[key]!r} leaves the file, too, and then nobody tells the platform"
            raise WrongUsage(f"--empty {key}: {what}; take out the connector when its audiences are empty")


def leaving_by(plan: ApplyPlan) -> dict[str, str]:
    """The same, of what a plan publishes in the end."""
    return leaving(plan.before.text, plan.settings.published()) if plan.before else {}


def account_of(redis: Redis, keys: Keys, key: str) -> str:
    """The ad account in whose audiences an integration's people are, or stayed; "" for a database's. RedisError.

    By the newest configuration that has it.
    """
    having = (each for each in _configurations(redis, keys) if key in json.loads(each).get("integrations", {}))
    return leaving(next(having, "{}"), "{}").get(key, "")


def _configurations(redis: Redis, keys: Keys) -> Iterator[str]:
    """What is applied, and then what was, the newest first."""
    found = revision.published(redis, keys)
    if found is not None:
        yield found.text
    yield from (each.text for each in revisions.history(redis, keys))


def staying(gone: Mapping[str, str]) -> list[str]:
    """A word on those whose people stay."""
    return [
        f"{key} leaves {connector}: its people stay in its audiences there, and nothing takes them out"
        for key, connector in sorted(gone.items())
    ]


def said_of(gone: Mapping[str, str], emptied: Collection[str]) -> list[str]:
    """The same to who may still have them leave."""
    left = sorted(key for key in gone if key not in emptied)
    return [
        f"{line}; expected --empty {key} where they shall leave"
        for key, line in zip(left, staying({key: gone[key] for key in left}), strict=True)
    ]


def empty(
    redis: Redis,
    keys: Keys,
    settings: Settings,
    gone: Mapping[str, str],
    emptied: Collection[str],
) -> dict[str, int]:
    """Everybody leaves these integrations' audiences; how many each has. TargetError, SettingsError, redis.RedisError.

    After the file is published: nobody delivers for them any more.
    """
    # Loads SQLAlchemy, for who has ad accounts alone.
    from workers.connectors.audiences.store.audiences import empty_audiences  # noqa: PLC0415 - start-up time
    from workers.connectors.audiences.store.database import Store  # noqa: PLC0415 - as above
    from workers.connectors.audiences.store.written import StoreWatch  # noqa: PLC0415 - as above

    found = {}
    for key in emptied:
        account = settings.connectors[gone[key]]
        assert isinstance(account, AdConnectorSettings)  # noqa: S101 - `check_emptied` has looked
        watch = StoreWatch(redis, keys.ad_stores, keys.nothing, account.key)
        store = Store(account.store_at(os.environ), watch)
        try:
            store.upgrade()
            with store.changing() as connection:
                found[key] = empty_audiences(connection, account.key, key, redis_ms(redis))
        finally:
            store.close()
        tend_again(redis, keys, account.key, 0)
    return found
