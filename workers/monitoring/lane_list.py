"""One integration from near: what it is, and the lanes that come next or were put off furthest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workers.lanes.answers import packed_field_of, ranked
from workers.lanes.clock import redis_ms
from workers.lanes.lease import ROUTE
from workers.monitoring.needs import MANY, of_entries, of_intake, of_integration, of_redis
from workers.monitoring.resyncs import needs_of, read_resyncs
from workers.monitoring.server import read_server
from workers.monitoring.states import IntegrationStatus, read_integration
from workers.monitoring.streams import oldest, read_stream
from workers.monitoring.tracing import LaneSight, read_lane
from workers.routing.routes import restore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

    from workers.lanes.keys import Keys
    from workers.monitoring.need import Need
    from workers.runtime import Runtime

LANES_SHOWN: Final = 20
"""Lanes that are listed: a screen."""


@dataclass(frozen=True, slots=True)
class ListedLane:
    """What an integration owes one segment.

    name      the segment's; None where nobody has told it
    due_in_s  seconds until it is served, 0 where it is due; None where it is not before somebody does something
    """

    segment: str
    name: str | None
    due_in_s: float | None
    lane: LaneSight


@dataclass(frozen=True, slots=True)
class NearStatus:
    """One integration from near.

    name, description, scope  as the applied configuration has them; "" where it does not name it any more
    lanes  at most LANES_SHOWN, those that come first and those that were put off furthest
    needs  sentences: what needs someone, of the integration and of what it cannot do without: Redis and the routing
    """

    integration: IntegrationStatus
    name: str
    description: str
    connector: str
    scope: str
    lanes: list[ListedLane]
    needs: list[str]


def read_near(runtime: Runtime, key: str, many: int | None = MANY) -> NearStatus:
    """An integration that was ever applied. Raises redis.RedisError, NothingApplied.

    many  open entries that need someone; None: only what stops its lanes is told, for who shows all else beside it
    """
    redis, keys = runtime.redis, runtime.keys
    first = None if many is None else oldest(redis, keys.events)
    declared = runtime.applied.settings.integrations.get(key)
    now = redis_ms(redis)
    found = read_integration(redis, keys, key, now, None)
    return NearStatus(
        integration=found,
        name=declared.name if declared else "",
        description=declared.description if declared else "",
        connector=declared.connector if declared else "",
        scope=declared.scope.words if declared else "",
        lanes=[_listed(redis, keys, found, segment, now) for segment in _ends(redis, keys, key)],
        needs=[need.sentence for need in _needs(redis, keys, found, first, many, now)],
    )


def _needs(
    redis: Redis, keys: Keys, found: IntegrationStatus, first: str | None, many: int | None, now: int
) -> Iterator[Need]:
    """As `status` says it; `first` of the intake a moment ago."""
    yield from of_integration(found, now)
    if many is None:
        return
    yield from of_redis(read_server(redis, keys))
    yield from of_entries(found, many)
    yield from needs_of(found.key, read_resyncs(redis, keys))
    yield from of_intake(read_stream(redis, keys, keys.events, ROUTE, first, now))


def _ends(redis: Redis, keys: Keys, key: str) -> list[str]:
    """Segments at both ends of the due sets, the first due first."""
    half = LANES_SHOWN // 4
    found: dict[str, float] = {}
    for name in (keys.full(key), keys.timed(key)):
        for first, last in ((0, half - 1), (-half, -1)):
            found |= dict(ranked(redis, name, first, last))
    return sorted(found, key=lambda segment: found[segment])


def _listed(redis: Redis, keys: Keys, found: IntegrationStatus, segment: str, now: int) -> ListedLane:
    lane = read_lane(redis, keys, found.key, segment, now)
    kept = packed_field_of(redis, keys.segments, segment)
    seconds = None if lane.due is None else max(0.0, lane.due.timestamp() - now / 1000)
    if found.all_wait and not lane.owner:
        # Whatever the lane's own time is, none is tried before its integration or connector is.
        waits = found.next_try_s
        seconds = None if waits is None or seconds is None else max(seconds, waits)
    return ListedLane(segment, restore(segment, kept).name if kept is not None else None, seconds, lane)
