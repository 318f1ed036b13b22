"""A run's processes share one server, which ends when nobody uses it any more."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, ClassVar, Self

import pytest

from tests.servers.shared import SharedServers
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class FakeServer:
    """A server that notes what is done to it; its address is its number."""

    started: ClassVar[list[FakeServer]] = []

    def __init__(self) -> None:
        self.up = False
        self.number = len(self.started)

    @classmethod
    def attach(cls, address: dict[str, Any]) -> Self:
        found = cls.started[address["number"]]
        assert isinstance(found, cls)
        return found

    @property
    def address(self) -> dict[str, Any]:
        return {"number": self.number}

    @property
    def answers(self) -> bool:
        return self.up

    def start(self) -> None:
        threading.Event().wait(0.05)  # while the others ask
        self.up = True
        self.started.append(self)

    def remove(self) -> None:
        self.up = False


@pytest.fixture
def process() -> Iterator[Callable[[], SharedServers]]:
    """Makes a process' share; in the end all leave, side by side as processes do."""
    FakeServer.started.clear()
    shares: list[SharedServers] = []

    def make() -> SharedServers:
        shares.append(SharedServers())
        return shares[-1]

    yield make
    leaving = [threading.Thread(target=share.leave) for share in shares]
    for thread in leaving:
        thread.start()
    for thread in leaving:
        thread.join()


def get(shared: SharedServers, folder: Path) -> FakeServer:
    return shared.get(folder, "fake", FakeServer, FakeServer.attach)


def test_the_first_starts_it_and_the_others_find_it(process: Callable[[], SharedServers], tmp_path: Path) -> None:
    first, second = process(), process()
    assert get(first, tmp_path) is get(second, tmp_path)
    assert len(FakeServer.started) == 1


def test_it_ends_when_the_last_has_left(process: Callable[[], SharedServers], tmp_path: Path) -> None:
    first, second = process(), process()
    server = get(first, tmp_path)
    get(second, tmp_path)
    leaving = threading.Thread(target=first.leave)
    leaving.start()
    leaving.join(0.3)
    assert server.up
    second.leave()
    leaving.join()
    assert not server.up


def test_after_its_end_or_its_death_another_is_started(process: Callable[[], SharedServers], tmp_path: Path) -> None:
    early, late = process(), process()
    get(early, tmp_path)
    early.leave()
    second = get(late, tmp_path)
    second.up = False
    third = get(process(), tmp_path)
    assert [server.up for server in FakeServer.started] == [False, False, True]
    assert third is FakeServer.started[2]


def test_many_at_once_start_one(process: Callable[[], SharedServers], tmp_path: Path) -> None:
    found: list[FakeServer] = []
    threads = [threading.Thread(target=lambda: found.append(get(process(), tmp_path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    until(lambda: len(found) == 8, "eight users")
    assert len(FakeServer.started) == 1
