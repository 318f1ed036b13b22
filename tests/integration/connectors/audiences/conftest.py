"""Ad connectors on fake platforms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.yandex import FakeYandex
from tests.integration.connectors.audiences.rig import Rig, yandex_rig

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import redis


@pytest.fixture
def yandex() -> Iterator[FakeYandex]:
    """Yandex.Audiences, with nothing in it."""
    fake = FakeYandex()
    yield fake
    fake.close()


@pytest.fixture
def rig(tmp_path: Path, redis_client: redis.Redis, namespace: str, yandex: FakeYandex) -> Iterator[Rig]:
    """A connector on it, which somebody has consented to."""
    made = yandex_rig(tmp_path, redis_client, namespace, yandex)
    yield made
    made.connector.dispose()
