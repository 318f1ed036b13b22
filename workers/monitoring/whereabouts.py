"""Where a profile is, and why it is not in the target yet: what `segsync why` tells.

It follows the way of the data: scope, pause, intake, lane, quarantine, deliveries. What the target was told of one
profile is written down nowhere, since the ledger keeps no people's data: a delivery tells up to when all of its segment
has been told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from workers.errors import SegsyncError
from workers.integrations import Segment
from workers.lanes.answers import number_of, packed_field_of
from workers.lanes.clock import redis_ms
from workers.lanes.lease import ROUTE
from workers.ledger.runs import DeliveryRun, runs
from workers.monitoring.needs import facts_of, of_intake, spelled
from workers.monitoring.states import IntegrationStatus, read_integration
from workers.monitoring.streams import oldest, read_stream
from workers.monitoring.tracing import Head, LaneSight, Sight, Sought, in_intake, in_lane, read_head, read_lane
from workers.quarantine import entries as quarantine
from workers.routing.routes import restore
from workers.settings.segment_ids import segment_id
from workers.settings.spelling import counted

if TYPE_CHECKING:
    from workers.integrations import Integration
    from workers.quarantine.entries import QuarantineEntry
    from workers.runtime import Runtime

DELIVERIES: Final = 5
"""Of the segment, the newest, that are told."""
ENTRIES: Final = 10
"""Of the quarantine, the newest, that are told."""


@dataclass(frozen=True, slots=True)
class ScopeSight:
    """Whether an integration follows a segment.

    words         the scope; "" for an integration that is not applied any more
    wants         whether the segment is in it, by what is known of it
    known         whether any event has ever described the segment
    needs_resync  whether it came into the scope with members that were never told of
    unwanted      operations of the segment that no integration wanted
    """

    words: str
    wants: bool
    known: bool
    name: str | None
    database: str
    groups: list[str]
    tags: list[str]
    needs_resync: bool
    unwanted: int


@dataclass(slots=True)
class Whereabouts:
    """What was found; `segment` and `profile` as they were asked for.

    head     the operation that the lane fails with, where that stands alone; None where it does not, or nothing fails
    verdict  one sentence
    needs    whether someone is needed before it goes on
    unread   what could not be looked at, and why
    """

    integration: str
    segment: str
    profile: str | None
    scope: ScopeSight
    state: IntegrationStatus
    intake: Sight
    lane: LaneSight
    waiting: Sight
    head: Head | None = None
    entries: list[QuarantineEntry] = field(default_factory=list)
    deliveries: list[DeliveryRun] = field(default_factory=list)
    verdict: str = ""
    needs: bool = False
    unread: list[str] = field(default_factory=list)


def find(runtime: Runtime, key: str, segment: str, profile: str | None) -> Whereabouts:
    """Where a profile of a segment is, for an integration that was ever applied; None: the segment as a whole.

    A dead ledger only leaves out what it knows. Raises redis.RedisError, NothingApplied, WrongUsage.
    """
    redis, keys, settings = runtime.redis, runtime.keys, runtime.applied.settings
    segment = segment_id(segment)
    integration = settings.integrations.get(key)
    sought = Sought(segment, profile, integration.key_fields if integration else ())
    first, now = oldest(redis, keys.events), redis_ms(redis)
    # The way of the data backwards: what moves on meanwhile is met twice rather than missed.
    lane, waiting = read_lane(redis, keys, key, segment, now), in_lane(redis, keys, key, sought)
    single = integration is not None and not integration.batched
    found = Whereabouts(
        key,
        segment,
        profile,
        scope=_scope(runtime, integration, key, segment),
        state=read_integration(redis, keys, key, now, None),
        intake=in_intake(redis, keys, runtime.applied.installation, sought),
        lane=lane,
        waiting=waiting,
        head=read_head(redis, keys, key, segment, single=single),
    )
    try:
        runtime.drain_outcomes(1.0)
        found.entries, found.deliveries = _entries(runtime, key, sought), _deliveries(runtime, key, segment)
    except SegsyncError as error:
        found.unread.append(f"quarantine and deliveries: {error}")
    stuck = next(of_intake(read_stream(redis, keys, keys.events, ROUTE, first, now)), None)
    found.verdict, found.needs = _verdict(found, now, stuck.sentence if stuck else "")
    return found


def _scope(runtime: Runtime, integration: Integration | None, key: str, segment: str) -> ScopeSight:
    redis, keys, default = runtime.redis, runtime.keys, runtime.applied.settings.default_database
    kept = packed_field_of(redis, keys.segments, segment)
    known = restore(segment, kept) if kept is not None else Segment(segment)
    return ScopeSight(
        words=integration.scope.words if integration else "",
        wants=integration is not None and integration.scope.wants(known, default),
        known=kept is not None,
        name=known.name,
        database=known.database or default,
        groups=sorted(known.groups or ()),
        tags=sorted(known.tags or ()),
        needs_resync=bool(redis.sismember(keys.resync(key), segment)),
        unwanted=number_of(redis.hget(keys.unwanted, segment)) or 0,
    )


def _entries(runtime: Runtime, key: str, sought: Sought) -> list[QuarantineEntry]:
    """Of the profile, or of the segment; the newest last."""
    found: list[QuarantineEntry] = []
    wanted = quarantine.Selection(integration=key, segment=sought.segment, state=None)
    for page in quarantine.pages(runtime.ledger, wanted):
        fitting = (e for e in page if sought.profile in (None, e.profile) or sought.names(e.payload))
        found = [*found, *(quarantine.without_data(each) for each in fitting)][-ENTRIES:]
    return found


def _deliveries(runtime: Runtime, key: str, segment: str) -> list[DeliveryRun]:
    return runs(runtime.ledger, integration=key, segment=segment, limit=DELIVERIES)


def _verdict(found: Whereabouts, now: int, stuck: str) -> tuple[str, bool]:
    """The sentence that answers the question, and whether someone is needed; `stuck`: why nothing is routed."""
    what = f"segment {found.segment}" if found.profile is None else f"profile {found.profile}"
    blocked = found.state.state in {"held", "orphaned"} or bool(found.lane.hold)
    if found.waiting.met or (found.profile is None and found.lane.owes):
        return f"{what} {_in_lane(found, now)}", blocked
    if found.intake.met or (found.profile is None and found.intake.segment):
        why = f"; {stuck}" if stuck else ""
        return f"{what} waits in the intake to be routed{_first(found.intake)}{why}", bool(stuck)
    open_entries = [each for each in found.entries if each.state == "open"]
    if open_entries and found.profile is not None:
        last = open_entries[-1]
        why = f"{last.code}: {last.reason}; mend it, and then `segsync quarantine retry {last.id}`"
        return f"{what} is in the quarantine since {spelled(last.at)}: {why}", True
    if not found.scope.wants:
        where = found.scope.words or "it is not in the applied configuration any more"
        return f"segment {found.segment} is not in the scope of {found.integration} ({where}): nothing is told", False
    entries = f"; {counted(len(open_entries), 'open entry', 'open entries')} in the quarantine" if open_entries else ""
    return f"{what}: {_told(found)}{entries}", False


def _first(sight: Sight) -> str:
    if not sight.met:
        return ""
    first = sight.met[0]
    return f": {first.what} of {spelled(first.at)}, event {first.place:,} of {sight.total:,}"


def _in_lane(found: Whereabouts, now: int) -> str:
    met = found.waiting.met
    first = f": {met[0].what} of {spelled(met[0].at)}, operation {met[0].place:,} of {found.lane.owes:,}" if met else ""
    return f"waits in the lane{first}; {when(found, now)}"


def when(found: Whereabouts, now: int) -> str:
    """When the lane goes on, or what it waits for."""
    lane, state = found.lane, found.state
    if lane.owner:
        return f"it is being served by {lane.owner}"
    if state.state in {"paused", "orphaned"} or (state.state == "held" and not lane.hold):
        return f"{found.integration} is {state.state}{facts_of(state)}: {state.reason}"
    if state.state == "waiting":
        return f"{found.integration} waits {state.reason}"
    seconds = None if lane.due is None else max(0.0, lane.due.timestamp() - now / 1000)
    due = "" if seconds is None else f"due in {seconds:.0f} s" if seconds >= 1 else "due now"
    if lane.hold:
        return f"it is held: {lane.hold}; it is tried again, {due}"
    if lane.attempts:
        return f"{counted(lane.attempts, 'failed try', 'failed tries')}: {lane.why}; it is tried again, {due}"
    return due if lane.full or not due else f"{due}, when the batch's timeout has passed"


def _told(found: Whereabouts) -> str:
    """What the ledger says where nothing waits."""
    done = next((each for each in found.deliveries if each.outcome == "delivered"), None)
    if done is None:
        return (
            "nothing of it waits, and the ledger has no delivery of its segment: no event has come for it since "
            f"{found.integration} follows it"
        )
    upto = "" if done.upto is None else f" until {spelled(done.upto)}"
    told = f"all that came for segment {found.segment}{upto} has been told"
    return f"nothing of it waits; {told}, last at {spelled(done.at)}"
