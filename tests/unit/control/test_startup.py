"""Which Redis is trusted with events."""

from __future__ import annotations

import gc
from types import SimpleNamespace
from typing import Any, Self

import pytest

from workers.cli.commands import drain
from workers.control import startup
from workers.control.startup import GC_THRESHOLDS, UnfitRedis, check_redis, import_drivers
from workers.lanes.keys import Keys


class Server:
    """Says of itself what it is given, and allows everything."""

    def __init__(self, **told: str | int) -> None:
        self.told = {"maxmemory_policy": "noeviction", **told}

    def info(self, *_: str) -> dict[str, str | int]:
        return self.told

    def client(self) -> Server:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left to close."""

    def execute_command(self, *_: str) -> int:
        return 1


def check(**told: str | int) -> None:
    server: Any = Server(**told)
    check_redis(server, Keys("segsync"))


@pytest.mark.parametrize("version", ["6.2.0", "6.2.14", "7.0.15", "8.2.3", "10.0", "255.255.255", "6.3.4-rc1", ""])
def test_a_version_that_is_enough(version: str) -> None:
    check(redis_version=version)


@pytest.mark.parametrize("version", ["6.0.16", "5.0.14", "6.1.240", "2.8", "4"])
def test_a_version_that_is_too_old_is_refused(version: str) -> None:
    with pytest.raises(UnfitRedis, match=rf"Redis is version {version}; expected 6\.2 or a later one"):
        check(redis_version=version)


def test_a_cluster_is_refused_before_a_script_is() -> None:
    with pytest.raises(UnfitRedis, match="this is Redis Cluster, which is not supported"):
        check(redis_version="7.0", cluster_enabled=1)


def test_a_policy_that_drops_events_is_refused() -> None:
    with pytest.raises(UnfitRedis, match="allkeys-lru"):
        check(redis_version="7.0", maxmemory_policy="allkeys-lru")


def test_who_delivers_without_celery_looks_for_garbage_as_rarely_as_its_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Opened(Exception):
        pass

    def opens() -> None:
        raise Opened

    monkeypatch.setattr(drain, "open_runtime", opens)
    before = gc.get_threshold()
    try:
        with pytest.raises(Opened):
            drain.run()
        assert gc.get_threshold() == GC_THRESHOLDS
    finally:
        gc.set_threshold(*before)


@pytest.mark.parametrize(
    ("served", "found"),
    [(None, ["sqlite", "mysql"]), (["route", "upkeep"], []), ("deliver.erp,route", ["mysql"])],
)
def test_a_worker_imports_the_drivers_of_what_it_serves(
    served: object, found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    connectors = {"crm": SimpleNamespace(dialect="sqlite"), "erp": SimpleNamespace(dialect="mysql")}
    settings: Any = SimpleNamespace(connectors=connectors)
    loaded: list[str] = []
    monkeypatch.setattr(startup, "preload", loaded.append)
    import_drivers(settings, served)
    assert loaded == found
