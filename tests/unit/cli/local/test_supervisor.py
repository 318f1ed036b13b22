"""What `up` and `demo` do about their children, with small stand-ins for Celery and Redis."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.waiting import until
from workers.cli.local import embedded_redis, programs, supervisor
from workers.cli.local.children import Program
from workers.cli.local.supervisor import Supervisor
from workers.lanes.keys import Keys

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class FakeRedis:
    """What `watch` asks."""

    def __init__(self, used: int, limit: int, connectors: set[bytes]) -> None:
        self.used, self.limit, self.connectors = used, limit, connectors

    def info(self, _section: str) -> dict[str, int]:
        return {"used_memory": self.used, "maxmemory": self.limit}

    def smembers(self, _key: str) -> set[bytes]:
        return self.connectors


def shell(name: str, text: str, **more: Any) -> Program:
    return Program(name, ["/bin/sh", "-c", text], **more)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits here for seconds: what follows on what is the same."""
    monkeypatch.setattr(supervisor, "LOOK_EVERY_SECONDS", 0.01)
    monkeypatch.setattr(supervisor, "FOLLOW_EVERY", 0.05)
    monkeypatch.setattr(supervisor, "FULL_SECONDS", 0.2)


@pytest.fixture
def installation(tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    monkeypatch.setattr(programs, "route_worker", lambda: shell("route worker", "exec sleep 60"))
    monkeypatch.setattr(programs, "upkeep_worker", lambda: shell("upkeep worker", "exec sleep 60"))
    monkeypatch.setattr(programs, "deliver_worker", lambda keys: shell(f"deliver {sorted(keys)}", "exec sleep 60"))
    monkeypatch.setattr(programs, "beat", lambda: shell("beat", "exec sleep 60"))
    monkeypatch.setattr(programs, "drain", lambda _config: shell("drain", "exec sleep 60", stays=False))
    one = Supervisor(tmp_path, tmp_path / "segsync.toml", said.append)
    yield one
    one.children.stop(grace=0)


def watch(installation: Supervisor, redis: FakeRedis, said: list[str], beginning: str) -> None:
    """Watches until it has said something that begins like this."""
    watching = threading.Thread(target=installation.watch, args=(redis, Keys("test")))
    watching.start()
    try:
        until(lambda: any(line.startswith(beginning) for line in said), lambda: f"{beginning} in {said}")
    finally:
        installation.signals.count = 1
        watching.join()


def test_when_workers_cannot_start_on_a_full_redis_it_is_drained_without_them(
    installation: Supervisor, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "route_worker", lambda: shell("route worker", "exit 1"))
    installation.start_workers(["db"])
    watch(installation, FakeRedis(99, 100, {b"db"}), said, "started drain")


def test_workers_that_die_for_another_reason_are_only_started_again(
    installation: Supervisor, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "route_worker", lambda: shell("route worker", "exit 1"))
    installation.start_workers(["db"])
    watch(installation, FakeRedis(50, 100, {b"db"}), said, "route worker died (exit status 1), starts again in 2 s")
    assert not any("drain" in line for line in said)


def test_the_connectors_of_a_new_revision_are_served(installation: Supervisor, said: list[str]) -> None:
    installation.start_workers(["db"])
    watch(installation, FakeRedis(0, 0, {b"db", b"erp"}), said, "restarted deliver ['db', 'erp']")


def test_without_connectors_nothing_is_there_to_deliver(installation: Supervisor, said: list[str]) -> None:
    installation.start_workers([])
    assert [line.split(" (")[0] for line in said] == ["started route worker", "started upkeep worker", "started beat"]


def test_flower_moves_when_somebody_else_has_taken_its_port(
    installation: Supervisor, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = iter((5555, 6001))
    monkeypatch.setattr(embedded_redis, "free_port", lambda _wanted: next(ports))
    monkeypatch.setattr(programs, "flower", lambda port: shell("flower", "exit 1" if port == 5555 else "exec sleep 60"))
    installation.start_flower()
    assert installation.flower_url == "http://127.0.0.1:5555"

    def moved() -> bool:
        installation.tend()
        return said[-1].startswith("restarted flower")

    until(moved, said)
    assert installation.flower_url == "http://127.0.0.1:6001"


def test_routing_shares_its_process_with_nothing_and_the_others_have_two_at_least(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rule 27: neither a slow target nor a slow ledger can block routing."""
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    route, deliver = programs.route_worker().command, programs.deliver_worker(["erp", "crm"]).command
    upkeep = programs.upkeep_worker().command
    assert route[route.index("-Q") + 1] == "route"
    assert upkeep[upkeep.index("-Q") + 1] == "upkeep,resync"
    assert upkeep[upkeep.index("-c") + 1] == "3"
    assert deliver[deliver.index("-Q") + 1] == "deliver.crm,deliver.erp"
    assert deliver[deliver.index("-c") + 1] == "2"
    assert route[route.index("-n") + 1] != deliver[deliver.index("-n") + 1]


def test_alerts_are_a_child_as_the_others_are(
    installation: Supervisor, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert programs.alerts().command[1:] == ["-m", "workers.cli", "alerts"]
    monkeypatch.setattr(programs, "alerts", lambda: shell("alerts", "exec sleep 60"))
    installation.start_alerts()
    assert any(line.startswith("started alerts (pid") for line in said)
