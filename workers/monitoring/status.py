"""What `status` shows: where everything stands, and every stall that can be seen (promise 7).

Read without stopping anything. What it means, and what someone must do, is in needs.py; one integration in states.py.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from workers.errors import SegsyncError
from workers.lanes.clock import redis_ms
from workers.ledger import health, identity
from workers.monitoring.needs import STALE_SECONDS, needs, notes
from workers.monitoring.server import read_server
from workers.monitoring.states import IntegrationStatus, age_s, decoded, read_integration
from workers.quarantine import entries as quarantine
from workers.settings import lacking, revision

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from redis import Redis

    from workers.lanes.keys import Keys
    from workers.ledger.health import Trouble
    from workers.monitoring.server import ServerStatus
    from workers.runtime import Runtime

CLOCK_SLACK_MS: Final = 5_000
"""How far ahead a time may be that was written a moment ago: clocks are set right now and then."""
UNWANTED_AT_MOST: Final = 100_000
"""Segments whose unwanted events are counted: some 0.1 s."""
PATIENCE_SECONDS: Final = 6.0
"""How long a queue that nobody seems to serve is asked for again: a worker that starts anew, or has much to do."""
STUCK_SECONDS: Final = 15.0
"""How long an event may wait to be routed, or an outcome to be written down: both take well below a second."""
TAKEN_SECONDS: Final = 45.0
"""The same while somebody has the lease of it, who may have been killed: it runs out after 30 s."""
UNWANTED_SHOWN: Final = 10
"""Segments with most unwanted events that are named."""


@dataclass(frozen=True, slots=True)
class Consumers:
    """What Celery's workers say: how many there are, and how many serve each queue."""

    workers: int
    queues: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """What waits in the intake to be routed, or in the outcomes to be written down; and the oldest one's age.

    why       what whoever moved it last says of it; "" where nothing is to be said
    is_stuck  whether the oldest has waited for longer than it may, and nothing moved while `status` looked
    """

    events: int
    oldest_age_s: float | None
    why: str = ""
    is_stuck: bool = False


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
    outcomes           on their way to the ledger
    needs              sentences: what needs someone
    notes              sentences: what is worth a word, and no alarm
    unread             sentences: what could not be read, and why; its numbers are None
    ledger_is_dead     whether the ledger is among it
    """

    backlog: int
    quarantine: int | None
    intake: StreamStatus
    integrations: list[IntegrationStatus]
    workers: int | None
    queues: list[QueueStatus]
    beat_age_s: float | None
    pulse_age_s: float | None
    revision: int | None
    unwanted: int
    unwanted_segments: dict[str, int]
    outcomes: StreamStatus
    needs: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    ledger_is_dead: bool = False


@dataclass(frozen=True, slots=True)
class Background:
    """What stands behind the sentences and is not shown by itself.

    lacking  what workers lack to serve a connector, as "connector on worker" and why
    emptied  when this Redis was found to be another than before, in Unix seconds; None where it was not
    broker   why Celery's workers cannot be asked; "" where they can
    """

    server: ServerStatus
    trouble: Trouble | None
    lacking: Mapping[str, str]
    emptied: int | None
    broker: str


def read(
    runtime: Runtime,
    consumers: Callable[[], Consumers] | None = None,
    *,
    many: int = quarantine.MANY,
    patience: float = PATIENCE_SECONDS,
) -> Status:
    """Where everything stands. A dead ledger, a wrong secret or a silent broker only leave their numbers out.

    consumers  asks Celery's workers; may raise anything when the broker is out of reach; None does not ask
    many       open entries of the quarantine from which on someone is needed
    patience   seconds for which queues that nobody seems to serve are asked for again

    Raises redis.RedisError.
    """
    unread: list[str] = []
    counts = _open_entries(runtime, unread)
    redis, keys = runtime.redis, runtime.keys
    heads = {key: _head(redis, key) for key in (keys.events, keys.outcomes)}
    seen = decoded(redis.hgetall(keys.seen))
    names = ["route", "upkeep", *(f"deliver.{key}" for key in _served_connectors(redis, keys))]
    pulse = _looked_s(redis_ms(redis), seen.get("pulse"))
    asked = _ask(consumers, names, 0.0 if pulse is None or pulse > STALE_SECONDS else patience, unread)
    now = redis_ms(redis)
    seen = decoded(redis.hgetall(keys.seen))
    integrations = [
        read_integration(redis, keys, key, now, counts) for key in sorted(_members(redis, keys.integrations))
    ]
    unwanted = _unwanted(redis, keys, unread)
    found = revision.published(redis, keys)
    status = Status(
        backlog=sum(each.backlog for each in integrations),
        quarantine=_quarantine(redis, keys, integrations, counts),
        intake=_stream(redis, keys, keys.events, "route", heads, now),
        integrations=integrations,
        workers=asked.workers if asked else None,
        queues=[QueueStatus(name, asked.queues.get(name, 0) if asked else None) for name in names],
        beat_age_s=_looked_s(now, seen.get("beat")),
        pulse_age_s=_looked_s(now, seen.get("pulse")),
        revision=found.revision if found else None,
        unwanted=sum(unwanted.values()),
        unwanted_segments=dict(sorted(unwanted.items(), key=lambda pair: -pair[1])[:UNWANTED_SHOWN]),
        outcomes=_stream(redis, keys, keys.outcomes, "upkeep", heads, now),
        unread=unread,
        ledger_is_dead=counts is None and found is not None,
    )
    broker = "" if asked or consumers is None else unread[-1]
    background = _background(redis, keys, now, broker)
    status.needs.extend(needs(status, background, many, now))
    status.notes.extend(notes(status, many))
    return status


def _open_entries(runtime: Runtime, unread: list[str]) -> dict[str | None, int] | None:
    try:
        return quarantine.count_open(runtime.ledger)
    except SegsyncError as error:  # the ledger itself, a variable that its URL needs, or nothing is applied
        unread.append(f"quarantine: {error}")
        return None


def _quarantine(
    redis: Redis, keys: Keys, integrations: list[IntegrationStatus], counts: dict[str | None, int] | None
) -> int | None:
    """Open entries; as scripts counted them where the ledger is silent."""
    if counts is not None:
        return sum(counts.values())
    of_intake: Any = redis.hget(keys.intake, "quarantined")
    return int(of_intake or 0) + sum(each.quarantine or 0 for each in integrations)


def _ask(
    consumers: Callable[[], Consumers] | None, queues: list[str], patience: float, unread: list[str]
) -> Consumers | None:
    """Who answers; asked again where a queue seems to be served by nobody, since whoever is busy answers late."""
    if consumers is None:
        return None
    found, ends = Consumers(0, {}), time.monotonic() + patience
    while True:
        try:
            again = consumers()
        except Exception as error:  # noqa: BLE001 - whatever the broker's client raises; its text may show a URL
            unread.append(f"workers and queues: the broker cannot be asked ({type(error).__name__})")
            return None
        most = {name: max(found.queues.get(name, 0), again.queues.get(name, 0)) for name in queues}
        found = Consumers(max(found.workers, again.workers), most)
        if all(found.queues.values()) or time.monotonic() >= ends:
            return found


def _served_connectors(redis: Redis, keys: Keys) -> list[str]:
    """Connectors that an integration uses: nobody need serve the others."""
    used: list[Any] = [redis.hget(keys.integration(key), "connector") for key in _members(redis, keys.integrations)]
    return sorted({key.decode() for key in used if key})


def _looked_s(now: int, at: str | None) -> float | None:
    """Seconds since somebody looked; None for never, and for a time to come: the clock was set back since."""
    return None if at is None or int(at) > now + CLOCK_SLACK_MS else age_s(now, int(at))


def _head(redis: Redis, key: str) -> bytes | None:
    oldest: Any = redis.xrange(key, count=1)
    return oldest[0][0] if oldest else None


def _stream(
    redis: Redis, keys: Keys, key: str, lease: str, before: Mapping[str, bytes | None], now: int
) -> StreamStatus:
    head = _head(redis, key)
    age = age_s(now, int(head.partition(b"-")[0])) if head else None
    until: Any = redis.hget(keys.lease(lease), "until")
    patience = TAKEN_SECONDS if float(until or 0) > now else STUCK_SECONDS
    stuck = age is not None and age > patience and head == before[key]
    length: Any = redis.xlen(key)
    return StreamStatus(length, age, _why(redis, keys, lease), stuck)


def _why(redis: Redis, keys: Keys, name: str) -> str:
    """What whoever had this lease last says of why it rests."""
    why: Any = redis.hget(keys.lease(name), "why")
    text = (why or b"").decode()
    return "" if text == "all is done" else text


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


def _background(redis: Redis, keys: Keys, now: int, broker: str) -> Background:
    ledger = identity.known(redis, keys)
    return Background(
        server=read_server(redis, keys),
        trouble=health.trouble(redis, keys),
        lacking=lacking.noted(redis, keys, now),
        emptied=ledger.emptied if ledger else None,
        broker=broker,
    )


def _members(redis: Redis, key: str) -> set[str]:
    members: Any = redis.smembers(key)
    return {member.decode() for member in members}
