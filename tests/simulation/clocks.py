"""What the product takes for `time`, `random`, `secrets` and `threading` while it is simulated."""

from __future__ import annotations

import secrets
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tests.simulation.baton import Baton

EPOCH = 1_700_000_000.0
"""Where all clocks begin, in Unix seconds."""


class SimulatedTime:
    """The module `time`: one host's clocks, which no one sets back. What is not simulated is the real module's."""

    def __init__(self, baton: Baton) -> None:
        self._baton = baton

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    def time(self) -> float:
        return EPOCH + self._baton.now

    def time_ns(self) -> int:
        return round(self.time() * 1e9)

    def monotonic(self) -> float:
        return 1000.0 + self._baton.now

    def perf_counter(self) -> float:
        return self.monotonic()

    def clock_gettime(self, _clock: int) -> float:
        return self.monotonic()

    def gmtime(self, seconds: float | None = None) -> Any:
        return time.gmtime(self.time() if seconds is None else seconds)

    def sleep(self, seconds: float) -> None:
        if self._baton.knows_this_thread():
            self._baton.sleep(seconds)
        else:
            self._baton.sit_out()


class SimulatedSecrets:
    """The module `secrets`: drawn from the seed, so that a history is the same each time."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def __getattr__(self, name: str) -> Any:
        return getattr(secrets, name)

    def token_hex(self, count: int = 32) -> str:
        return f"{self._chance.getrandbits(8 * count):0{2 * count}x}"


class Lock:
    """A lock whose waiting hands the baton on."""

    def __init__(self, baton: Baton) -> None:
        self._baton = baton
        self._held = False

    def acquire(self) -> bool:
        while self._held:
            self._baton.wait(lambda: not self._held)
        self._held = True
        return True

    def release(self) -> None:
        self._held = False

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class Thread:
    """A thread of the process that makes it: another actor, which dies with it."""

    def __init__(self, baton: Baton, target: Callable[..., None], name: str, args: tuple[Any, ...]) -> None:
        self._baton = baton
        self._work = partial(target, *args)
        self._name = name
        self._done = False

    def start(self) -> None:
        process = self._baton.current.process
        self._baton.spawn(f"{process}.{self._name}", self._live, process)

    def is_alive(self) -> bool:
        return not self._done

    def join(self, timeout: float | None = None) -> None:
        self._baton.wait(lambda: self._done, float("inf") if timeout is None else timeout)

    def _live(self) -> None:
        try:
            self._work()
        finally:
            self._done = True


class Event:
    """A flag that can be waited for."""

    def __init__(self, baton: Baton) -> None:
        self._baton = baton
        self._is_set = False

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True

    def clear(self) -> None:
        self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        return self._baton.wait(self.is_set, float("inf") if timeout is None else timeout)


class SimulatedThreading:
    """The module `threading`: actors, and locks that hand the baton on."""

    def __init__(self, baton: Baton) -> None:
        self._baton = baton

    def __getattr__(self, name: str) -> Any:
        return getattr(threading, name)

    def Lock(self) -> Lock:  # noqa: N802 - threading's name
        return Lock(self._baton)

    RLock = Lock

    def Event(self) -> Event:  # noqa: N802 - threading's name
        return Event(self._baton)

    def Thread(  # noqa: N802 - threading's name
        self, target: Callable[..., None], name: str = "thread", args: tuple[Any, ...] = (), *, daemon: bool = True
    ) -> Thread:
        del daemon
        return Thread(self._baton, target, name, args)
