"""segsync as a contestant: the processes that the README advises, each with a name, so that its cost is known."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from tests.bench.report.processes import cpu_seconds
from tests.installation import Installation
from workers.settings import load, revision

if TYPE_CHECKING:
    from tests.bench.report.contest import Place
    from tests.bench.servers import Servers
    from tests.installation import Process

CROWD = {"route": 1, "upkeep": 1, "deliver": 2}
"""Processes of each worker."""
BATCH = '{ size = 1000, timeout = "1s" }'


class Ours:
    """One installation.

    text   its connectors and integrations; left out, one of each, that want everything
    crowd  processes of each worker, by name; `deliver` serves every connector
    """

    title = "segsync"

    def __init__(self, text: str = "", crowd: dict[str, int] | None = None) -> None:
        self._text = text
        self._crowd = CROWD if crowd is None else crowd
        self.workers: dict[str, Process] = {}

    def start(self, place: Place) -> None:
        """Its workers, and beat."""
        self.configure(place)
        for name, count in self._crowd.items():
            self.add_worker(name, count)
        self.workers["beat"] = self.installation.beat()
        self.installation.ready()

    def configure(self, place: Place) -> None:
        """Applies its file, and starts nothing."""
        self.installation = Installation(place.folder, place.redis_url, f"bench_{secrets.token_hex(4)}")
        target = place.target
        self.installation.configure(self._text or target.connector(parallelism=8) + target.integration(batch=BATCH))
        revision.publish(self.installation.redis, self.installation.keys, load(self.installation.file))

    def add_worker(self, name: str, count: int, queues: str = "") -> None:
        """One worker of so many processes; one whose name begins with `deliver` serves all connectors."""
        if not queues and name.startswith("deliver"):
            connectors = load(self.installation.file).connectors
            queues = ",".join(f"deliver.{connector}" for connector in connectors)
        self.workers[name] = self.installation.worker("-Q", queues or name, name=name, concurrency=count)

    def push(self, events: list[dict[str, Any]]) -> None:
        """As a platform does."""
        self.installation.producer.push(events)

    def idle(self) -> bool:
        """Whether the intake and all lanes are empty."""
        return not (self.installation.redis.xlen(self.installation.keys.events) or self.installation.backlog())

    def rests(self) -> bool:
        """Whether the ledger has been told of everything, too: its first record takes long, as it makes its tables."""
        return self.idle() and self.installation.settled()

    def groups(self) -> list[int]:
        """Of its workers and beat."""
        return [process.pid for process in self.workers.values()]

    def stop(self) -> None:
        """Ends it, and forgets what it left in Redis."""
        self.installation.stop()
        self.installation.redis.flushdb(asynchronous=True)  # a million lanes take longer than a client waits

    def spent(self, servers: Servers) -> dict[str, float]:
        """Processor seconds so far of each worker, of beat, of Redis and of PostgreSQL."""
        pids = {name: process.pid for name, process in self.workers.items()}
        pids |= {"redis": servers.redis.pid, "postgresql": servers.postgresql.pid}
        return {name: cpu_seconds(pid) for name, pid in pids.items()}
