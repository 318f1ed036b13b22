"""Segments as pages and the API show them: what events have told of each, who follows it, and what it is owed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from workers.console.failures import NotFound
from workers.lanes.answers import number_of, text_of
from workers.routing.routes import Routes, restore
from workers.settings.segment_ids import segment_id as as_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.integrations import Segment
    from workers.runtime import Runtime

LISTED: Final = 100
"""Segments on one page, about."""
SCANNED: Final = 500
"""Segments that Redis looks at in one go."""
ROUNDS: Final = 20
"""Goes for one page: where a name is sought, so many of SCANNED are looked through before the page is shown."""


@dataclass(frozen=True, slots=True)
class FollowedSegment:
    """A segment, and the integrations whose scope it is in.

    groups, tags  [] where nobody has told of any
    """

    id: str
    name: str
    database: str
    groups: list[str]
    tags: list[str]
    targets: list[str]


@dataclass(frozen=True, slots=True)
class SegmentPage:
    """Some segments.

    after  where the next page begins; 0 where there is none
    total  segments in all
    """

    segments: list[FollowedSegment]
    after: int
    total: int


@dataclass(frozen=True, slots=True)
class OwedTo:
    """What an integration owes a segment: its lane.

    hold, why  what the lane is held for, and why it failed last; "" where it is not, or did not
    """

    integration: str
    operations: int
    hold: str
    why: str
    needs_resync: bool


@dataclass(frozen=True, slots=True)
class SegmentLanes:
    """One segment from near.

    known     whether an event has told of it
    unwanted  operations that no integration wanted
    """

    segment: FollowedSegment
    known: bool
    unwanted: int
    owed: list[OwedTo]


def find_segments(runtime: Runtime, q: str = "", after: int = 0) -> SegmentPage:
    """Some whose id or name has `q` in it, from `after` on. NothingApplied, redis.RedisError."""
    cursor, found, routes = after, list[FollowedSegment](), _routes(runtime)
    for _ in range(ROUNDS):
        cursor, page = _scan(runtime, cursor)
        found += [_followed(runtime, routes, each) for each in page if _fits(each, q)]
        if cursor == 0 or len(found) >= LISTED:
            break
    total: Any = runtime.redis.hlen(runtime.keys.segments)
    return SegmentPage(found, cursor, int(total))


def read_segment(runtime: Runtime, segment_id: str) -> SegmentLanes:
    """One of them; NotFound where nobody has told of it and nothing is owed to it, WrongUsage for what is no id."""
    segment_id = as_id(segment_id)
    kept: Any = runtime.redis.hget(runtime.keys.segments, segment_id)
    segment = _followed(runtime, _routes(runtime), restore(segment_id, kept or b"{}"))
    owed = [*_owed(runtime, segment_id, segment.targets)]
    if kept is None and not any(each.operations for each in owed):
        raise NotFound(f"no event has told of segment {segment_id[:80]!r}")
    unwanted = number_of(runtime.redis.hget(runtime.keys.unwanted, segment_id)) or 0
    return SegmentLanes(segment, kept is not None, unwanted, owed)


def _scan(runtime: Runtime, cursor: int) -> tuple[int, list[Segment]]:
    answer: Any = runtime.redis.hscan(runtime.keys.segments, cursor, count=SCANNED)
    cursor, page = answer
    return int(cursor), [restore(name.decode(), facts) for name, facts in page.items()]


def _fits(segment: Segment, q: str) -> bool:
    return not q or q.lower() in segment.id.lower() or q.lower() in (segment.name or "").lower()


def _routes(runtime: Runtime) -> Routes:
    settings = runtime.applied.settings
    return Routes(settings.integrations, settings.default_database)


def _followed(runtime: Runtime, routes: Routes, segment: Segment) -> FollowedSegment:
    return FollowedSegment(
        segment.id,
        segment.name or "",
        segment.database or runtime.applied.settings.default_database,
        sorted(segment.groups or ()),
        sorted(segment.tags or ()),
        [*routes.known(segment).targets],
    )


def _owed(runtime: Runtime, segment: str, targets: list[str]) -> Iterator[OwedTo]:
    redis, keys = runtime.redis, runtime.keys
    pipe = redis.pipeline(transaction=False)
    for key in targets:
        pipe.hmget(keys.lane(key, segment), "count", "hold", "why")
        pipe.sismember(keys.resync(key), segment)
    answers = pipe.execute()
    for key, (count, hold, why), needs in zip(targets, answers[::2], answers[1::2], strict=True):
        yield OwedTo(key, number_of(count) or 0, text_of(hold) or "", text_of(why) or "", bool(needs))
