"""What the Redis server says of itself (INFO). What it does not say counts as fine: services cut it short."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis import Redis

NO_EVICTION: Final = "noeviction"
_DISK: Final = ("aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status")


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """A Redis server, by its own account.

    version         "" where it tells none
    policy          its maxmemory-policy
    used, limit     bytes in use, and its maxmemory; 0 where it has none
    not_counted     bytes of `used` that do not count towards the limit
    is_replica      whether it is one, and may only be read
    replicas        connected ones
    is_cluster      whether it is a node of Redis Cluster
    is_loading      whether it reads its data from the disk yet
    appends         whether it keeps an append-only file
    disk            what it last failed to write, as in "aof_last_write_status is err"; "" where nothing
    """

    version: str
    policy: str
    used: int
    limit: int
    not_counted: int
    is_replica: bool
    replicas: int
    is_cluster: bool
    is_loading: bool
    appends: bool
    disk: str

    @property
    def release(self) -> tuple[int, ...]:
        """The version's first two numbers; () where it tells none that is one."""
        return tuple(int(part) for part in self.version.split(".")[:2] if part.isdecimal())


def read_info(redis: Redis, section: str | None = None) -> ServerInfo:
    """All sections, or one: what the others would say counts as fine, then. Raises redis.RedisError."""
    told = cast("Mapping[str, object]", redis.info(section) if section else redis.info())
    failed = [f"{name} is {told[name]}" for name in _DISK if told.get(name, "ok") != "ok"]
    return ServerInfo(
        version=str(told.get("redis_version", "")),
        policy=str(told.get("maxmemory_policy", NO_EVICTION)),
        used=_whole(told, "used_memory"),
        limit=_whole(told, "maxmemory"),
        not_counted=_whole(told, "mem_not_counted_for_evict"),
        is_replica=told.get("role") == "slave",
        replicas=_whole(told, "connected_slaves"),
        is_cluster=_whole(told, "cluster_enabled") == 1,
        is_loading=_whole(told, "loading") == 1,
        appends=_whole(told, "aof_enabled", 1) == 1,
        disk=failed[0] if failed else "",
    )


def _whole(told: Mapping[str, object], name: str, default: int = 0) -> int:
    found = told.get(name, default)
    return found if isinstance(found, int) else default
