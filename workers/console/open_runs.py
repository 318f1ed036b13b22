"""Resyncs that are not over, as pages show them: of all integrations, or of one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from workers.control.resync import CONFIRMABLE
from workers.lanes.answers import fields_of, first_of, text_fields, text_of
from workers.resync.run import ResyncRun

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis import Redis

    from workers.lanes.keys import Keys

LOOKED_AT: Final = 1_000
"""Runs of whatever integration that are looked through for one's, those that have begun first; some 10 ms."""
SHOWN: Final = 10
"""Runs of one integration that are shown."""


@dataclass(frozen=True, slots=True)
class RunView:
    """A run as a page shows it.

    part     how much of it is done, 0 to 1; None where that is not known
    asks     whether it waits for somebody's word
    shown    some of the keys that differ, by kind
    """

    run: ResyncRun
    progress: str
    part: float | None
    asks: bool
    shown: dict[str, Any]


@dataclass(frozen=True, slots=True)
class OpenRuns:
    """One integration's runs: those that wait for a word first, then those that have begun.

    more  whether there may be others
    """

    runs: list[RunView]
    more: bool


def view(run: ResyncRun) -> RunView:
    """A run, for a page."""
    return RunView(run, run.progress, run.part, run.outcome == CONFIRMABLE, json.loads(run.shown or "{}"))


def of_integration(redis: Redis, keys: Keys, integration: str) -> OpenRuns:
    """Its runs, at most SHOWN of them. redis.RedisError."""
    asking = [run for lane, run in fields_of(redis, keys.runs_asking).items() if lane.partition(":")[0] == integration]
    begun = first_of(redis, keys.runs, LOOKED_AT)
    names = [*begun, *first_of(redis, keys.runs_waiting, LOOKED_AT - len(begun) + 1)]
    found = dict.fromkeys([*asking, *_those_of(redis, keys, integration, names[:LOOKED_AT])])
    read = redis.pipeline(transaction=False)
    for run in [*found][:SHOWN]:
        read.hgetall(keys.run(run))
    runs = [ResyncRun.read(text_fields(each)) for each in read.execute()]
    more = len(found) > SHOWN or len(names) > LOOKED_AT
    return OpenRuns([view(run) for run in runs if run is not None], more)


def _those_of(redis: Redis, keys: Keys, integration: str, names: Iterable[str]) -> list[str]:
    pipe = redis.pipeline(transaction=False)
    for run in (names := [*names]):
        pipe.hget(keys.run(run), "integration")
    told = cast("list[bytes | None]", pipe.execute())
    return [run for run, of in zip(names, told, strict=True) if text_of(of) == integration]
