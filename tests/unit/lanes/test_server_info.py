"""What a Redis server says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from workers.lanes.server_info import read_info

if TYPE_CHECKING:
    from collections.abc import Mapping


class Told:
    """A Redis whose INFO is this."""

    def __init__(self, **told: Any) -> None:
        self._told = told

    def info(self, section: str | None = None) -> Mapping[str, Any]:
        assert section in {None, "memory"}
        return self._told


def test_what_is_not_said_counts_as_fine() -> None:
    found = read_info(Told(redis_version="7.0.15"))  # type: ignore[arg-type]
    assert (found.release, found.policy, found.appends, found.disk) == ((7, 0), "noeviction", True, "")
    assert not any((found.is_replica, found.is_cluster, found.is_loading, found.limit, found.used))
    assert read_info(Told()).release == ()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"aof_last_write_status": "err"}, "aof_last_write_status is err"),
        ({"rdb_last_bgsave_status": "err"}, "rdb_last_bgsave_status is err"),
        ({"aof_last_write_status": "ok", "rdb_last_bgsave_status": "ok"}, ""),
    ],
)
def test_what_it_failed_to_write_is_named(told: dict[str, str], said: str) -> None:
    assert read_info(Told(**told)).disk == said  # type: ignore[arg-type]


def test_of_one_section_the_others_count_as_fine() -> None:
    found = read_info(Told(used_memory=7, maxmemory=9, maxmemory_policy="allkeys-lru"), "memory")  # type: ignore[arg-type]
    assert (found.used, found.limit, found.policy, found.version) == (7, 9, "allkeys-lru", "")
