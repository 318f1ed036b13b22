"""Before a worker starts: which configuration it works by, and whether its Redis can be trusted.

nothing applied, own file right     the own file is applied
nothing applied, own file wrong     nothing starts: SettingsError with every mistake
applied, own file the same          the applied one
applied, own file wrong or another  the applied one, with one warning that names the difference
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.errors import SegsyncError, SettingsError
from workers.log import FILE_DIFFERS, FILE_WRONG, tell
from workers.settings import Settings, load, revision
from workers.settings.differences import differences

if TYPE_CHECKING:
    from pathlib import Path

    from redis import Redis

    from workers.runtime import Runtime
    from workers.settings.revision import Applied


class UnfitRedis(SegsyncError):
    """The Redis server would lose what it is given."""


def check_redis(redis: Redis) -> None:
    """UnfitRedis for an eviction policy that may drop our keys at any time (rule 32)."""
    policy = redis.info("memory").get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise UnfitRedis(
            f"Redis has maxmemory-policy {policy!r}, which drops events when memory is short; "
            "expected 'noeviction' (CONFIG SET maxmemory-policy noeviction, and in its configuration file)"
        )


def settle_configuration(runtime: Runtime, path: Path | None = None) -> Applied:
    """The configuration that this process is to work by; applies the own file where nothing is applied yet.

    Raises SettingsError (nothing applied and the own file is wrong), UnfitRedis, redis.RedisError.
    """
    check_redis(runtime.redis)
    own = _own(path)
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
            at=found.at,
            by=found.by,
            differences="; ".join(differences(found.text, own.published())),
        )
    return runtime.applied


def _own(path: Path | None) -> Settings | SettingsError:
    try:
        return load(path)
    except SettingsError as error:
        return error
