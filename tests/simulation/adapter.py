"""The only file of the simulation that knows the product's classes: when they change, this changes.

Processes and commands are told here in the simulation's words; what is read of their state stands in readings.py.
"""

from __future__ import annotations

import random
import secrets
import sqlite3
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redis

from segsync import Producer, PushFailed
from tests.simulation import store
from tests.simulation.clocks import SimulatedSecrets, SimulatedThreading, SimulatedTime
from tests.simulation.plans import NAMESPACE
from tests.simulation.readings import KEYS
from tests.simulation.target import SimulatedConnector
from workers import connectors
from workers import runtime as runtime_module
from workers.control import apply, pause
from workers.delivery import shipping, together
from workers.delivery.turn import Failed, NothingDue
from workers.errors import SegsyncError, Stale
from workers.events.usual import usual
from workers.lanes import bell
from workers.lanes.store import SCRIPTS
from workers.ledger import database
from workers.ledger.database import Ledger, Writer
from workers.ledger.engine import engine_of
from workers.ledger.errors import LedgerError
from workers.ledger.tables import identity, metadata
from workers.quarantine import entries, requeue
from workers.routing import entry, router
from workers.routing.entry import read_part
from workers.runtime import Runtime
from workers.settings import Settings, from_published, load, revision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulation.store import RealRedis, SimulatedRedis
    from tests.simulation.world import World

TASK_SECONDS = 2.0
UPKEEP_SECONDS = 1.0
REST_SECONDS = 1.0
LEDGER_REST_SECONDS = 10.0
EXPECTED = (redis.RedisError, SegsyncError)
"""What a task may end with: Celery notes it, and the next wake-up goes on."""


def name_scripts() -> None:
    """Lets histories call the lanes' scripts by their names."""
    folder = Path(runtime_module.__file__).parent / "lanes" / "scripts"
    for path in folder.glob("*.lua"):
        if path.stem in SCRIPTS:
            store.NAMES[path.read_text()] = path.stem


@cache
def _settings(text: str, folder: str) -> Settings:
    path = Path(folder) / "segsync.toml"
    path.write_text(text)
    return load(path)


_from_published = cache(from_published)
# One for all processes of all histories: it opens a connection for each use, and keeps the compiled statements alone.
_engine_of = cache(engine_of)


def queues(worker: int, workers: int) -> tuple[str, ...]:
    """What a worker serves, by the beginnings of queues' names, as `segsync up` and compose have it.

    Where there are few of them each serves everything.
    """
    kinds = ("route", "upkeep", "deliver.")
    return (kinds[min(worker, 2)],) if workers >= len(kinds) else kinds


class Place:
    """What histories share, one after the other: a folder, an empty ledger, a Redis."""

    def __init__(self, folder: Path, real: RealRedis) -> None:
        self.folder = folder
        self.real = real
        name_scripts()

    def reset(self) -> None:
        """As new."""
        self.real.reset()
        path = self.folder / "ledger.db"
        if not path.exists():
            Ledger(f"sqlite:///{path}").upgrade()
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            for table in set(metadata.tables) - {identity.name}:  # who wrote to it, too: it remembers an emptied Redis
                connection.execute(f"DELETE FROM {table}")
        connection.close()


@contextmanager
def simulated(world: World) -> Iterator[None]:
    """Within it the product takes the simulation for the world."""
    chance = random.Random(world.plan.seed)
    instead = {
        id(time): SimulatedTime(world.baton),
        id(random): chance,
        id(secrets): SimulatedSecrets(chance),
        id(threading): SimulatedThreading(world.baton),
    }
    before: list[tuple[Any, str, Any]] = []
    connect, shipment = connectors.connect, shipping.shipment

    def put(owner: Any, name: str, value: Any) -> None:
        before.append((owner, name, getattr(owner, name)))
        setattr(owner, name, value)

    for module in [each for name, each in sys.modules.items() if name.startswith("workers.")]:
        for name, value in list(vars(module).items()):
            if id(value) in instead:
                put(module, name, instead[id(value)])
            elif value is shipment:
                put(module, name, _deadly(world, value))
            elif value is connect:
                put(module, name, lambda target: SimulatedConnector(world.targets[target.key]))
    put(revision, "from_published", _from_published)
    put(database, "engine_of", _engine_of)
    # As after many lanes that were served fast, whatever befalls them here.
    put(together, "FIRST", 8)
    put(together, "PACE_SECONDS", 60.0)
    put(entry, "read_part", _deadly_to_read(world, read_part))
    put(router, "usual", _deadly_to_look_at(world, usual))
    put(Ledger, "upgrade", lambda _: world.before(_refused(world, "look")))
    put(Writer, "write", _written(world, Writer.write))
    try:
        yield
    finally:
        for owner, name, value in reversed(before):
            setattr(owner, name, value)


def _deadly(world: World, ship: Any) -> Any:
    """Some operations end whichever process ships them."""

    def shipped(integration: Any, segment: str, batch: Any, **more: Any) -> Any:
        bodies = [each.operation.body for each in (*batch.members, *batch.rejected)]
        for name in world.plan.killers:
            if any(f'"op":"{name}"'.encode() in body for body in bodies):
                world.tell(f"renders {name}")
                world.die()
        return ship(integration, segment, batch, **more)

    return shipped


def _deadly_to_read(world: World, read: Any) -> Any:
    """Some events end whichever process reads them, until that is mended."""

    def read_it(entry: Any, part: int) -> Any:
        _die_of(world, entry.parts[part])
        return read(entry, part)

    return read_it


def _deadly_to_look_at(world: World, look: Any) -> Any:
    """The same, before anything else is done with them."""

    def look_at_it(data: bytes) -> Any:
        _die_of(world, data)
        return look(data)

    return look_at_it


def _die_of(world: World, data: bytes) -> None:
    if any(f'"at":"{name}"'.encode() in data for name in world.plan.deadly if not world.is_mended):
        world.die()


def _refused(world: World, what: str) -> str:
    fate = world.ledger_fate()
    if fate == "lost":
        raise LedgerError("sim", f"away at {what}")
    return fate


def _written(world: World, write: Any) -> Any:
    def written(self: Any, records: Any) -> Any:
        fate = _refused(world, "write")
        done = write(self, records)
        if fate == "unanswered":
            raise LedgerError("sim", "the link was lost after a write")
        world.after(fate)
        return done

    return written


class Process:
    """One worker's process, or that of a pulse, beat or person."""

    def __init__(self, world: World, client: SimulatedRedis, local: Any) -> None:
        self.world = world
        self.runtime = Runtime(local)
        self.runtime.redis = client
        self.stale = 0

    def serve(self, queue: str, token: str) -> None:
        """A task, from the message that a worker took; as in tasks/."""
        kind, _, connector = queue.partition(".")
        try:
            if kind == "route":
                self.runtime.route(token, TASK_SECONDS)
                self.wake("task")
            elif kind == "deliver":
                self._deliver(connector, token, queue)
            else:
                self._upkeep(token)
            self.stale = 0
        except EXPECTED as error:
            self.world.tell(f"task {queue} ends: {type(error).__name__}: {error}")
            self._count_stale(error)

    def _deliver(self, connector: str, token: str, queue: str) -> None:
        result = self.runtime.deliver(connector, token, TASK_SECONDS)
        if not isinstance(result, NothingDue):
            self.runtime.lanes.give_back(queue, token)
        if isinstance(result, Failed):
            self.world.tell(f"failed {result}")
        self.wake("task")

    def _upkeep(self, token: str) -> None:
        self.runtime.upkeep(token, UPKEEP_SECONDS, rest=REST_SECONDS, rest_of_ledger=LEDGER_REST_SECONDS)
        self.wake("task")

    def _count_stale(self, error: Exception) -> None:
        self.stale = self.stale + 1 if isinstance(error, Stale) else 0
        if self.stale > 5:
            self.world.violation("a process is stale for good: it follows no revision any more")

    def wake(self, who: str) -> float:
        """Sends wake-ups for what is due; seconds until the next look."""
        tick = self.runtime.tick(who)
        for wake in tick.wakes:
            if len(self.world.messages.get(wake.queue, ())) < wake.limit:
                self.world.send(wake.queue, wake.token)
        return float(tick.sleep_ms) / 1000

    def publish(self, settings: Settings) -> None:
        """What `segsync apply` does."""
        revision.publish(self.runtime.redis, KEYS, settings)
        bell.ring(self.runtime.redis, KEYS)

    def drop_integration(self, settings: Settings, key: str) -> None:
        """`segsync apply --drop`."""
        client = self.runtime.redis
        apply.carry_out(client, KEYS, apply.plan(client, KEYS, settings, drop=[key]), patience=60.0)

    def pause(self, key: str) -> None:
        """`segsync pause`."""
        pause.pause(self.runtime.redis, KEYS, key, patience=60.0)

    def resume(self, key: str) -> None:
        """`segsync resume`."""
        pause.resume(self.runtime.redis, KEYS, key)

    def retry(self) -> None:
        """`segsync quarantine retry` of all that is open."""
        self._try_to_write_outcomes()
        requeue.retry(self.runtime.ledger, self.runtime.lanes, KEYS, entries.Selection(), "person")

    def drop_entries(self) -> None:
        """`segsync quarantine drop` of all that is open."""
        self._try_to_write_outcomes()
        requeue.drop(self.runtime.ledger, self.runtime.lanes, entries.Selection(), "person")

    def _try_to_write_outcomes(self) -> None:
        self.runtime.drain_outcomes(60.0)


def client_of(world: World) -> SimulatedRedis:
    """A Redis client of one process."""
    return store.SimulatedRedis(world.real, world.befall, world.clock_us)


def start(world: World, place: Place) -> Process:
    """A process that has just started."""
    local = settings_of(world, place).local
    return Process(world, client_of(world), local)


def settings_of(world: World, place: Place, **changes: Any) -> Settings:
    """The plan's configuration, with changes."""
    return _settings(replace(world.plan.settings, **changes).text(str(place.folder)), str(place.folder))


def producer(world: World) -> Producer:
    """A client as a platform uses it."""
    return Producer(namespace=NAMESPACE, client=client_of(world))


PUSH_FAILED = PushFailed
