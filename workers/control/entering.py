"""Segments that come into an integration's scope, or leave it, because the configuration changed (rule 4).

An integration that is new, that comes back, or whose scope is wider than before is told of what happens from now on,
and not of the members that its segments have already: they are flagged, as by an event that brings a segment in. What
an integration does not follow any more needs no resync there, and is flagged no longer; where it says
`on_leave = "clear"`, the reader of resyncs clears it (routing/leaving.py), once this configuration is the applied one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from workers.events.sequence import text_of
from workers.lanes.answers import scan_fields
from workers.lanes.clock import redis_ms
from workers.routing.leaving import LEAVING
from workers.routing.routes import Routes, restore
from workers.settings.revision import understood

if TYPE_CHECKING:
    from collections.abc import Collection

    from redis import Redis

    from workers.integrations import Scope
    from workers.lanes.keys import Keys
    from workers.settings import Settings
    from workers.settings.revision import Published


def flag_entering(redis: Redis, keys: Keys, before: Published | None, settings: Settings) -> int:
    """Flags what enters by these settings; returns how many (integration, segment). redis.RedisError."""
    if before is None:
        return 0
    old = understood(before, settings.local)  # None: nobody knows what was followed
    if old is not None and _scopes(old) == _scopes(settings):
        return 0
    then = Routes(old.integrations if old else {}, old.default_database if old else settings.default_database)
    now = Routes(settings.integrations, settings.default_database)
    clearing = {each.key for each in settings.integrations.values() if each.on_leave == "clear"}
    return sum(_flag(redis, keys, page, then, now, clearing) for page in scan_fields(redis, keys.segments))


def schedule_verifications(redis: Redis, keys: Keys, settings: Settings) -> None:
    """Notes which integrations verify by themselves; the reader forgets those that do not any more."""
    for each in settings.integrations.values():
        if each.verify is not None and each.is_listed:
            redis.zadd(keys.verifications, {each.key: 0}, nx=True)


def _scopes(settings: Settings) -> tuple[str, dict[str, Scope]]:
    return settings.default_database, {each.key: each.scope for each in settings.integrations.values()}


def _flag(
    redis: Redis, keys: Keys, page: dict[str, bytes], then: Routes, now: Routes, clearing: Collection[str]
) -> int:
    now_ms = redis_ms(redis)
    # A mark of this very moment may stand before what was flagged now.
    since, flagged = text_of(now_ms + 1, 0, 0), 0
    pipe = redis.pipeline(transaction=False)
    for name, facts in page.items():
        segment = restore(name, facts)
        followed, follows = then.known(segment).targets, now.known(segment).targets
        for key in follows:
            if key not in followed:
                pipe.sadd(keys.resync(key), segment.id)
                pipe.hset(keys.flagged(key), segment.id, since)
                flagged += 1
        for key in followed:
            if key not in follows:
                pipe.srem(keys.resync(key), segment.id)
                if key in clearing:
                    pipe.zadd(keys.leaving, {json.dumps([key, segment.id]): now_ms}, nx=True)
                    pipe.zadd(keys.verifications, {LEAVING: 0})
    pipe.execute()
    return flagged
