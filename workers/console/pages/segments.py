"""Segments: what is known of each, who follows it, and what it is owed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from workers.console.failures import NotFound
from workers.console.routes import PageRoute
from workers.lanes.answers import number_of, text_of
from workers.ledger.errors import LedgerError
from workers.ledger.runs import runs
from workers.routing.routes import Routes, restore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.responses import Response

    from workers.console.routes import Act
    from workers.console.visit import Visit
    from workers.integrations import Segment
    from workers.runtime import Runtime

LISTED: Final = 100
"""Segments on one page, about."""
SCANNED: Final = 500
"""Segments that Redis looks at in one go."""
ROUNDS: Final = 20
"""Goes for one page: where a name is sought, so many of SCANNED are looked through before the page is shown."""
DELIVERIES: Final = 20
"""Of a segment, the newest, on its page."""


@dataclass(frozen=True, slots=True)
class FollowedSegment:
    """A segment, and the integrations whose scope it is in."""

    segment: Segment
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OwedTo:
    """What an integration owes a segment."""

    integration: str
    operations: int
    hold: str
    why: str
    needs_resync: bool


def show(visit: Visit) -> Response:
    """A page of segments; `q` of the query is part of an id or a name, `after` where the page begins."""
    runtime, q = visit.site.runtime(), visit.query.get("q", "").strip()
    after = visit.query.get("after", "0")
    cursor, found = int(after) if after.isdecimal() and after.isascii() and len(after) < 20 else 0, []  # noqa: PLR2004 - digits of a cursor
    for _ in range(ROUNDS):
        cursor, page = _scan(runtime, cursor)
        found += [each for each in page if _fits(each, q)]
        if cursor == 0 or len(found) >= LISTED:
            break
    routes = _routes(runtime)
    listed = [FollowedSegment(each, routes.known(each).targets) for each in found]
    return visit.page("segments.html", listed=listed, q=q, cursor=cursor, total=_total(runtime))


def _total(runtime: Runtime) -> int:
    return int(runtime.redis.hlen(runtime.keys.segments))


def _scan(runtime: Runtime, cursor: int) -> tuple[int, list[Segment]]:
    answer: Any = runtime.redis.hscan(runtime.keys.segments, cursor, count=SCANNED)
    cursor, page = answer
    return int(cursor), [restore(name.decode(), facts) for name, facts in page.items()]


def _fits(segment: Segment, q: str) -> bool:
    return not q or q.lower() in segment.id.lower() or q.lower() in (segment.name or "").lower()


def _routes(runtime: Runtime) -> Routes:
    settings = runtime.applied.settings
    return Routes(settings.integrations, settings.default_database)


def one(visit: Visit) -> Response:
    """One segment, `id` of the query: no path, since a browser takes ".." in one for a way up."""
    runtime, segment_id = visit.site.runtime(), visit.query.get("id", "")
    kept: Any = runtime.redis.hget(runtime.keys.segments, segment_id)
    segment = restore(segment_id, kept or b"{}")
    targets = _routes(runtime).known(segment).targets
    owed = list(_owed(runtime, segment_id, targets))
    if kept is None and not any(each.operations for each in owed):
        raise NotFound(f"no event has told of segment {segment_id[:80]!r}")
    try:
        last, trouble = runs(visit.site.ledger(), segment=segment_id, limit=DELIVERIES), ""
    except LedgerError as error:
        last, trouble = [], str(error)
    return visit.page(
        "segment.html",
        segment=segment,
        known=kept is not None,
        database=segment.database or runtime.applied.settings.default_database,
        owed=owed,
        runs=last,
        trouble=trouble,
        unwanted=number_of(runtime.redis.hget(runtime.keys.unwanted, segment_id)) or 0,
    )


def _owed(runtime: Runtime, segment: str, targets: tuple[str, ...]) -> Iterator[OwedTo]:
    redis, keys = runtime.redis, runtime.keys
    pipe = redis.pipeline(transaction=False)
    for key in targets:
        pipe.hmget(keys.lane(key, segment), "count", "hold", "why")
        pipe.sismember(keys.resync(key), segment)
    answers = pipe.execute()
    for key, (count, hold, why), needs in zip(targets, answers[::2], answers[1::2], strict=True):
        yield OwedTo(key, number_of(count) or 0, text_of(hold) or "", text_of(why) or "", bool(needs))


PAGES: Final = (PageRoute("/segments", show), PageRoute("/segment", one))
ACTS: Final[tuple[Act, ...]] = ()
