"""Ad connectors on fake platforms."""

from __future__ import annotations

import tempfile
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.google import FakeGoogle
from tests.fakes.yandex import FakeYandex
from tests.integration.connectors.audiences.rig import Rig, yandex_rig

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis


@pytest.fixture(autouse=True)
def misfits(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Each request to Google is one that its own types take: they know the fields' names, and refuse others."""
    found: list[str] = []

    def look(kind: str, body: object) -> None:
        datamanager = import_module("google.ads.datamanager_v1")  # two seconds, and only where it is needed
        json_format = import_module("google.protobuf.json_format")
        try:
            json_format.ParseDict(body, getattr(datamanager, kind).pb()())
        except json_format.ParseError as error:
            found.append(f"{kind}: {error}")

    monkeypatch.setattr(FakeGoogle, "oracle", staticmethod(look))
    yield found
    assert found == []


@pytest.fixture
def yandex() -> Iterator[FakeYandex]:
    """Yandex.Audiences, with nothing in it."""
    fake = FakeYandex()
    yield fake
    fake.close()


@pytest.fixture
def fast_path() -> Iterator[Path]:
    """A folder in memory: no test here is about a disk, and each change of a store waits for it."""
    memory = Path("/dev/shm")  # noqa: S108 - below it a folder of our own
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture
def rig(fast_path: Path, redis_client: redis.Redis, namespace: str, yandex: FakeYandex) -> Iterator[Rig]:
    """A connector on it, which somebody has consented to."""
    made = yandex_rig(fast_path, redis_client, namespace, yandex)
    yield made
    made.close()
