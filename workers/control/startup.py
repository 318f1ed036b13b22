"""Before a worker starts: which configuration it works by, and whether its Redis can be trusted.

nothing applied, own file right     the own file is applied
nothing applied, own file wrong     nothing starts: SettingsError with every mistake
applied, own file the same          the applied one
applied, own file wrong or another  the applied one, with one warning that names the difference
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Final

from workers.connectors import preload
from workers.control import rights
from workers.errors import SegsyncError, SettingsError
from workers.lanes.server_info import NO_EVICTION, read_info
from workers.log import FILE_DIFFERS, FILE_WRONG, tell
from workers.settings import Settings, load, revision
from workers.settings.differences import differences

if TYPE_CHECKING:
    from redis import Redis

    from workers.lanes.keys import Keys
    from workers.runtime import Runtime
    from workers.settings.revision import Applied


class UnfitRedis(SegsyncError):
    """The Redis server would lose what it is given."""


LOWEST: Final = (6, 2)
"""The oldest Redis whose commands are enough. Valkey tells a version of Redis that it is as good as."""


GC_THRESHOLDS: Final = (50_000, 20, 100)
"""A batch makes thousands of short-lived objects and no cycles. With Python's own (700, 10, 10) a third of the
processor time of routing, and a quarter of delivering, went into looking for some."""


def collect_rarely() -> None:
    """For a process that routes and delivers, and for its children."""
    gc.set_threshold(*GC_THRESHOLDS)


def collect_young() -> None:
    """For the end of a task: what it left in circles, which else stays until there are 50,000 such objects.

    Celery and the clients leave some twenty with each, and 10 KB of memory that hangs on them; to look at what is
    young takes some 20 µs.
    """
    gc.collect(0)


def import_drivers(settings: Settings, served: object = None) -> None:
    """For a worker that is about to fork: what its children deliver with, once for all of them.

    served  the queues of its -Q; None: all
    """
    for key, connector in settings.connectors.items():
        if served is None or f"deliver.{key}" in str(served):
            preload(connector.dialect)


def check_redis(redis: Redis, keys: Keys) -> None:
    """UnfitRedis for a user that lacks a right, an old server, a Cluster, and one that may drop our keys (rule 32)."""
    if refused := rights.sentence(redis, keys):
        raise UnfitRedis(refused)
    server = read_info(redis, "server")
    if server.version and server.release < LOWEST:
        raise UnfitRedis(f"Redis is version {server.version}; expected 6.2 or a later one (docs/redis.md)")
    if read_info(redis, "cluster").is_cluster:
        raise UnfitRedis("this is Redis Cluster, which is not supported; expected one primary (docs/redis.md)")
    policy = read_info(redis, "memory").policy
    if policy != NO_EVICTION:
        raise UnfitRedis(
            f"Redis has maxmemory-policy {policy!r}, which drops events when memory is short; "
            "expected 'noeviction' (CONFIG SET maxmemory-policy noeviction, and in its configuration file)"
        )


def settle_configuration(runtime: Runtime) -> Applied:
    """The configuration that this process is to work by; applies the own file where nothing is applied yet.

    Raises SettingsError (nothing applied and the own file is wrong), UnfitRedis, redis.RedisError.
    """
    check_redis(runtime.redis, runtime.keys)
    own = _own()
    found = revision.published(runtime.redis, runtime.keys)
    if found is None:
        if isinstance(own, SettingsError):
            raise own
        revision.publish(runtime.redis, runtime.keys, own, only_first=True)
    elif isinstance(own, SettingsError):
        tell(FILE_WRONG, applied=found.revision, error=own)
    elif own.digest != found.digest:
        tell(
            FILE_DIFFERS,
            applied=found.revision,
            applied_at=found.at,
            by=found.by,
            differences="; ".join(differences(found.text, own.published())),
        )
    return runtime.applied


def _own() -> Settings | SettingsError:
    try:
        return load()
    except SettingsError as error:
        return error
