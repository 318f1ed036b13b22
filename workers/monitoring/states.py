"""The state of one integration: what stops most of it first, since when, how often it was tried, and what comes next.

Read without walking through lanes: sizes come from counters and ZCARD, ages and states from a sample of lanes. The
sample is both ends of each due set, SAMPLE lanes of each: at the front stand those that have been due for longest or
come due next, at the back those that were put off furthest, by a failure, a hold or a lease. A lane that was held for a
minute stands in the middle of a thousand that wait a minute for their timeout: so those that failed last are looked at,
too, as whoever writes outcomes has noted them. Up to 2 x SAMPLE lanes per set it is all of them and the answer exact;
beyond that an age is at least so much.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from workers.lanes.answers import fields_of, text_fields
from workers.monitoring.ages import age_s, moment_of
from workers.monitoring.gathering import gather
from workers.windows import DailyWindow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from redis import Redis

    from workers.lanes.keys import Keys
    from workers.monitoring.gathering import Gathered, SampledLane

SAMPLE: Final = 50
"""Lanes that are read at each end of a due set: enough to see what stops an integration, and soon read."""
RESYNC_SHOWN: Final = 10
"""Segments in need of a resync that are named."""


@dataclass(frozen=True, slots=True)
class IntegrationState:
    """What an integration does at this moment.

    name        "active", "draining", "paused", "held", "retrying", "waiting" or "orphaned"
    reason      why it is not active; "" where it is
    since       when that began; None where it is not known
    tries       failed tries since then; None where they are not counted
    next_try_s  seconds until it is tried again by itself; None where it is not, 0 where it is about to be
    all_wait    whether none of its lanes is tried before that
    alone       the segment whose lane fails with a single operation; "" where it is none, or with many
    """

    name: str
    reason: str = ""
    since: datetime | None = None
    tries: int | None = None
    next_try_s: float | None = None
    all_wait: bool = False
    alone: str = ""


@dataclass(frozen=True, slots=True)
class IntegrationStatus:
    """One integration.

    state         "active", "draining" (is being removed, once it owes nothing), "paused" (at run time or in the
                  file), "held" (someone is needed; it probes itself), "retrying" (goes on by itself; also while the
                  target cannot be reached), "waiting" (for its window) or "orphaned" (not in the applied configuration
                  any more)
    reason        why it is not active; "" where it is
    backlog       operations that it still owes
    oldest_age_s  seconds since the oldest of them came into the intake; None where there is none
    quarantine    open entries, as the ledger has them; as scripts counted them where it does not say
    lanes         segments that it owes something
    needs_resync  segments that came into its scope with members it was never told of, or lost operations
    dropped       operations thrown away because it was full (`when_full = "drop"`), since the beginning
    max_backlog   operations that it may owe; None without a limit
    since, tries, next_try_s, all_wait, alone  as in `IntegrationState`
    late_s        seconds that its oldest operation is over its time: batches go when they are full or their timeout
                  has passed; 0 where nothing is late
    lag_s         seconds that its oldest operation has waited, since the last pause and the beginning of its window at
                  most; 0 where nothing waits, or its window is closed
    max_lag_s     how many it may have waited; None where the file says nothing
    resync_segments  some of those in need of a resync
    window        its window, as in the file and with its zone; "" where it has none
    differing     segments that the last verification found to differ from the platform
    failing       segments whose last run failed, a verification's or another's
    rate_per_s    statements a second that its connector may be sent; None where it may be any number
    """

    key: str
    state: str
    reason: str
    backlog: int
    oldest_age_s: float | None
    quarantine: int | None
    lanes: int
    needs_resync: int
    dropped: int
    max_backlog: int | None = None
    since: datetime | None = None
    tries: int | None = None
    next_try_s: float | None = None
    late_s: float = 0.0
    resync_segments: tuple[str, ...] = ()
    lag_s: float = 0.0
    max_lag_s: float | None = None
    all_wait: bool = False
    window: str = ""
    rate_per_s: float | None = None
    differing: int = 0
    alone: str = ""
    failing: int = 0


def read_integration(
    redis: Redis, keys: Keys, key: str, now: int, counts: Mapping[str | None, int] | None
) -> IntegrationStatus:
    """One integration at `now` (Redis milliseconds); `counts` are the ledger's open entries, None where it is silent.

    Raises redis.RedisError.
    """
    return read_integrations(redis, keys, [key], now, counts)[0]


def read_integrations(
    redis: Redis,
    keys: Keys,
    names: Sequence[str],
    now: int,
    counts: Mapping[str | None, int] | None,
    sample: int = SAMPLE,
) -> list[IntegrationStatus]:
    """The same of many, a few hundred in a round to Redis; `sample` lanes at each end of a due set."""
    found = gather(redis, keys, names, sample, RESYNC_SHOWN)
    connectors = {each.facts.get("connector", "") for each in found}
    pipe = redis.pipeline(transaction=False)
    for name in connectors:
        pipe.hgetall(keys.connector(name))
    through = {name: text_fields(fields) for name, fields in zip(connectors, pipe.execute(), strict=True)}
    differing, failing = _of_runs(redis, keys.runs_differing), _of_runs(redis, keys.runs_failing)
    known = [(each, _status(each, through[each.facts.get("connector", "")], now, counts)) for each in found]
    return [replace(status, differing=differing[each.key], failing=failing[each.key]) for each, status in known]


def _of_runs(redis: Redis, key: str) -> Counter[str]:
    """How many lanes of each integration are noted there."""
    return Counter(lane.partition(":")[0] for lane in fields_of(redis, key))


def _status(
    found: Gathered, connector: dict[str, str], now: int, counts: Mapping[str | None, int] | None
) -> IntegrationStatus:
    facts = found.facts
    state = _state(facts, connector, found.sampled, now)
    oldest = min((lane.head for lane in found.sampled if lane.head is not None), default=None)
    return IntegrationStatus(
        key=found.key,
        state=state.name,
        reason=state.reason,
        backlog=int(facts.get("backlog", 0)),
        oldest_age_s=age_s(now, oldest),
        quarantine=int(facts.get("quarantined", 0)) if counts is None else counts.get(found.key, 0),
        lanes=found.lanes,
        needs_resync=found.needs_resync,
        dropped=int(facts.get("dropped", 0)),
        max_backlog=int(_float(facts, "max_backlog")) or None,
        since=state.since,
        tries=state.tries,
        next_try_s=state.next_try_s,
        lag_s=(lag := _lag_s(facts, oldest, now)),
        late_s=max(0.0, lag - _float(facts, "timeout") / 1000),
        max_lag_s=_float(facts, "max_lag") or None,
        resync_segments=found.resync_segments,
        all_wait=state.all_wait,
        alone=state.alone,
        window=facts.get("window_words", ""),
        rate_per_s=1000 / pace if (pace := _float(facts, "pace")) else None,
    )


def _lag_s(facts: dict[str, str], oldest: int | None, now: int) -> float:
    """Seconds that the oldest operation has waited; what a pause or a window has kept has had time only since."""
    window = _window(facts)
    opened = window.opened_ms(now) if window else 0
    if oldest is None or opened is None:
        return 0.0
    return age_s(now, max(oldest, int(facts.get("resumed", 0)), int(opened))) or 0.0


def _window(facts: dict[str, str]) -> DailyWindow | None:
    words = facts.get("window_words")
    return DailyWindow.read(words, "UTC") if words else None


def _float(facts: dict[str, str], name: str) -> float:
    """A number of the hash; 0 where there is none."""
    return float(facts.get(name) or 0)


def _state(facts: dict[str, str], connector: dict[str, str], lanes: list[SampledLane], now: int) -> IntegrationState:
    """What stops most of it first. Outside of its window nothing is tried, whatever would be tried again."""
    state, window = _state_within(facts, connector, lanes, now), _window(facts)
    opens = window.opens_ms(now) if window else now
    if window is None or opens <= now or state.name in ("orphaned", "paused"):
        return state
    seconds = _until(opens, now)
    if state.name == "held":
        return replace(state, next_try_s=max(seconds, state.next_try_s or 0.0), all_wait=True)
    reason = f"for its window {window.words}, until {window.clock(opens)}"
    return IntegrationState("waiting", reason, next_try_s=seconds, all_wait=True)


def _state_within(
    facts: dict[str, str], connector: dict[str, str], lanes: list[SampledLane], now: int
) -> IntegrationState:
    where = f"connector {facts.get('connector')}: "
    if "orphaned" in facts:
        return IntegrationState("orphaned", "not in the applied configuration any more", all_wait=True)
    if "paused" in facts or facts.get("active") != "1":
        return _paused(facts)
    if "hold" in connector:
        return _held(connector, where, now)
    if "hold" in facts:
        return _held(facts, "", now)
    if "open_until" in connector:
        reason = f"{where}{connector.get('open_code', '')}: {connector.get('open_reason', '')}"
        since, tries = moment_of(connector.get("open_since")), int(connector.get("failures", 0)) or None
        return IntegrationState("retrying", reason, since, tries, _until(connector["open_until"], now), all_wait=True)
    return _state_of_lanes(lanes, now, int(facts.get("size") or 0), is_draining=bool(facts.get("draining")))


def _held(fields: dict[str, str], where: str, now: int) -> IntegrationState:
    reason = f"{where}{fields.get('hold_code', '')}: {fields['hold']}"
    tries = int(fields["hold_tries"]) if "hold_tries" in fields else None
    return IntegrationState(
        "held",
        reason,
        moment_of(fields.get("hold_since")),
        tries,
        _until(fields.get("hold_until", 0), now),
        all_wait=True,
    )


def _until(at: str | float, now: int) -> float:
    return max(0.0, float(at) - now) / 1000


def _paused(facts: dict[str, str]) -> IntegrationState:
    if "paused" not in facts:
        return IntegrationState("paused", "active = false in the file", all_wait=True)
    why = f": {facts['paused_reason']}" if facts.get("paused_reason") else ""
    at = facts.get("paused_at")
    since = datetime.fromisoformat(at) if at else None
    return IntegrationState("paused", f"by {facts.get('paused_by') or 'somebody'}{why}", since, all_wait=True)


def _state_of_lanes(lanes: list[SampledLane], now: int, size: int, *, is_draining: bool) -> IntegrationState:
    held = [lane for lane in lanes if lane.hold]
    failing = held or [lane for lane in lanes if lane.attempts]
    if not failing and is_draining:
        return IntegrationState("draining", "gets nothing new, and leaves when it owes nothing")
    if not failing:
        return IntegrationState("active")
    lane = min(failing, key=lambda each: each.failing or now)  # the one that has failed for longest
    reason = f"segment {lane.segment}{_more(failing)}: {lane.hold or lane.why or 'a try failed'}"
    since, seconds = moment_of(lane.failing), _until(lane.retry or 0, now)
    alone = lane.segment if (lane.limit or size) == 1 else ""
    return IntegrationState("held" if held else "retrying", reason, since, lane.attempts or None, seconds, alone=alone)


def _more(lanes: list[SampledLane]) -> str:
    return f" and {len(lanes) - 1} more" if len(lanes) > 1 else ""
