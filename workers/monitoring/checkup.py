"""What would bite in production, each as one `Step`: of Redis, of the workers, and of files' rights.

A step that is fine says what was found, so that whoever reads it knows that it was looked at.
"""

from __future__ import annotations

import stat
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from redis.exceptions import RedisError, ResponseError

from workers.connectors.inspection import Step
from workers.lanes.answers import scan_streams
from workers.lanes.clock import redis_ms
from workers.lanes.server_info import NO_EVICTION, read_info
from workers.settings.spelling import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from redis import Redis

    from workers.lanes.keys import Keys
    from workers.lanes.server_info import ServerInfo
    from workers.monitoring.consumers import Consumers
    from workers.presence import Worker

OLDEST_REDIS: Final = (6, 2)
"""As docs/redis.md has it."""
CLOCK_SECONDS: Final = 5.0
"""How far this host's clock may be from Redis's; nothing is decided by it, and `stats` and logs are read by it."""
SCAN_SECONDS: Final = 2.0
"""How long other programs' keys are searched for streams that look like an intake."""
NAMED: Final = 3
"""Things of a kind that are named in a sentence."""


def of_redis(redis: Redis, keys: Keys) -> Iterator[Step]:
    """Version, eviction, persistence, memory, role, clock and streams that nobody reads. redis.RedisError."""
    told = read_info(redis)
    yield _version(told)
    yield _policy(told)
    yield _persistence(told)
    yield _memory(told)
    yield _role(told)
    yield _clock(redis)
    yield _streams(redis, keys)


def _version(told: ServerInfo) -> Step:
    if told.release and told.release < OLDEST_REDIS:
        return Step("redis version", "mistake", f"{told.version}; expected 6.2 or a later one")
    return Step("redis version", "fine", told.version or "not told")


def _policy(told: ServerInfo) -> Step:
    if told.policy == NO_EVICTION:
        return Step("eviction", "fine", NO_EVICTION)
    remedy = "CONFIG SET maxmemory-policy noeviction, and in its configuration file"
    return Step(
        "eviction", "mistake", f"{told.policy} drops events when memory is short; expected noeviction ({remedy})"
    )


def _persistence(told: ServerInfo) -> Step:
    if told.is_loading:
        return Step("persistence", "warning", "Redis is loading its data; look again when it has")
    if told.appends:
        return Step("persistence", "fine", "appendonly yes")
    return Step(
        "persistence", "warning", "appendonly is off: a restart loses all since the last snapshot; set appendonly yes"
    )


def _memory(told: ServerInfo) -> Step:
    if told.limit:
        used, limit = told.used / 2**20, told.limit / 2**20
        return Step("memory", "fine", f"{used:,.0f} MiB of {limit:,.0f} MiB ({used / limit:.0%})")
    return Step(
        "memory",
        "warning",
        "no maxmemory: the machine's memory would end first, and Redis with it; set maxmemory below it",
    )


def _role(told: ServerInfo) -> Step:
    if told.is_cluster:
        return Step("role", "mistake", "this is Redis Cluster, which is not supported; expected one primary")
    if told.is_replica:
        return Step("role", "mistake", "this is a replica and may only be read; expected the primary in [redis]")
    return Step("role", "fine", f"primary, with {counted(told.replicas, 'replica')}")


def _clock(redis: Redis) -> Step:
    before = time.time()
    there = redis_ms(redis) / 1000
    off = there - (before + time.time()) / 2
    if abs(off) <= CLOCK_SECONDS:
        return Step("clock", "fine", f"within {CLOCK_SECONDS:.0f} s of Redis's")
    which = "ahead of" if off < 0 else "behind"
    what = f"this host's clock is {abs(off):,.0f} s {which} Redis's: logs and `--since` are off by as much; use NTP"
    return Step("clock", "warning", what)


def of_clocks(workers: Iterable[Worker]) -> Iterator[Step]:
    """Clocks of the hosts that workers run on, as those have told them."""
    hosts = {each.host: each.ahead_s for each in workers}
    wrong = {host: ahead for host, ahead in sorted(hosts.items()) if abs(ahead) > CLOCK_SECONDS}
    for host, ahead in wrong.items():
        which = "ahead of" if ahead > 0 else "behind"
        what = f"that of {host} is {abs(ahead):,.0f} s {which} Redis's: its logs are off by as much"
        yield Step("workers' clocks", "warning", f"{what}; use NTP")
    if hosts and not wrong:
        yield Step("workers' clocks", "fine", f"{counted(len(hosts), 'host')} within {CLOCK_SECONDS:.0f} s of Redis's")


def _streams(redis: Redis, keys: Keys) -> Step:
    """An intake under a name that is not ours: a producer that pushes there pushes to nobody."""
    try:
        strays = [name for name in _intakes(redis) if name != keys.events and not _is_read(redis, name)]
    except ResponseError:
        return Step("stray streams", "skipped", "this user of Redis may not look for them")
    if not strays:
        return Step("stray streams", "fine", "none")
    named = ", ".join(strays[:NAMED]) + (f" and {len(strays) - NAMED} more" if len(strays) > NAMED else "")
    return Step(
        "stray streams",
        "warning",
        f"{named}: nobody reads what is pushed there; producers must push to {keys.events}, and what is there can be "
        "pushed again",
    )


def _intakes(redis: Redis) -> Iterator[str]:
    """Streams whose names look like an intake's, as far as SCAN_SECONDS reach."""
    ends = time.monotonic() + SCAN_SECONDS
    for page in scan_streams(redis, "*event*"):
        yield from page
        if time.monotonic() > ends:
            return


def _is_read(redis: Redis, stream: str) -> bool:
    """Whether another installation reads it; of what we may not look into it is assumed."""
    if not stream.endswith(":events"):
        return not stream.endswith(":event")
    try:
        return bool(redis.exists(f"{stream.removesuffix(':events')}:config"))
    except RedisError:
        return True


def of_workers(consumers: Consumers, queues: Iterable[str], ledger: Path | None) -> Iterator[Step]:
    """Queues that nobody serves, names that two workers have, and a ledger that only one host can reach.

    queues  that must be served
    ledger  its file; None where it is a server's
    """
    idle = [name for name in queues if not consumers.queues.get(name)]
    if idle:
        yield Step("queues", "mistake", f"no worker serves {', '.join(idle)}; start one with -Q")
    else:
        yield Step("queues", "fine", f"all are served, by {counted(consumers.workers, 'worker')}")
    twice = sorted(name for name, many in Counter(consumers.names).items() if many > 1)
    if twice:
        yield Step("worker names", "mistake", f"two workers are called {', '.join(twice)}; give each its own with -n")
    elif consumers.names:
        yield Step("worker names", "fine", "each has its own")
    hosts = sorted({name.partition("@")[2] for name in consumers.names})
    if ledger and len(hosts) > 1:
        yield Step(
            "ledger's place",
            "mistake",
            f"workers run on {', '.join(hosts)}, and the ledger is an SQLite file, which only one host can write; "
            "name a PostgreSQL in [ledger]",
        )


def of_files(secret: Iterable[Path], written: Iterable[Path]) -> Iterator[Step]:
    """Who may read what others must not, and write what decides.

    secret   files that only their owner should read: passwords, an SQLite ledger with people's data
    written  files that nobody else should write: the configuration
    """
    wrong = 0
    for path in secret:
        if _others(path, stat.S_IRWXO | stat.S_IWGRP):
            wrong += 1
            yield Step("files", "warning", f"{path} can be read or written by others; chmod 600 {path}")
    for path in written:
        if _others(path, stat.S_IWOTH | stat.S_IWGRP):
            wrong += 1
            yield Step(
                "files", "warning", f"{path} can be written by others, who could change queries; chmod go-w {path}"
            )
    if not wrong:
        yield Step("files", "fine", "nobody else can read secrets, or write the configuration")


def _others(path: Path, bits: int) -> bool:
    try:
        return bool(path.stat().st_mode & bits)
    except OSError:
        return False
