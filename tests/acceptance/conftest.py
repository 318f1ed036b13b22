"""An installation per test, in a namespace of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.installation import Installation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import redis

    from tests.servers.redis import RedisServer


@pytest.fixture
def installation(
    tmp_path: Path, redis_server: RedisServer, redis_client: redis.Redis, namespace: str
) -> Iterator[Installation]:
    """segsync, configured by the test; its processes end with it."""
    assert redis_client.ping()
    installed = Installation(tmp_path, redis_server.url, namespace)
    try:
        yield installed
    finally:
        installed.stop()
