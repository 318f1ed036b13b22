"""One contestant, one load, one empty table: how long until the rows are there, and whether they are right."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from tests.bench.report import loads
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.bench.report.loads import Load
    from tests.targets import TargetDatabase

LONGEST_SECONDS = 1_200.0
"""A run that takes longer hangs."""
GONE_QUIET_SECONDS = 3.0
"""So long without a change, the table is as it will be."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run happens: an empty table, a Redis database that is empty, and a folder."""

    target: TargetDatabase
    redis_url: str
    folder: Path


class Batch(Protocol):
    """What is started for a load, and ends with it: a driver, a loader."""

    title: str

    def run(self, place: Place, load: Load) -> float:
        """Seconds that it took."""


class Service(Protocol):
    """What runs all the time, and takes events as they come."""

    title: str

    def start(self, place: Place) -> None:
        """Starts its processes; returns when they take events."""

    def push(self, events: list[dict[str, Any]]) -> None:
        """Puts events into its intake."""

    def idle(self) -> bool:
        """Whether its intake and queues are empty; a cheap look."""

    def rests(self) -> bool:
        """Whether it has nothing left to do at all."""

    def groups(self) -> list[int]:
        """Its process groups."""

    def stop(self) -> None:
        """Ends it."""


def serve(service: Service, place: Place, load: Load, spent: Callable[[], None] = lambda: None) -> float:
    """Seconds from a filled intake to rows, by processes that are warm.

    They deliver a few events first, are stopped where they stand (SIGSTOP), and go on when the intake is full.
    `spent` is called right before they go on, and right after the last row.
    """
    service.start(place)
    warm = loads.warm_up()
    service.push(warm.events)
    table = Table(place.target)
    try:
        until(lambda: table.count() == len(warm.rows) and service.rests(), "what warms it up", LONGEST_SECONDS)
        _signal(service, signal.SIGSTOP)
        place.target.run("DELETE FROM member")
        service.push(load.events)
        rows = len(load.rows)
        spent()
        started = time.perf_counter()
        _signal(service, signal.SIGCONT)
        until(service.idle, "an empty intake", LONGEST_SECONDS)
        took = table.settled(rows, started)
        spent()
        return took
    finally:
        table.close()


class Table:
    """Looks at the target over one link."""

    def __init__(self, target: TargetDatabase, name: str = "member") -> None:
        self._connection = target.connect()
        self._cursor = self._connection.cursor()
        self._asked = f"SELECT count(*) FROM {name}"

    def count(self) -> int:
        """Its rows."""
        self._cursor.execute(self._asked)
        return int(self._cursor.fetchone()[0])

    def settled(self, rows: int, started: float, pause: float = 0.01) -> float:
        """Seconds since `started` at which it had so many rows, or, where it never has, at which it last changed."""
        last, at = -1, started
        while True:
            count = self.count()
            now = time.perf_counter()
            if count != last:
                last, at = count, now
            if count == rows or now - at > GONE_QUIET_SECONDS:
                return at - started
            time.sleep(pause)

    def close(self) -> None:
        """Closes the link."""
        self._connection.close()


def _signal(service: Service, number: signal.Signals) -> None:
    for group in service.groups():
        os.killpg(group, number)
