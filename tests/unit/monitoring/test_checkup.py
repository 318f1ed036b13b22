"""What would bite in production, as it is told."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from workers.lanes.keys import Keys
from workers.monitoring import checkup
from workers.monitoring.consumers import Consumers
from workers.presence import Worker

GOOD = {
    "redis_version": "7.4.1",
    "maxmemory_policy": "noeviction",
    "aof_enabled": 1,
    "maxmemory": 2**30,
    "role": "master",
}
KEYS = Keys("segsync")


class Told:
    """A Redis that tells what a test wants it to."""

    def __init__(self, info: dict[str, Any], streams: tuple[bytes, ...] = (), ahead_s: float = 0.0) -> None:
        self._info, self._streams, self._ahead_s = info, streams, ahead_s

    def info(self) -> dict[str, Any]:
        return self._info

    def time(self) -> tuple[int, int]:
        return int(time.time() + self._ahead_s), 0

    def scan(self, *_: object, **__: object) -> tuple[int, list[bytes]]:
        return 0, list(self._streams)

    def exists(self, key: str) -> int:
        return int(key == "staging:config")


def marks(info: dict[str, Any], **more: Any) -> dict[str, str]:
    redis: Any = Told(GOOD | info, **more)
    return {step.name: step.mark for step in checkup.of_redis(redis, KEYS) if step.mark != "fine"}


def test_a_redis_as_it_should_be_is_fine() -> None:
    assert marks({}) == {}
    assert marks({}, streams=(b"segsync:events", b"staging:events")) == {}, "another installation's is read"


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({"redis_version": "6.0.16"}, {"redis version": "mistake"}),
        ({"maxmemory_policy": "allkeys-lru"}, {"eviction": "mistake"}),
        ({"aof_enabled": 0}, {"persistence": "warning"}),
        ({"maxmemory": 0}, {"memory": "warning"}),
        ({"role": "slave"}, {"role": "mistake"}),
        ({"cluster_enabled": 1}, {"role": "mistake"}),
    ],
)
def test_each_fault_of_redis_is_told(info: dict[str, Any], expected: dict[str, str]) -> None:
    assert marks(info) == expected


def test_a_clock_that_is_off_is_told_with_its_direction() -> None:
    redis: Any = Told(GOOD, ahead_s=120)
    (clock,) = [step for step in checkup.of_redis(redis, KEYS) if step.name == "clock"]
    assert clock.mark == "warning"
    assert "s behind Redis's" in clock.what


@pytest.mark.parametrize("name", [b"segsync:0:events", b"segsync:event", b"SEGSYNC:events"])
def test_a_stream_that_nobody_reads_is_named(name: bytes) -> None:
    redis: Any = Told(GOOD, streams=(b"segsync:events", name))
    (step,) = [step for step in checkup.of_redis(redis, KEYS) if step.name == "stray streams"]
    assert step.mark == "warning"
    assert step.what.startswith(f"{name.decode()}: nobody reads")


LEDGER = Path("segsync.db")


def of_workers(names: tuple[str, ...], queues: dict[str, int], ledger: Path | None = LEDGER) -> dict[str, str]:
    found = checkup.of_workers(Consumers(len(names), queues, names), ["route", "deliver.crm"], ledger)
    return {step.name: step.what for step in found if step.mark == "mistake"}


SERVED = {"route": 1, "deliver.crm": 1}


def test_workers_as_they_should_be_are_fine() -> None:
    assert of_workers(("a@one", "b@one"), SERVED) == {}
    assert of_workers(("a@one", "a@two"), SERVED, None) == {}


def test_a_queue_that_nobody_serves_is_named() -> None:
    assert of_workers(("a@one",), {"route": 1})["queues"].startswith("no worker serves deliver.crm")


def test_two_workers_of_one_name_are_told() -> None:
    assert "called a@one" in of_workers(("a@one", "a@one"), SERVED)["worker names"]


def test_a_ledger_in_a_file_with_workers_on_two_hosts_is_told() -> None:
    assert "one, two" in of_workers(("a@one", "a@two"), SERVED)["ledger's place"]


def test_files_that_others_may_read_or_write_are_named(tmp_path: Path) -> None:
    secret, written = tmp_path / "password", tmp_path / "segsync.toml"
    secret.write_text("x")
    written.write_text("")
    secret.chmod(0o600)
    written.chmod(0o644)
    assert [step.mark for step in checkup.of_files([secret, tmp_path / "absent"], [written])] == ["fine"]
    secret.chmod(0o644)
    written.chmod(0o664)
    told = [step.what for step in checkup.of_files([secret], [written])]
    assert [what.partition(" can be ")[2].partition(" by")[0] for what in told] == ["read or written", "written"]


def test_a_worker_s_clock_that_is_off_is_told_with_its_host() -> None:
    there = [Worker("a@one", (), -0.4), Worker("b@two", (), 3_600.0), Worker("c@three", (), -61.0)]
    found = [(step.mark, step.what) for step in checkup.of_clocks(there)]
    assert [mark for mark, _ in found] == ["warning", "warning"]
    assert "that of three is 61 s behind" in found[0][1]
    assert "that of two is 3,600 s ahead of" in found[1][1]
    assert [step.mark for step in checkup.of_clocks(there[:1])] == ["fine"]
    assert list(checkup.of_clocks([])) == []
