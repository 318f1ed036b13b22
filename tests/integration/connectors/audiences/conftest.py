"""Ad connectors on fake platforms: Yandex, unless a test, or its file, says which."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.yandex import FakeYandex
from tests.integration.connectors.audiences.accounts import ACCOUNTS, Account
from tests.integration.connectors.audiences.rig import Rig

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis

    from tests.fakes.server import FakePlatform

MakeRig = Callable[..., Rig]
"""A name of `ACCOUNTS`, a fake, and what its target has beside the usual."""


@pytest.fixture
def fast_path() -> Iterator[Path]:
    """A folder in memory: no test here is about a disk, and each change of a store waits for it."""
    memory = Path("/dev/shm")  # noqa: S108 - below it a folder of our own
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture
def make_rig(fast_path: Path, redis_client: redis.Redis, namespace: str) -> Iterator[MakeRig]:
    """Makes connectors that somebody has consented to, each with a store and a budget of its own."""
    made: list[Rig] = []

    def make(name: str, fake: FakePlatform, **more: Any) -> Rig:
        folder = fast_path / str(len(made))
        folder.mkdir()
        made.append(ACCOUNTS[name].rig(folder, redis_client, f"{namespace}{len(made)}", fake, **more))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def account(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Which platform: that of `accounts.on`, small; else Yandex as it is."""
    if not hasattr(request, "param"):
        return ACCOUNTS["yandex"]
    found = ACCOUNTS[request.param]
    found.shrink(monkeypatch, largest_call=1_000)
    return found


@pytest.fixture
def fake(account: Account) -> Iterator[FakePlatform]:
    """The platform, with nothing in it."""
    made = account.fake(0)
    yield made
    made.close()


@pytest.fixture
def yandex(fake: FakePlatform) -> FakeYandex:
    """The same, where it is Yandex."""
    assert isinstance(fake, FakeYandex)
    return fake


@pytest.fixture
def rig(make_rig: MakeRig, account: Account, fake: FakePlatform) -> Rig:
    """A connector on it."""
    return make_rig(account.name, fake)
