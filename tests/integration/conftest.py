"""Jobs: events to rows on each database, in the test's own process; and places, for tests of commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes import oracle
from tests.fakes.google import FakeGoogle
from tests.fakes.server import FakePlatform
from tests.fakes.yandex import FakeYandex
from tests.installation import Installation
from tests.integration.ad_account import ENVIRON, AdAccount
from tests.integration.desk import Desk
from tests.integration.jobs import Job
from tests.integration.place import Place
from tests.integration.replaying import UPGRADES, replaying
from tests.targets import TargetDatabase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import redis

    from tests.servers.redis import RedisServer


@pytest.fixture(scope="session", autouse=True)
def replayed_migrations() -> Iterator[None]:
    """What is new gets its tables without Alembic, but for the first of its kind."""
    with replaying():
        yield


@pytest.fixture
def real_migrations(monkeypatch: pytest.MonkeyPatch) -> None:
    """By Alembic, as everywhere else."""
    for module, upgrade in UPGRADES.items():
        monkeypatch.setattr(module, "upgrade", upgrade)


@pytest.fixture
def make_target(request: pytest.FixtureRequest) -> Callable[[str], TargetDatabase]:
    """Makes a database of a dialect, with the customer's tables."""

    def made(dialect: str) -> TargetDatabase:
        name = {"sqlite": "sqlite", "postgresql": "postgresql", "mysql": "mariadb"}[dialect]
        password = request.getfixturevalue("mariadb_server").password if dialect == "mysql" else None
        database = TargetDatabase(dialect, request.getfixturevalue(f"{name}_url"), password)
        database.create()
        return database

    return made


@pytest.fixture(params=["sqlite", "postgresql", "mysql"])
def target(request: pytest.FixtureRequest, make_target: Callable[[str], TargetDatabase]) -> TargetDatabase:
    """SQLite, PostgreSQL and MariaDB in turn, with the customer's tables."""
    return make_target(request.param)


@pytest.fixture
def make_job(
    tmp_path: Path, redis_server: RedisServer, redis_client: redis.Redis, namespace: str
) -> Callable[[TargetDatabase], Job]:
    """Makes a job for a target of the test's own."""
    assert redis_client.ping()
    return lambda target: Job(Installation(tmp_path, redis_server.url, namespace), target)


@pytest.fixture
def sqlite_job(make_job: Callable[[TargetDatabase], Job], make_target: Callable[[str], TargetDatabase]) -> Job:
    """A job on SQLite alone."""
    return make_job(make_target("sqlite"))


@pytest.fixture
def job(make_job: Callable[[TargetDatabase], Job], target: TargetDatabase) -> Job:
    """A job on each database in turn."""
    return make_job(target)


@pytest.fixture
def place(tmp_path: Path, redis_server: RedisServer, redis_client: redis.Redis, namespace: str) -> Place:
    """An installation of this test's own, with nothing applied."""
    return Place(tmp_path, redis_client, redis_server.url, namespace)


@pytest.fixture
def full_place(tmp_path: Path, own_redis: RedisServer, namespace: str) -> Place:
    """The same on a Redis that this test may fill."""
    return Place(tmp_path, own_redis.client(), own_redis.url, namespace)


@pytest.fixture
def desk(redis_client: redis.Redis, namespace: str) -> Desk:
    """A router, and what it needs."""
    return Desk(redis_client, namespace)


@pytest.fixture(autouse=True)
def misfits(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What ad platforms are sent that their documents, or Google's own types, do not have: in no test anything."""
    monkeypatch.setattr(FakeGoogle, "oracle", oracle.misfit)
    FakePlatform.misfits.clear()
    yield FakePlatform.misfits
    assert FakePlatform.misfits == []


@pytest.fixture
def yandex() -> Iterator[FakeYandex]:
    """Yandex.Audiences, with nothing in it."""
    fake = FakeYandex()
    yield fake
    fake.close()


@pytest.fixture
def ads(place: Place, yandex: FakeYandex, monkeypatch: pytest.MonkeyPatch) -> Iterator[AdAccount]:
    """An ad account on it; nobody has consented, and nothing is applied."""
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    made = AdAccount(place, yandex)
    yield made
    made.close()
