"""Who serves Celery's queues, as its workers say by themselves; asked, and again, where nobody seems to."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from workers import presence
from workers.lanes.answers import members_of, text_of
from workers.lanes.clock import redis_ms
from workers.monitoring.ages import looked_s
from workers.monitoring.need import STALE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from redis import Redis

    from workers.lanes.keys import Keys

PATIENCE_SECONDS: Final = 6.0
"""How long a queue that nobody seems to serve is asked for again: a worker that starts anew, or has much to do."""


@dataclass(frozen=True, slots=True)
class Consumers:
    """What Celery's workers say: how many there are, how many serve each queue, and their names, as in "w@host"."""

    workers: int
    queues: Mapping[str, int]
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """One of Celery's queues, and how many workers serve it; None where they cannot be asked."""

    name: str
    consumers: int | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking.

    workers  how many answered; None where they cannot be asked
    queues   all that must be served
    trouble  why they cannot be asked; "" where they can, or were not
    """

    workers: int | None = None
    queues: list[QueueStatus] = field(default_factory=list)
    trouble: str = ""


def ask(redis: Redis, keys: Keys, consumers: Callable[[], Consumers] | None, patience: float) -> Asked:
    """Who serves what must be served. redis.RedisError.

    Workers that say so are believed; nobody is asked where they leave nothing unserved.

    consumers  asks Celery's workers; may raise anything when the broker is out of reach; None does not ask
    patience   seconds for which it is asked again, while a pulse looks and a queue seems to be served by nobody
    """
    names = used_queues(redis, keys)
    if consumers is None:
        return Asked(queues=[QueueStatus(name, None) for name in names])
    if said := _said(redis, keys, names):
        return said
    pulse = looked_s(redis, keys, "pulse", redis_ms(redis))
    ends = time.monotonic() + (0.0 if pulse is None or pulse > STALE_SECONDS else patience)
    most, workers = dict.fromkeys(names, 0), 0
    while True:
        try:
            found = consumers()
        except Exception as error:  # noqa: BLE001 - whatever the broker's client raises; its text may show a URL
            trouble = f"workers and queues: the broker cannot be asked ({type(error).__name__})"
            return Asked(queues=[QueueStatus(name, None) for name in names], trouble=trouble)
        most = {name: max(number, found.queues.get(name, 0)) for name, number in most.items()}
        workers = max(workers, found.workers)
        if all(most.values()) or time.monotonic() >= ends:
            return Asked(workers, [QueueStatus(name, number) for name, number in most.items()])


def _said(redis: Redis, keys: Keys, names: list[str]) -> Asked | None:
    """What workers say by themselves; None where that leaves a queue unserved: then they are asked.

    Each serves a queue that it takes from, and two of one name are two.
    """
    there = presence.present(redis, keys, redis_ms(redis))
    served = Counter(queue for each in there for queue in each.queues)
    if not all(served[name] for name in names):
        return None
    return Asked(len(there), [QueueStatus(name, served[name]) for name in names])


def used_queues(redis: Redis, keys: Keys) -> list[str]:
    """The queues that must be served: of connectors, those that an integration uses. redis.RedisError."""
    pipe = redis.pipeline(transaction=False)
    for each in members_of(redis, keys.integrations):
        pipe.hget(keys.integration(each), "connector")
    connectors = sorted({key for found in pipe.execute() if (key := text_of(found))})
    reads = ["resync"] if redis.exists(keys.runs, keys.runs_waiting, keys.verifications) else []
    return ["route", "upkeep", *reads, *(f"deliver.{key}" for key in connectors)]
