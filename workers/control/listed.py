"""Segments that a source lists and segsync has not seen, or knows otherwise: taught, before runs are asked for."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from workers.errors import TargetError, WrongUsage
from workers.lanes.answers import field_of
from workers.resync.doors import doors_of
from workers.resync.profiles import UnfitSource
from workers.resync.segment_list import event_of, facts_of
from workers.routing.position import Position
from workers.routing.routes import Routes, restore

if TYPE_CHECKING:
    from workers.integrations import Segment
    from workers.resync.reaching import Reach
    from workers.runtime import Runtime
    from workers.settings.sources import AnySource

PATIENCE_SECONDS: Final = 60.0
"""Until what was taught has been routed: a router needs a second for some ten thousand."""
LOOK_SECONDS: Final = 0.1
AT_ONCE: Final = 1_000
"""Segments that are looked up, and taught, in one round trip: some hundred kilobytes."""


def listed_databases(runtime: Runtime) -> dict[str, AnySource]:
    """Sources that list their segments, by their database."""
    return {key: each for key, each in runtime.applied.settings.sources.items() if each.segments}


def listed_segments(runtime: Runtime, integration: str) -> list[str]:
    """What the integration follows of all that is listed; WrongUsage where a list cannot be read, or nobody routes.

    What is not known as the list has it goes through the intake, as the platform's own `segment_upsert` would.
    """
    settings = runtime.applied.settings
    routes = Routes(settings.integrations, settings.default_database)
    found, last, doors = [], "", doors_of(settings, os.environ)
    for source in listed_databases(runtime).values():
        segments = _read(source, doors)
        for at in range(0, len(segments), AT_ONCE):
            page = segments[at : at + AT_ONCE]
            stored = runtime.lanes.segments([each.id for each in page])
            known = [
                None if facts is None else restore(each.id, facts) for each, facts in zip(page, stored, strict=True)
            ]
            follows = [integration in routes.known(each).targets for each in page]
            found += [each.id for each, wanted in zip(page, follows, strict=True) if wanted]
            taught = [
                each
                for each, before, wanted in zip(page, known, follows, strict=True)
                if _is_news(each, before) and (wanted or (before and integration in routes.known(before).targets))
            ]
            last = _teach(runtime, taught) or last
    _wait_until_routed(runtime, last)
    return found


def _read(source: AnySource, doors: Reach) -> list[Segment]:
    try:
        return doors.segments_of(source)
    except (TargetError, UnfitSource) as error:
        raise WrongUsage(f"sources.{source.key}: its segments cannot be listed: {error}") from None


def _is_news(segment: Segment, known: Segment | None) -> bool:
    return known is None or any(facts_of(known).get(name) != value for name, value in facts_of(segment).items())


def _teach(runtime: Runtime, segments: list[Segment]) -> str:
    """The last one's place in the intake; "" for none."""
    pipe = runtime.redis.pipeline(transaction=False)
    for each in segments:
        pipe.xadd(runtime.keys.events, {"event": event_of(each)})
    ids = pipe.execute()
    return ids[-1].decode() if ids else ""


def _wait_until_routed(runtime: Runtime, last: str) -> None:
    ends = time.monotonic() + PATIENCE_SECONDS
    while last and _place(_routed(runtime)) < _place(last):
        if time.monotonic() > ends:
            raise WrongUsage("segments that are new stand in the intake and are not routed; expected a worker that is")
        time.sleep(LOOK_SECONDS)


def _routed(runtime: Runtime) -> str:
    return Position.from_text(field_of(runtime.redis, runtime.keys.intake, "position") or "").last_id


def _place(stream_id: str) -> tuple[int, int]:
    ms, _, n = stream_id.partition("-")
    return int(ms), int(n or 0)
