"""Installations for tests of commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.cli.place import Place

if TYPE_CHECKING:
    from pathlib import Path

    import redis

    from tests.servers.redis import RedisServer


@pytest.fixture
def place(tmp_path: Path, redis_server: RedisServer, redis_client: redis.Redis, namespace: str) -> Place:
    """An installation of this test's own, with nothing applied."""
    return Place(tmp_path, redis_client, redis_server.url, namespace)


@pytest.fixture
def full_place(tmp_path: Path, own_redis: RedisServer, namespace: str) -> Place:
    """The same on a Redis that this test may fill."""
    return Place(tmp_path, own_redis.client(), own_redis.url, namespace)
