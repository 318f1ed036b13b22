"""What `status` tells of resyncs: runs that are open, and those that wait for somebody's word."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

from workers.lanes.answers import fields_of, first_of, members_of
from workers.monitoring.ages import moment_of
from workers.monitoring.need import Need
from workers.monitoring.needs import spelled
from workers.resync.run import ResyncRun

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from redis import Redis

    from workers.lanes.keys import Keys

SHOWN: Final = 3
"""Runs of a kind that are told of by name; the others are counted."""
TROUBLED_TRIES: Final = 2
"""Failures one after the other after which a run is told as one that cannot go on."""


@dataclass(frozen=True, slots=True)
class FailingRuns:
    """Segments of one integration whose last run failed.

    many      how many
    since_ms  of the first, by Redis's clock
    shown     some of them: segment, run, and why
    """

    integration: str
    many: int
    since_ms: int
    shown: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class BegunRun:
    """A run that has begun and is not over.

    integration  whose segment it is about
    name      "run 3 (segment 7 of crm)"
    by        who asked for it, and when, by Redis's clock
    progress  how far it is
    why       what it waits for; "" for nothing
    tries     failures one after the other
    """

    integration: str
    name: str
    by: str
    asked_ms: int
    progress: str
    why: str
    tries: int

    @property
    def told(self) -> str:
        """Who wants it, and since when."""
        return f"asked for by {self.by or 'somebody'} at {spelled(moment_of(self.asked_ms))}"


@dataclass(frozen=True, slots=True)
class ResyncState:
    """What is known of runs, as sentences have it.

    begun    the first runs that have begun
    waiting  how many have not begun
    asking   runs that wait for a person's word, by "integration:segment"
    differing  runs that have found a segment to differ, likewise
    failing    runs that have failed, by "integration:segment": the first ones of each integration
    """

    begun: tuple[BegunRun, ...] = ()
    waiting: int = 0
    asking: tuple[tuple[str, str], ...] = ()
    differing: tuple[tuple[str, str], ...] = ()
    failing: tuple[FailingRuns, ...] = ()


def read_resyncs(redis: Redis, keys: Keys) -> ResyncState:
    """As it is now. redis.RedisError."""
    begun = []
    for run in first_of(redis, keys.runs, SHOWN + 1):
        read = ResyncRun.read(fields_of(redis, keys.run(run)))
        if read is not None:
            name = f"run {run} (segment {read.segment} of {read.integration})"
            begun.append(BegunRun(read.integration, name, read.by, read.asked, read.progress, read.why, read.tries))
    waiting = redis.zcard(keys.runs_waiting)
    known = members_of(redis, keys.integrations)  # of one that was dropped nothing is to be made equal
    asking, differing = (
        tuple(sorted((lane, run) for lane, run in fields_of(redis, key).items() if lane.partition(":")[0] in known))
        for key in (keys.runs_asking, keys.runs_differing)
    )
    return ResyncState(tuple(begun), int(waiting), asking, differing, _failing(redis, keys, known))


def _failing(redis: Redis, keys: Keys, known: Container[str]) -> tuple[FailingRuns, ...]:
    noted = fields_of(redis, keys.runs_failing).items()
    lanes = sorted((*lane.partition(":")[::2], *since_and_run.split()) for lane, since_and_run in noted)
    found = []
    for integration, each in groupby(lanes, key=lambda lane: lane[0]):
        if integration not in known:
            continue
        group = sorted((int(since), segment, run) for _, segment, since, run in each)
        shown = tuple(
            (segment, run, fields_of(redis, keys.run(run)).get("why", "")) for _, segment, run in group[:SHOWN]
        )
        found.append(FailingRuns(integration, len(group), group[0][0], shown))
    return tuple(found)


def needs_of_resyncs(found: ResyncState) -> Iterator[Need]:
    """What somebody must do something about."""
    for run in found.begun[:SHOWN]:
        if run.tries >= TROUBLED_TRIES:
            stands = f"{run.name}, {run.told}, cannot go on, and its lane waits with it"
            yield Need(f"stuck {run.name}", f"{stands}: {run.why}; it is tried again")
    for lane, name in found.asking[:SHOWN]:
        integration, _, segment = lane.partition(":")
        yield Need(
            f"asking {lane}",
            f"run {name} (segment {segment} of {integration}) waits for your word, and changes no more until then: "
            f"`segsync resync --list` says why; --confirm {name} or --cancel {name}",
        )
    if len(found.asking) > SHOWN:
        more = f"{len(found.asking) - SHOWN:,} more resyncs wait for your word: `segsync resync --list`"
        yield Need("asking resyncs", more)
    yield from _differing(found)
    yield from map(_of_failing, found.failing)


def needs_of(integration: str, found: ResyncState) -> Iterator[Need]:
    """Those of one integration."""
    alone = ResyncState(
        begun=tuple(run for run in found.begun if run.integration == integration),
        asking=tuple(each for each in found.asking if each[0].partition(":")[0] == integration),
        differing=tuple(each for each in found.differing if each[0].partition(":")[0] == integration),
        failing=tuple(each for each in found.failing if each.integration == integration),
    )
    return needs_of_resyncs(alone)


def _of_failing(found: FailingRuns) -> Need:
    """One for each integration, as above."""
    runs = [f"segment {segment} (run {run}{': ' + why if why else ''})" for segment, run, why in found.shown]
    more = f", and {found.many - SHOWN:,} more" if found.many > SHOWN else ""
    key, since = found.integration, spelled(moment_of(found.since_ms))
    return Need(
        f"{key} runs failing",
        f"segments of {key} could not be compared with the platform, or made equal to it, since {since}: "
        f"{'; '.join(runs)}{more}. Mend that, and `segsync verify {key} --segment S` (or `resync`); "
        "what `verify` asks for by itself is tried again in its next round",
    )


def _differing(found: ResyncState) -> Iterator[Need]:
    """One for each integration: what a further segment adds is no news to those who were told."""
    lanes = [(*lane.partition(":")[::2], run) for lane, run in found.differing]
    for integration, group in groupby(lanes, key=lambda each: each[0]):
        segments = [f"segment {segment}, as run {run} has seen" for _, segment, run in group]
        more = f", and {len(segments) - SHOWN:,} more" if len(segments) > SHOWN else ""
        yield Need(
            f"{integration} differs",
            f"{integration} differs from the platform: {'; '.join(segments[:SHOWN])}{more}. "
            f"`segsync verify {integration} --segment S --show` says in what, and `resync` in place of `verify` "
            "makes it equal; `segsync resync --cancel RUN` that it is known",
        )


def notes_of_resyncs(found: ResyncState) -> Iterator[str]:
    """What is worth a word."""
    for run in found.begun[:SHOWN]:
        if run.tries < TROUBLED_TRIES:
            yield f"{run.name}, {run.told}, is open: {run.progress}{': ' + run.why if run.why else ''}"
    if found.waiting:
        yield f"resyncs that wait to begin: {found.waiting:,}"
