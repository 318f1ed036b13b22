"""Entries for what an ad platform refuses by name: told from its store, since what was sent stands there (rule 73).

They have no data but the profile's key: the store has hashes, and no profile that could be pushed again. A retry has
the platform told once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from workers import outcomes
from workers.lanes.answers import number_of
from workers.lanes.clock import redis_ms
from workers.outcomes import OF_NO_LANE, Quarantined, Resolved

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from redis import Redis

    from workers.connectors.audiences.records import Platform
    from workers.connectors.audiences.store.refusal_entries import EntryChange
    from workers.lanes.keys import Keys
    from workers.outcomes import Record

AT_ONCE: Final = 500
"""Entries that are told in one step."""
MOST_STEPS: Final = 20
"""Steps in one go; then somebody else's work is due."""

# The DEL lets a full Redis run what follows (rule 5). An integration that is gone is not begun anew by a count.
_APPEND: Final = """
redis.call('DEL', KEYS[1])
local records = tonumber(ARGV[1])
for i = 2, records + 1 do redis.call('XADD', KEYS[2], '*', 'r', ARGV[i]) end
for i = 3, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 1 then redis.call('HINCRBY', KEYS[i], 'quarantined', ARGV[records + i - 1]) end
end
"""


class Account(Protocol):
    """What is needed of an ad account."""

    platform: Platform

    def entry_changes(self, most: int, without_room: Collection[str]) -> list[EntryChange]:
        """As `AdConnector.entry_changes`."""

    def entries_told(self, done: Collection[EntryChange]) -> None:
        """As `AdConnector.entries_told`."""


def tell(redis: Redis, keys: Keys, account: Account) -> int:
    """Tells the ledger what it does not know yet of an account's entries; returns how many changes.

    Each step is told before the store notes that it was: told twice it is told once. What there is no room for in an
    integration's `max_quarantine` waits in the store. TargetError where that is away; redis.RedisError.
    """
    full: set[str] = set()
    told = 0
    for _ in range(MOST_STEPS):
        found = account.entry_changes(AT_ONCE, full)
        full |= {each for each in {one.integration for one in found if not one.told} if _is_full(redis, keys, each)}
        now = [each for each in found if each.told or each.integration not in full]
        if now:
            append(redis, keys, [one for each in now for one in _records(each, account.platform, redis_ms(redis))])
            account.entries_told(now)
            told += len(now)
        if len(found) < AT_ONCE:
            break
    return told


def append(redis: Redis, keys: Keys, records: Sequence[Record]) -> None:
    """Sends records to the ledger, new entries counted as open ones. redis.RedisError."""
    opened = [each.integration for each in records if isinstance(each, Quarantined) and each.integration]
    counts = {keys.integration(key): opened.count(key) for key in sorted(set(opened))}
    names = (keys.nothing, keys.outcomes, *counts)
    redis.eval(_APPEND, len(names), *names, len(records), *map(outcomes.encode, records), *counts.values())


def _is_full(redis: Redis, keys: Keys, integration: str) -> bool:
    opened, most = redis.hmget(keys.integration(integration), "quarantined", "max_quarantine")
    limit = number_of(most)
    return limit is not None and (number_of(opened) or 0) >= limit


def _records(change: EntryChange, platform: Platform, now_ms: int) -> Iterator[Record]:
    if change.told == "":
        gone = change.state == "superseded"
        for each in change.before.split():
            yield _resolved(each, "superseded" if gone else "replaced", now_ms)
        if not gone:
            yield _opened(change, platform, now_ms)
    if change.state != "open":
        yield _resolved(change.entry, change.state, now_ms)


def _resolved(entry: str, state: str, now_ms: int) -> Resolved:
    return Resolved(entry, state, now_ms, "later operation" if state == "superseded" else "")


def _opened(change: EntryChange, platform: Platform, now_ms: int) -> Quarantined:
    what = next((each.what for each in platform.fields.values() if change.kind in each.kinds), "")
    reason = f"{platform.name} refuses what was sent of it as: {what}; mend the profile where it comes from"
    return Quarantined(
        uid=change.entry,
        integration=change.integration,
        segment=change.segment,
        event_type="add",
        profile=change.profile,
        sequence=OF_NO_LANE,
        at_ms=now_ms,
        code=f"{platform.key} {change.code or 'refused'}",
        reason=reason,
        payload=b"",
        size=0,
        sha256="",
        retries=change.retries,
        replaces=change.before.rpartition(" ")[2],
    )
