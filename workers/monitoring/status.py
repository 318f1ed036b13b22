"""What `status` shows: where everything stands, and every stall that can be seen (promise 7).

Read without stopping anything and without walking through lanes: sizes come from counters and ZCARD, ages and states
from a sample of lanes. The sample is both ends of each due set, SAMPLE lanes of each: at the front stand those that
have been due for longest or come due next, at the back those that were put off furthest, by a failure, a hold or a
lease. Up to 2 x SAMPLE lanes per set it is all of them and the answer exact; beyond that `oldest_age_s` is at least so
much, and a lane that is retrying in the middle may go unseen until it comes to the front.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from workers.errors import SegsyncError
from workers.lanes.clock import redis_ms
from workers.quarantine import entries as quarantine
from workers.settings import revision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from redis import Redis

    from workers.lanes.keys import Keys
    from workers.runtime import Runtime

WARN_AT: Final = 0.8
"""The part of a limit that is worth a word."""
SAMPLE: Final = 50
"""Lanes that are looked at from each end of a due set, so that a status costs the same however many wait."""
UNWANTED_AT_MOST: Final = 100_000
"""Segments whose unwanted events are counted: some 0.1 s."""
UNWANTED_SHOWN: Final = 10
"""Segments that nobody wants, those with most operations first."""
STALE_SECONDS: Final = 30.0
"""An age of the pulse or of beat that means it is dead: they look every 5 s."""


@dataclass(frozen=True, slots=True)
class Consumers:
    """What Celery's workers say: how many there are, and how many serve each queue."""

    workers: int
    queues: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class IntakeStatus:
    """Events that wait to be routed, and the age of the first one in seconds; None where there is none."""

    events: int
    oldest_age_s: float | None


@dataclass(frozen=True, slots=True)
class IntegrationStatus:
    """One integration.

    state         "active", "paused" (at run time or in the file), "held" (someone is needed; it probes itself),
                  "retrying" (goes on by itself; also while the target cannot be reached) or "orphaned" (not in
                  the applied configuration any more)
    reason        why it is not active; "" where it is
    backlog       operations that it still owes
    oldest_age_s  seconds since the oldest of them came into the intake; None where there is none
    quarantine    open entries; None where the ledger does not say
    lanes         segments that it owes something
    needs_resync  segments that came into its scope with members it was never told of, or lost operations
    dropped       operations thrown away because it was full (`when_full = "drop"`), since the beginning
    max_backlog   operations that it may owe; None without a limit
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


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """One of Celery's queues, and how many workers serve it; None where they cannot be asked."""

    name: str
    consumers: int | None


@dataclass(frozen=True, slots=True)
class Status:
    """The whole installation; README.md tells its fields.

    unwanted           operations that no integration wanted, since the beginning
    unwanted_segments  the segments with most of them
    beat_age_s, pulse_age_s  seconds since beat, and any worker's pulse, looked last; None for never
    revision           of the applied configuration; None where nothing is applied
    needs              sentences: what needs someone
    unread             sentences: what could not be read, and why; its numbers are None
    ledger_is_dead     whether the ledger is among it
    """

    backlog: int
    quarantine: int | None
    intake: IntakeStatus
    integrations: list[IntegrationStatus]
    workers: int | None
    queues: list[QueueStatus]
    beat_age_s: float | None
    pulse_age_s: float | None
    revision: int | None
    unwanted: int
    unwanted_segments: dict[str, int]
    needs: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    ledger_is_dead: bool = False


def read(runtime: Runtime, consumers: Callable[[], Consumers] | None = None) -> Status:
    """Where everything stands. A dead ledger, a wrong secret or a silent broker only leave their numbers out.

    consumers  asks Celery's workers; may raise anything when the broker is out of reach; None does not ask

    Raises redis.RedisError.
    """
    unread: list[str] = []
    counts = _open_entries(runtime, unread)
    asked = _ask(consumers, unread)
    redis, keys = runtime.redis, runtime.keys
    now = redis_ms(redis)
    integrations = [_integration(redis, keys, key, now, counts) for key in sorted(_members(redis, keys.integrations))]
    unwanted = _unwanted(redis, keys, unread)
    seen: Any = redis.hmget(keys.seen, "beat", "pulse")
    found = revision.published(redis, keys)
    status = Status(
        backlog=sum(each.backlog for each in integrations),
        quarantine=None if counts is None else sum(counts.values()),
        intake=_intake(redis, keys, now),
        integrations=integrations,
        workers=asked.workers if asked else None,
        queues=_queues(_members(redis, keys.connectors), asked),
        beat_age_s=_age_s(now, _number(seen[0])),
        pulse_age_s=_age_s(now, _number(seen[1])),
        revision=found.revision if found else None,
        unwanted=sum(unwanted.values()),
        unwanted_segments=dict(sorted(unwanted.items(), key=lambda pair: -pair[1])[:UNWANTED_SHOWN]),
        unread=unread,
        ledger_is_dead=counts is None and found is not None,
    )
    status.needs.extend((*_needs(status), *_full(redis, keys), *_nearly_full(status, redis)))
    return status


def _open_entries(runtime: Runtime, unread: list[str]) -> dict[str | None, int] | None:
    try:
        return quarantine.count_open(runtime.ledger)
    except SegsyncError as error:  # the ledger itself, a variable that its URL needs, or nothing is applied
        unread.append(f"quarantine: {error}")
        return None


def _ask(consumers: Callable[[], Consumers] | None, unread: list[str]) -> Consumers | None:
    if consumers is None:
        return None
    try:
        return consumers()
    except Exception as error:  # noqa: BLE001 - whatever the broker's client raises; its text may show a URL
        unread.append(f"workers and queues: the broker cannot be asked ({type(error).__name__})")
        return None


def _queues(connectors: set[str], asked: Consumers | None) -> list[QueueStatus]:
    names = ["route", "upkeep", *(f"deliver.{key}" for key in sorted(connectors))]
    return [QueueStatus(name, asked.queues.get(name, 0) if asked else None) for name in names]


def _intake(redis: Redis, keys: Keys, now: int) -> IntakeStatus:
    oldest: Any = redis.xrange(keys.events, count=1)
    at = int(oldest[0][0].partition(b"-")[0]) if oldest else None
    length: Any = redis.xlen(keys.events)
    return IntakeStatus(length, _age_s(now, at))


def _unwanted(redis: Redis, keys: Keys, unread: list[str]) -> dict[str, int]:
    """Operations that nobody wanted, per segment."""
    found: dict[str, int] = {}
    cursor = 0
    while True:
        answer: Any = redis.hscan(keys.unwanted, cursor, count=1000)
        cursor, page = answer
        found |= {segment.decode(): int(count) for segment, count in page.items()}
        if cursor == 0:
            return found
        if len(found) >= UNWANTED_AT_MOST:
            unread.append(f"unwanted: counted over {len(found):,} segments, there are more")
            return found


def _integration(
    redis: Redis, keys: Keys, key: str, now: int, counts: dict[str | None, int] | None
) -> IntegrationStatus:
    pipe = redis.pipeline(transaction=False)
    pipe.hgetall(keys.integration(key))
    pipe.scard(keys.resync(key))
    for name in (keys.full(key), keys.timed(key)):
        pipe.zcard(name)
        pipe.zrange(name, 0, SAMPLE - 1)
        pipe.zrange(name, -SAMPLE, -1)
    fields, resync, full, *full_ends, timed, timed_front, timed_back = pipe.execute()
    facts = {name.decode(): value.decode() for name, value in fields.items()}
    ends = dict.fromkeys(segment.decode() for end in (*full_ends, timed_front, timed_back) for segment in end)
    lanes = _sample(redis, keys, key, list(ends))
    connector: Any = redis.hgetall(keys.connector(facts.get("connector", "")))
    state, reason = _state(facts, {name.decode(): value.decode() for name, value in connector.items()}, lanes, now)
    heads = [lane.head for lane in lanes if lane.head is not None]
    return IntegrationStatus(
        key=key,
        state=state,
        reason=reason,
        backlog=int(facts.get("backlog", 0)),
        oldest_age_s=_age_s(now, min(heads, default=None)),
        quarantine=None if counts is None else counts.get(key, 0),
        lanes=full + timed,
        needs_resync=resync,
        dropped=int(facts.get("dropped", 0)),
        max_backlog=int(facts["max_backlog"]) if facts.get("max_backlog") else None,
    )


@dataclass(frozen=True, slots=True)
class _Lane:
    """What a sampled lane says: the first owed operation's stream time, failed tries, next try, why it is held."""

    segment: str
    head: int | None
    attempts: int
    retry: int
    hold: str


def _sample(redis: Redis, keys: Keys, integration: str, segments: list[str]) -> list[_Lane]:
    pipe = redis.pipeline(transaction=False)
    for segment in segments:
        pipe.hmget(keys.lane(integration, segment), "head", "attempts", "retry", "hold")
    return [
        _Lane(segment, _number(head), _number(attempts) or 0, _number(retry) or 0, (hold or b"").decode())
        for segment, (head, attempts, retry, hold) in zip(segments, pipe.execute(), strict=True)
    ]


def _state(facts: dict[str, str], connector: dict[str, str], lanes: list[_Lane], now: int) -> tuple[str, str]:
    """The integration's state and why, what stops most of it first."""
    where = f"connector {facts.get('connector')}"
    if "orphaned" in facts:
        return "orphaned", "not in the applied configuration any more"
    if "paused" in facts or facts.get("active") != "1":
        return "paused", _pause(facts)
    if "hold" in connector:
        return "held", f"{where}: {connector.get('hold_code', '')}: {connector['hold']}"
    if "hold" in facts:
        return "held", f"{facts.get('hold_code', '')}: {facts['hold']}"
    if "open_until" in connector:
        return "retrying", f"{where}: {connector.get('open_code', '')}: {connector.get('open_reason', '')}"
    return _state_of_lanes(lanes, now)


def _pause(facts: dict[str, str]) -> str:
    if "paused" not in facts:
        return "active = false in the file"
    why = f": {facts['paused_reason']}" if facts.get("paused_reason") else ""
    return f"by {facts.get('paused_by') or 'somebody'} at {facts.get('paused_at', 'some time')}{why}"


def _state_of_lanes(lanes: list[_Lane], now: int) -> tuple[str, str]:
    held = [lane for lane in lanes if lane.hold]
    if held:
        return "held", f"segment {held[0].segment}{_more(held)}: {held[0].hold}"
    failing = [lane for lane in lanes if lane.attempts]
    if failing:
        lane = max(failing, key=lambda each: each.attempts)
        tries = "1 failed try" if lane.attempts == 1 else f"{lane.attempts} failed tries"
        seconds = max(0, lane.retry - now) / 1000
        return "retrying", f"segment {lane.segment}{_more(failing)}: {tries}, the next in {seconds:.1f} s"
    return "active", ""


def _more(lanes: list[_Lane]) -> str:
    return f" and {len(lanes) - 1} more" if len(lanes) > 1 else ""


def _needs(status: Status) -> Iterator[str]:
    """What someone must do something about."""
    for each in status.integrations:
        if each.state == "held":
            yield f"{each.key} is held: {each.reason}"
        elif each.state == "orphaned" and each.backlog:
            yield (
                f"{each.key} is orphaned and owes {each.backlog:,} operations; "
                f"put it back into the file, or drop it with `segsync apply --drop {each.key}`"
            )
    for each in status.integrations:
        if (each.quarantine or 0) >= quarantine.MANY:
            yield f"{each.key} has {each.quarantine:,} entries in the quarantine; `segsync errors` groups them by cause"
    if status.revision is None:
        yield "no configuration is applied; run `segsync apply`, or start a worker"
    if status.intake.events or any(each.backlog and each.state == "active" for each in status.integrations):
        yield from _unserved(status)


def _full(redis: Redis, keys: Keys) -> Iterator[str]:
    """Whether producers are refused; the marks are what they look at."""
    marks: Any = redis.hgetall(keys.full_marks)
    if marks:
        yield f"producers are refused: {marks.get(b'reason', b'an integration is full').decode()}"


def _nearly_full(status: Status, redis: Redis) -> Iterator[str]:
    """What is about to be refused or dropped, while there is still time (promise 6)."""
    for each in status.integrations:
        if each.max_backlog and WARN_AT * each.max_backlog <= each.backlog < each.max_backlog:
            part = each.backlog / each.max_backlog
            yield f"{each.key} owes {each.backlog:,} operations, {part:.0%} of its max_backlog"
    memory: Any = redis.info("memory")
    used, most = memory.get("used_memory", 0), memory.get("maxmemory", 0)
    if most and used >= WARN_AT * most:
        yield f"Redis uses {used / most:.0%} of its maxmemory: when it is full, producers are refused until it drains"


def _unserved(status: Status) -> Iterator[str]:
    """Work is waiting: whether anybody is there to do it."""
    idle = [queue.name for queue in status.queues if queue.consumers == 0]
    if status.workers == 0:
        yield "no worker is running; start them with `segsync up` or `celery -A workers worker`"
    elif idle:
        yield f"no worker serves {', '.join(idle)}"
    if status.pulse_age_s is None or status.pulse_age_s > STALE_SECONDS:
        yield "no worker's pulse has looked for work lately"


def _members(redis: Redis, key: str) -> set[str]:
    members: Any = redis.smembers(key)
    return {member.decode() for member in members}


def _number(value: bytes | None) -> int | None:
    # Lua may have written it with a fraction.
    return None if value is None else int(float(value))


def _age_s(now: int, at: int | None) -> float | None:
    """Seconds between two times in milliseconds; a clock that was set back makes no negative age."""
    return None if at is None else max(0, now - at) / 1000
