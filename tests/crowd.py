"""Many integrations on one connector, each with many lanes of which none is due yet: what a look at them costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workers.events.event import Kind
from workers.lanes import Lanes, Operation, pack
from workers.lanes.keys import Keys
from workers.lanes.lease import ROUTE
from workers.lanes.moves import Move, Run

if TYPE_CHECKING:
    from redis import Redis

CONNECTOR = "db"
TIMEOUT_MS = 3_600_000
LONG_AGO_MS = 1_700_000_000_000
AROUND = frozenset({"client", "config", "hello", "info", "script", "select"})
"""Commands by which somebody looks, or connects: the client library does so anew whenever it likes."""


class Crowd:
    """So many integrations that want everything, each with a lane for so many segments.

    The first has one lane more, which is due.
    """

    def __init__(self, client: Redis, namespace: str, integrations: int, segments: int) -> None:
        self.redis: Any = client
        self.keys = Keys(namespace)
        self.lanes = Lanes(client, namespace, 1, "crowd")
        self._names = [f"i{number:04d}" for number in range(integrations)]
        self._sent = 0
        self._configure()
        now = int(self.redis.time()[0]) * 1000
        for segment in range(segments):
            self._append(f"s{segment}", now, self._names)
        self._append("due", LONG_AGO_MS, self._names[:1])

    def tick(self) -> None:
        """Looks what must be woken, as a pulse does."""
        assert len(self.lanes.tick("t", "task").wakes) == 1
        self.redis.delete(self.keys.permits(f"deliver.{CONNECTOR}"))

    def claim(self) -> str:
        """Claims the lane that is due; the claim."""
        claimed: Any = self.lanes.claim(CONNECTOR, "token", 4)
        assert claimed.segment == "due"
        return str(claimed.claim)

    def warm_up(self) -> None:
        """Lets Redis know the scripts, and the scripts what the time is."""
        self.lanes.claim("other", "token", 4)
        self.tick()
        self.redis.hset(self.keys.seen, "clock", int(self.redis.time()[0]) * 1000 + 999)

    def _configure(self) -> None:
        self.redis.hset(self.keys.config, "revision", 1)
        self.redis.hset(self.keys.seen, "placed", 1)
        self.redis.sadd(self.keys.connectors, CONNECTOR)
        self.redis.hset(self.keys.connector(CONNECTOR), "parallelism", 4)
        with self.redis.pipeline(transaction=False) as pipe:
            for key in self._names:
                mapping = {"connector": CONNECTOR, "size": 10, "timeout": TIMEOUT_MS, "clear": 1, "active": 1}
                pipe.hset(self.keys.integration(key), mapping=mapping)
                pipe.sadd(self.keys.integrations, key)
            pipe.execute()

    def _append(self, segment: str, ms: int, integrations: list[str]) -> None:
        assert self.lanes.take_lease(ROUTE, "router", "t") is not None
        position = self.lanes.read(1).position
        self._sent += 1
        operation = Operation(ms, self._sent, 0, Kind.ADD, None, b'{"_id":"1"}')
        run = Run(segment, 1, ms, "", "", pack(None, [operation]), integrations)
        entry = f"{ms}-{self._sent}"
        assert self.lanes.append(Move("router", position, f"{entry}|0", entry, runs=[run]))


def commands(client: Redis) -> dict[str, int]:
    """How often each command was called since the last CONFIG RESETSTAT, those inside of scripts included."""
    found: Any = client.info("commandstats")
    names = {name.removeprefix("cmdstat_"): each["calls"] for name, each in found.items()}
    return {name: calls for name, calls in names.items() if name.partition("|")[0] not in AROUND}


def script_seconds(client: Redis) -> float:
    """Redis's own seconds for scripts since the last CONFIG RESETSTAT."""
    found: Any = client.info("commandstats")
    return float(found["cmdstat_evalsha"]["usec"]) / 1e6
