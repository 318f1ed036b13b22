"""An installation that a fault happens to, worked on in the test's own process as workers would."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from redis import RedisError

from tests.integration.place import integration
from workers.cli.commands.status import exit_status
from workers.control import apply as applying
from workers.control.drain import drain
from workers.lanes.clock import redis_ms
from workers.monitoring import status
from workers.monitoring.consumers import Consumers

if TYPE_CHECKING:
    from tests.integration.place import Place
    from workers.control.drain import DrainReport
    from workers.monitoring.whole import Status
    from workers.runtime import Runtime

LONG_MS = 600_000
"""As if it had lasted for so long."""


class Scene:
    """One installation: `place` holds its file, its target and its Redis."""

    def __init__(self, place: Place, *integrations: str, more: str = "") -> None:
        self.place = place
        place.wait = "1s"  # some of its targets are locked for good
        self.integrations = integrations or (integration(),)
        self.runtime: Runtime = place.publish(*self.integrations, more)
        self.served: dict[str, int] = {"route": 1, "upkeep": 1, "deliver.db": 1, "deliver.other": 1}
        self.hold: sqlite3.Connection | None = None
        self.pushed = 0

    def look(self, many: int = 10_000) -> Status:
        """What `status` would show; workers and beat are there and have looked."""
        with suppress(RedisError):  # nobody can look where Redis refuses it
            self.runtime.looked("pulse")
            self.runtime.looked("beat")
        return status.read(self.runtime, lambda: Consumers(2, self.served), many=many, patience=0)

    def exit_status(self) -> int:
        """What `status` would end with."""
        return exit_status(self.look())

    def push(self, count: int = 10, segment: str = "7") -> None:
        """That many new profiles come in and are routed."""
        self.place.add(segment, count, self.pushed)
        self.pushed += count
        self.runtime.route("t", 5)

    def work(self) -> DrainReport:
        """Workers do what is due, once; whatever waits for a timeout is due by then."""
        self.place.let_timeouts_pass()
        return drain(self.runtime)

    def try_at_once(self) -> DrainReport:
        """Whatever waits for its next try is tried."""
        from workers.control.retry import retry  # noqa: PLC0415 - beside `drain`, what a person would do

        retry(self.place.redis, self.place.keys, "crm")
        return self.work()

    def age(self) -> None:
        """Whatever fails or waits has done so for ten minutes."""
        redis, keys = self.place.redis, self.place.keys
        then = redis_ms(redis) - LONG_MS
        for name, fields in (
            (keys.lane("crm", "7"), ("failing", "head")),
            (keys.connector("db"), ("open_since",)),
            (keys.connector("other"), ("open_since",)),
        ):
            for field in fields:
                if redis.hexists(name, field):
                    redis.hset(name, field, then)

    def apply(self, *integrations: str, accept: bool = False) -> None:
        """Publishes another file; the workers follow."""
        settings = self.place.write(*integrations)
        plan = applying.plan(self.place.redis, self.place.keys, settings)
        applying.carry_out(self.place.redis, self.place.keys, plan, accept=accept)
        self.runtime.follow()

    def sql(self, statement: str) -> None:
        """On the target."""
        with closing(sqlite3.connect(self.place.target)) as target:
            target.execute(statement)
            target.commit()
