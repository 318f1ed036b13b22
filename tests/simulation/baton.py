"""Threads of which one runs at a time: it holds the baton, and hands it on at each call to the world outside.

Who comes next is drawn from the seed, so the same seed gives the same history. Time is the simulation's own: it goes on
a little with each step, and jumps to the next sleeper's when nobody is ready.
"""

from __future__ import annotations

import threading
import traceback
from collections import Counter
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FOREVER = float("inf")
STEP_SECONDS = (0.0002, 0.0005, 0.001, 0.004)
STUCK_SECONDS = 240.0
"""Real seconds after which a thread that should have handed the baton on is given up: no busy machine takes as long."""


class Died(BaseException):
    """The process of this actor is dead: nothing it still does has any effect. No handler of errors may catch it."""


class Stuck(Exception):
    """The history does not end: too many steps, or nobody will ever be ready again."""


class Actor:
    """One thread of one simulated process.

    ready_at  when it goes on, whatever it waits for
    waits_for if given, it goes on as soon as this is true
    """

    def __init__(self, name: str, process: str) -> None:
        self.name = name
        self.process = process
        self.gate = threading.Lock()
        self.gate.acquire()
        self.ready_at = 0.0
        self.waits_for: Callable[[], bool] | None = None
        self.dead = False
        self.calls = 0


class Baton:
    """Hands the baton round among the actors of one history.

    now      seconds since its beginning: true time, which no host's clock need show
    crashes  what ended an actor that was not to end so
    """

    def __init__(self, seed: int, most_steps: int) -> None:
        self.random = Random(seed)
        self.now = 0.0
        self.steps = 0
        self.crashes: list[str] = []
        self._most_steps = most_steps
        self._actors: list[Actor] = []
        self._alive: Counter[str] = Counter()
        self._current: Actor | None = None
        self._finished = threading.Semaphore(0)
        self._failure: Stuck | None = None
        self._threads: set[int] = set()
        self._over = threading.Event()

    @property
    def current(self) -> Actor:
        """Who holds the baton."""
        assert self._current is not None
        return self._current

    def spawn(self, name: str, work: Callable[[], None], process: str) -> Actor:
        """A new actor, which runs when its turn comes."""
        actor = Actor(name, process)
        actor.ready_at = self.now
        self._actors.append(actor)
        self._alive[process] += 1
        threading.Thread(target=self._live, args=(actor, work), name=name, daemon=True).start()
        return actor

    def knows_this_thread(self) -> bool:
        """Whether it is an actor's; others were left by somebody who used the product in this process before."""
        return threading.get_ident() in self._threads

    def sit_out(self) -> None:
        """Keeps a thread that is no actor's from doing anything until this history is over."""
        self._over.wait()

    def run(self, director: Callable[[], None]) -> None:
        """Runs until `director` ends, and ends everybody else then. Raises Stuck."""
        try:
            self._run(director)
        finally:
            self._over.set()

    def _run(self, director: Callable[[], None]) -> None:
        first = self.spawn("director", director, "director")
        self._current = first
        first.gate.release()
        if not self._finished.acquire(timeout=STUCK_SECONDS):
            raise Stuck(f"{self.current.name} does not hand the baton on")
        for actor in list(self._actors):
            actor.dead = True
            self._current = actor
            actor.gate.release()
            if not self._finished.acquire(timeout=STUCK_SECONDS):
                raise Stuck(f"{actor.name} does not end")
        if self._failure is not None:
            raise self._failure

    def step(self) -> None:
        """Before each call to the outside: others may go first. Raises Died for one whose process ended meanwhile."""
        self.sleep(0.0)

    def sleep(self, seconds: float) -> None:
        """Goes on after so long, or later."""
        self._rest(self.now + seconds, None)

    def wait(self, condition: Callable[[], bool], seconds: float = FOREVER) -> bool:
        """Goes on once this is true, or after so long; whether it is."""
        self._rest(self.now + seconds, condition)
        return condition()

    def kill(self, process: str) -> None:
        """Ends all actors of a process: each finds out at its next step."""
        for actor in self._actors:
            if actor.process == process:
                actor.dead = True
        self._alive[process] = 0

    @property
    def processes(self) -> list[str]:
        """Those with an actor that is alive."""
        return [process for process, actors in self._alive.items() if actors > 0]

    def alive(self, process: str) -> bool:
        """Whether any of its actors is."""
        return self._alive[process] > 0

    def _rest(self, until: float, condition: Callable[[], bool] | None) -> None:
        me = self.current
        if me.dead:
            raise Died
        me.ready_at, me.waits_for = until, condition
        self._hand_on(me)
        if me.dead:
            raise Died

    def _hand_on(self, me: Actor | None) -> None:
        following = self._choose()
        if following is None:
            self._finished.release()
        elif following is me:
            return
        else:
            self._current = following
            following.gate.release()
        if me is not None:
            me.gate.acquire()

    def _choose(self) -> Actor | None:
        """Who comes next; None where this history is over."""
        if self._failure is not None:
            return None
        self.steps += 1
        self.now += self.random.choice(STEP_SECONDS)
        ready = self._ready()
        if not ready:
            self.now = max(self.now, min(actor.ready_at for actor in self._actors))
            ready = self._ready()
        if not ready or self.now == FOREVER:
            self._failure = Stuck("nobody will ever be ready again")
        elif self.steps > self._most_steps:
            self._failure = Stuck(f"no end after {self.steps:,} steps, {self.now:.0f} s")
        else:
            return ready[0] if len(ready) == 1 else self.random.choice(ready)
        return None

    def _ready(self) -> list[Actor]:
        now = self.now
        return [
            actor
            for actor in self._actors
            if actor.ready_at <= now or actor.dead or (actor.waits_for is not None and actor.waits_for())
        ]

    def _live(self, actor: Actor, work: Callable[[], None]) -> None:
        self._threads.add(threading.get_ident())
        actor.gate.acquire()
        try:
            if not actor.dead:
                work()
        except Died:
            pass
        except BaseException:  # noqa: BLE001 - a thread that ends without a word would hang the history
            self.crashes.append(f"{actor.name}: {traceback.format_exc()}")
        self._threads.discard(threading.get_ident())
        self._actors.remove(actor)
        self._alive[actor.process] -= 1
        if actor.name == "director" or (actor.dead and self._is_over):
            self._is_over = True
            self._finished.release()
        else:
            self._hand_on(None)

    _is_over = False
