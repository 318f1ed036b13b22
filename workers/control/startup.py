"""Before a worker starts: which configuration it works by, and whether its Redis can be trusted.

nothing applied, own file right     the own file is applied
nothing applied, own file wrong     nothing starts: SettingsError with every mistake
applied, own file the same          the applied one
applied, own file wrong or another  the applied one, with one warning that names the difference
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from workers.errors import SegsyncError, SettingsError
from workers.log import FILE_DIFFERS, FILE_WRONG, tell
from workers.settings import Settings, load, revision

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


def differences(applied: str, own: str) -> list[str]:
    """What differs between two published configurations, as key paths with + (new), - (gone) or ~ (changed)."""
    before, after = _flat(json.loads(applied)), _flat(json.loads(own))
    found = [f"- {path}" for path in before if path not in after]
    found += [f"+ {path}" for path in after if path not in before]
    found += [f"~ {path}" for path in after if path in before and before[path] != after[path]]
    return sorted(found, key=lambda line: line[2:])


def _flat(value: object, path: str = "") -> dict[str, object]:
    if not isinstance(value, dict) or not value:
        return {path: value}
    flat: dict[str, object] = {}
    for key, inner in value.items():
        flat |= _flat(inner, f"{path}.{key}" if path else str(key))
    return flat
