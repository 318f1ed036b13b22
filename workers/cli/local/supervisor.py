"""The processes of one installation, as `up` and `demo` run them."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from redis import RedisError

from workers.cli.local import embedded_redis, programs
from workers.cli.local.children import Child, Children
from workers.lanes.answers import members_of
from workers.lanes.server_info import read_info

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from redis import Redis

    from workers.cli.local.children import Program
    from workers.lanes.keys import Keys

FLOWER_PORT: Final = 5555
CONSOLE_PORT: Final = 8080
LOOK_EVERY_SECONDS: Final = 0.1
FOLLOW_EVERY: Final = 2.0
"""Seconds between two looks at the applied connectors, as workers take a new revision within seconds."""
FULL: Final = 0.98
"""The share of maxmemory from which on Redis refuses now and then."""
FULL_SECONDS: Final = 6.0
"""For so long workers that share it with Celery are given to make room themselves: they may die of it, or hang on."""


def _nothing() -> None:
    """Does nothing."""


@dataclass(slots=True)
class Signals:
    """Requests to end: the first one is for good order, the second for haste."""

    count: int = 0

    def listen(self) -> None:
        """From now on SIGINT and SIGTERM are counted, and do nothing else."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)

    def _note(self, *_: object) -> None:
        self.count += 1

    def hurry(self) -> bool:
        """Whether it was asked for twice."""
        return self.count > 1


@dataclass(slots=True)
class Supervisor:
    """Redis, workers, beat, alerts, Flower and the console as children.

    folder  where embedded data and logs are
    config  the file that all of them work by, absolute
    say     told one line for each event
    """

    folder: Path
    config: Path
    say: Callable[[str], None]
    signals: Signals = field(default_factory=Signals)
    children: Children = field(init=False)
    flower_url: str = ""
    console_url: str = ""
    _flower: Child | None = None
    _deliver: Child | None = None
    _drain: Child | None = None
    _served: frozenset[str] = frozenset()
    _followed: float = 0.0
    _room_seen: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.children = Children(self.say)

    def start_redis(self, port: int) -> str:
        """Starts a Redis of our own and has us and all children use it; returns its URL. ChildFailed."""
        server = embedded_redis.child(self.folder, port, os.environ)
        self.children.start(server)
        embedded_redis.wait_until_ready(server, port)
        os.environ["SEGSYNC_REDIS_URL"] = embedded_redis.url(port)
        return embedded_redis.url(port)

    def start_workers(self, connectors: Collection[str]) -> None:
        """Starts the workers and beat."""
        self.children.start(self._child(programs.route_worker()))
        self.children.start(self._child(programs.upkeep_worker()))
        self._serve(frozenset(connectors))
        self.children.start(self._child(programs.beat()))

    def start_alerts(self) -> None:
        """Starts what tells of trouble."""
        self.children.start(self._child(programs.alerts()))

    def start_flower(self) -> None:
        """Starts Flower, on 5555 if that is free; `flower_url` says where."""
        self._flower = self._child(programs.flower(self._flower_port()))
        self.children.start(self._flower)
        self.say(f"Flower is at {self.flower_url}")

    def start_console(self) -> None:
        """Starts the console, on 8080 if that is free; `console_url` says where."""
        port = embedded_redis.free_port(CONSOLE_PORT)
        self.console_url = f"http://{embedded_redis.HOST}:{port}/"
        self.children.start(self._child(programs.console(self.config, port)))
        self.say(f"console is at {self.console_url}")

    def tend(self) -> list[Child]:
        """Starts again what has died and had its pause; returns what has died just now."""
        died = self.children.look()
        if self._flower in died:
            # Somebody may have taken its port between our look and its start.
            self._flower.program = programs.flower(self._flower_port())
            self.say(f"Flower will be at {self.flower_url}")
        return died

    def watch(self, redis: Redis, keys: Keys, besides: Callable[[], object] = _nothing) -> None:
        """Until a signal: tends all, follows the applied connectors, drains a Redis that is full.

        besides  what else is done at each look
        """
        while not self.signals.count:
            self.tend()
            besides()
            # Ours is being started again; another is somebody else's, and the workers wait for it.
            with suppress(RedisError):
                self._follow(redis, keys)
            time.sleep(LOOK_EVERY_SECONDS)

    def stop(self) -> None:
        """Ends all of them in good order; at once after a second signal."""
        self.children.stop(self.signals.hurry)

    def _child(self, program: Program) -> Child:
        return Child(program, self.folder, os.environ | {"SEGSYNC_CONFIG": str(self.config)})

    def _flower_port(self) -> int:
        port = embedded_redis.free_port(FLOWER_PORT)
        self.flower_url = f"http://{embedded_redis.HOST}:{port}"
        return port

    def _follow(self, redis: Redis, keys: Keys) -> None:
        if time.monotonic() - self._followed >= FOLLOW_EVERY:
            self._followed = time.monotonic()
            self._serve(frozenset(members_of(redis, keys.connectors)))
            if not _is_full(redis):
                self._room_seen = time.monotonic()
            elif time.monotonic() - self._room_seen > FULL_SECONDS:
                self._start_drain()

    def _serve(self, connectors: frozenset[str]) -> None:
        """Has the queues of these connectors served, and no others."""
        if connectors == self._served or not connectors:
            return
        self._served = connectors
        program = programs.deliver_worker(connectors)
        if self._deliver is None:
            self._deliver = self._child(program)
            self.children.start(self._deliver)
        else:
            self.say(f"the connectors are now {', '.join(sorted(connectors))}: the deliver worker starts again")
            self._deliver.renew(program)

    def _start_drain(self) -> None:
        if self._drain is None:
            self._drain = self._child(programs.drain(self.config))
        if self._drain.pid is None:
            self.say("Redis is full, and workers that share it with Celery cannot work: draining it without them")
            self.children.start(self._drain)


def _is_full(redis: Redis) -> bool:
    memory = read_info(redis, "memory")
    return bool(memory.limit) and memory.used >= memory.limit * FULL
