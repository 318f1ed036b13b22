"""Asking for resyncs, and what people do with runs (docs/resync.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers.control.listed import listed_databases, listed_segments
from workers.control.pause import known_integration
from workers.errors import WrongUsage
from workers.lanes.answers import members_of, packed_field_of, scan_fields, text_of
from workers.lanes.runs import ResyncRuns
from workers.resync.readiness import cannot_be_compared
from workers.resync.run import ResyncRun
from workers.routing.routes import Routes, restore
from workers.settings.segment_ids import segment_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from workers.integrations import Segment
    from workers.runtime import Runtime

MOST_DIGITS: Final = 12
"""Of a number that is accepted: more than any table has rows, and less than what no reader could take for one."""
CONFIRMABLE: Final = "needs confirmation"
MOST_ASKED: Final = 1_000
"""Segments that one form, or one call, may ask runs for."""


def segments_of(runtime: Runtime, integration: str, named: Iterable[str], *, every: bool, needed: bool) -> list[str]:
    """The segments that are meant, each once; WrongUsage where none is, or for what is no id.

    UnknownIntegration, redis.RedisError.

    every   all that the integration follows: as its source lists them; where it does not, those that were seen
    needed  those flagged
    """
    known_integration(runtime.redis, runtime.keys, integration)
    found = [segment_id(each) for each in named]
    if every:
        found += [*listed_segments(runtime, integration), *_followed(runtime, integration)]
    if needed:
        found += sorted(members_of(runtime.redis, runtime.keys.resync(integration)))
    if not found and not every and not needed:
        raise WrongUsage("no segment is named; expected at least one id, those that need it (needed), or all")
    return list(dict.fromkeys(found))


def _followed(runtime: Runtime, integration: str) -> Iterator[str]:
    settings = runtime.applied.settings
    routes = Routes(settings.integrations, settings.default_database)
    listed = listed_databases(runtime)
    for page in scan_fields(runtime.redis, runtime.keys.segments):
        for name, facts in page.items():
            segment = restore(name, facts)
            if integration in routes.known(segment).targets and _database(runtime, segment) not in listed:
                yield segment.id


def _database(runtime: Runtime, segment: Segment) -> str:
    return segment.database or runtime.applied.settings.default_database


def check_followed(runtime: Runtime, integration: str, segment: str) -> None:
    """WrongUsage where a run could not begin: no source, or a segment that the integration does not follow."""
    settings = runtime.applied.settings
    facts = packed_field_of(runtime.redis, runtime.keys.segments, segment)
    known = restore(segment, facts or b"{}")
    if integration not in Routes(settings.integrations, settings.default_database).known(known).targets:
        raise WrongUsage(f"{integration} does not follow segment {segment}: there is nothing to be made equal")
    database = known.database or settings.default_database
    if database not in settings.sources:
        raise WrongUsage(f"no [sources.{database}] is applied, which segment {segment} is to be read from")


def few_segments_of(
    runtime: Runtime, integration: str, named: Iterable[str], *, every: bool, needed: bool
) -> list[str]:
    """As `segments_of`, for a form or a call; WrongUsage for more than MOST_ASKED, or where no run can begin."""
    found = segments_of(runtime, integration, named, every=every, needed=needed)
    if len(found) > MOST_ASKED:
        raise WrongUsage(f"these are {len(found):,} segments; expected at most {MOST_ASKED:,} at once")
    for segment in found:
        check_followed(runtime, integration, segment)
    return found


def ask(
    runtime: Runtime, integration: str, segments: Iterable[str], by: str, kind: str = "resync"
) -> list[tuple[str, str, bool]]:
    """Asks for a run of each of these segments: the segment, the run, and whether it is a new one.

    WrongUsage for a verification of what cannot be listed.
    """
    made = runtime.applied.settings.integrations.get(integration)
    if kind == "verify" and made is not None and (why := cannot_be_compared(made)):
        raise WrongUsage(why)
    runs = ResyncRuns(runtime.lanes)
    return [(each, *runs.ask(integration, each, by, kind)) for each in segments]


def find(runtime: Runtime, run: str) -> ResyncRun:
    """A run by its id; WrongUsage where there is none (any more)."""
    found = ResyncRun.read(ResyncRuns(runtime.lanes).read(run))
    if found is None:
        raise WrongUsage(f"there is no run {run[:40]!r}; `segsync resync --list` has those of the last 7 days")
    return found


def cancel(runtime: Runtime, run: str, by: str) -> bool:
    """Asks for the end of a run; False if it is over. WrongUsage where there is none (any more).

    One that has failed, has seen a difference, or waits for somebody's word, is told by `status` no more, however long
    it is over.
    """
    told = _untold(runtime, run)
    if ResyncRun.read(ResyncRuns(runtime.lanes).read(run)) is None and told:
        return False
    find(runtime, run)
    return ResyncRuns(runtime.lanes).cancel(run, by)


def _untold(runtime: Runtime, run: str) -> bool:
    """Whether `status` told of the run, which it does until then: longer than a run is remembered."""
    found = False
    for key in (runtime.keys.runs_failing, runtime.keys.runs_asking, runtime.keys.runs_differing):
        for page in scan_fields(runtime.redis, key):
            for lane, said in page.items():
                if said.decode().rpartition(" ")[2] == run:
                    runtime.redis.hdel(key, lane)
                    found = True
    return found


def confirm(runtime: Runtime, run: str, accept: str, by: str) -> tuple[str, ResyncRun]:
    """Says yes to a run that needs it: another one begins anew, and may do as much as was accepted.

    accept  "removals=N,adds=M", both of them or one
    """
    found = find(runtime, run)
    if found.outcome != CONFIRMABLE:
        raise WrongUsage(f"run {run} waits for nobody's word: it is {found.outcome or found.state}")
    numbers = _accepted(accept)
    # Before it is asked for: a run that has begun would be done once more for it, with a word that was refused.
    if open_run := _open_run(runtime, found.integration, found.segment):
        raise _open_already(open_run)
    told = {**numbers, "accepted_of": found.digest}
    asked, fresh = ResyncRuns(runtime.lanes).ask(found.integration, found.segment, by, found.kind, **told)
    if not fresh:
        raise _open_already(asked)
    return asked, found


def _open_run(runtime: Runtime, integration: str, segment: str) -> str:
    """The run of a segment that is not over; "" for none."""
    run = text_of(runtime.redis.hget(f"{runtime.keys.runs}:of", f"{integration}:{segment}"))
    return run if run and ResyncRuns(runtime.lanes).read(run) else ""


def _open_already(run: str) -> WrongUsage:
    return WrongUsage(f"run {run} of the same segment is open already; cancel it first, or wait for its end")


def _accepted(accept: str) -> dict[str, int]:
    found = {}
    for part in accept.split(","):
        name, _, number = part.strip().partition("=")
        if name not in {"removals", "adds"} or not number.isdecimal() or len(number) > MOST_DIGITS:
            raise WrongUsage(f"accept {accept[:60]!r}: expected removals=N, adds=M, or both with a comma between")
        found[f"accept_{name}"] = int(number)
    return found
