"""What `status` shows: where everything stands, and every stall that can be seen (promise 7).

Read without stopping anything. What it means, and what someone must do, is in needs.py; one integration in states.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from workers.errors import SegsyncError
from workers.lanes.clock import redis_ms
from workers.ledger import health, identity
from workers.monitoring.intake import needs_of_intake
from workers.monitoring.needs import needs, notes
from workers.monitoring.states import IntegrationStatus, age_s, decoded, read_integration
from workers.quarantine import entries as quarantine
from workers.settings import revision

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from redis import Redis

    from workers.lanes.keys import Keys
    from workers.ledger.health import Trouble
    from workers.runtime import Runtime

UNWANTED_AT_MOST: Final = 100_000
"""Segments whose unwanted events are counted: some 0.1 s."""
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

    why  what whoever moved it last says of it; "" where nothing is to be said
    """

    events: int
    oldest_age_s: float | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """One of Celery's queues, and how many workers serve it; None where they cannot be asked."""

    name: str
    consumers: int | None


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """What Redis says of itself.

    is_replica    it may only be read
    refuses       why it refuses writes, as it says itself; "" while it does not
    policy        its eviction policy; anything but noeviction may drop events
    used, limit   bytes; no limit is 0
    full          why producers are refused; "" while they are not
    """

    is_replica: bool
    refuses: str
    policy: str
    used: int
    limit: int
    full: str


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

    lacking  what workers lack to serve a connector, as "connector on host" and why
    emptied  when this Redis was found to be another than before, in Unix seconds; None where it was not
    """

    server: ServerStatus
    trouble: Trouble | None
    lacking: Mapping[str, str]
    emptied: int | None


def read(runtime: Runtime, consumers: Callable[[], Consumers] | None = None, *, many: int = quarantine.MANY) -> Status:
    """Where everything stands. A dead ledger, a wrong secret or a silent broker only leave their numbers out.

    consumers  asks Celery's workers; may raise anything when the broker is out of reach; None does not ask
    many       open entries of the quarantine from which on someone is needed

    Raises redis.RedisError.
    """
    unread: list[str] = []
    counts = _open_entries(runtime, unread)
    asked = _ask(consumers, unread)
    redis, keys = runtime.redis, runtime.keys
    now = redis_ms(redis)
    integrations = [
        read_integration(redis, keys, key, now, counts) for key in sorted(_members(redis, keys.integrations))
    ]
    unwanted = _unwanted(redis, keys, unread)
    seen = decoded(redis.hgetall(keys.seen))
    found = revision.published(redis, keys)
    status = Status(
        backlog=sum(each.backlog for each in integrations),
        quarantine=_quarantine(redis, keys, integrations, counts),
        intake=_stream(redis, keys.events, now, _why(redis, keys, "route")),
        integrations=integrations,
        workers=asked.workers if asked else None,
        queues=_queues(_served_connectors(redis, keys), asked),
        beat_age_s=age_s(now, int(seen["beat"]) if "beat" in seen else None),
        pulse_age_s=age_s(now, int(seen["pulse"]) if "pulse" in seen else None),
        revision=found.revision if found else None,
        unwanted=sum(unwanted.values()),
        unwanted_segments=dict(sorted(unwanted.items(), key=lambda pair: -pair[1])[:UNWANTED_SHOWN]),
        outcomes=_stream(redis, keys.outcomes, now, _why(redis, keys, "upkeep")),
        unread=unread,
        ledger_is_dead=counts is None and found is not None,
    )
    background = _background(redis, keys)
    status.needs.extend(needs(status, background, many, now))
    status.needs.extend(needs_of_intake(redis, keys, status.intake.events))
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


def _ask(consumers: Callable[[], Consumers] | None, unread: list[str]) -> Consumers | None:
    if consumers is None:
        return None
    try:
        return consumers()
    except Exception as error:  # noqa: BLE001 - whatever the broker's client raises; its text may show a URL
        unread.append(f"workers and queues: the broker cannot be asked ({type(error).__name__})")
        return None


def _served_connectors(redis: Redis, keys: Keys) -> list[str]:
    """Connectors that an integration uses: nobody need serve the others."""
    used: list[Any] = [redis.hget(keys.integration(key), "connector") for key in _members(redis, keys.integrations)]
    return sorted({key.decode() for key in used if key})


def _queues(connectors: list[str], asked: Consumers | None) -> list[QueueStatus]:
    names = ["route", "upkeep", *(f"deliver.{key}" for key in connectors)]
    return [QueueStatus(name, asked.queues.get(name, 0) if asked else None) for name in names]


def _stream(redis: Redis, key: str, now: int, why: str) -> StreamStatus:
    oldest: Any = redis.xrange(key, count=1)
    at = int(oldest[0][0].partition(b"-")[0]) if oldest else None
    length: Any = redis.xlen(key)
    return StreamStatus(length, age_s(now, at), why)


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


def _background(redis: Redis, keys: Keys) -> Background:
    ledger = identity.known(redis, keys)
    return Background(
        server=_server(redis, keys),
        trouble=health.trouble(redis, keys),
        lacking=decoded(redis.hgetall(keys.lacking)),
        emptied=ledger.emptied if ledger else None,
    )


def _server(redis: Redis, keys: Keys) -> ServerStatus:
    told: Any = redis.info()
    marks = decoded(redis.hgetall(keys.full_marks))
    return ServerStatus(
        is_replica=told.get("role") == "slave",
        refuses=_refuses(told),
        policy=told.get("maxmemory_policy", "noeviction"),
        used=told.get("used_memory", 0),
        limit=told.get("maxmemory", 0),
        full=marks.get("reason", "an integration is full") if marks else "",
    )


def _refuses(told: Mapping[str, Any]) -> str:
    for name in ("aof_last_write_status", "rdb_last_bgsave_status", "aof_last_bgrewrite_status"):
        if told.get(name, "ok") != "ok":
            return f"{name} is {told[name]}"
    return ""


def _members(redis: Redis, key: str) -> set[str]:
    members: Any = redis.smembers(key)
    return {member.decode() for member in members}
