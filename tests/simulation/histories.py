"""Runs one seed; shrinks one that fails."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers.redis import RedisServer
from tests.simulation.adapter import Place, simulated
from tests.simulation.baton import Stuck
from tests.simulation.judge import first_words, judge
from tests.simulation.people import Cast
from tests.simulation.store import RealRedis
from tests.simulation.watching import watch
from tests.simulation.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.simulation.plans import Plan


MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
"""Where a ledger is written to the disk for nothing."""


@dataclass(frozen=True, slots=True)
class History:
    """How one seed went.

    wrong  violations; none: all is well
    met    misfortunes, incidents and events that happened
    told   the history line by line, where it was traced
    """

    plan: Plan
    wrong: list[str]
    met: list[str]
    told: list[str]
    steps: int
    seconds: float

    @property
    def kinds(self) -> set[str]:
        """What kinds of violation they are."""
        return {first_words(what) for what in self.wrong}


@contextmanager
def a_place() -> Iterator[Place]:
    """A Redis and a folder for histories, one after the other."""
    folder = Path(tempfile.mkdtemp(prefix="segsync-sim-", dir=MEMORY if MEMORY.is_dir() else None))
    socket = str(folder / "redis.sock")
    server = RedisServer({"appendonly": "no", "unixsocket": socket})
    try:
        server.start()
        yield Place(folder, RealRedis(socket))
    finally:
        server.remove()
        shutil.rmtree(folder, ignore_errors=True)


def run(plan: Plan, place: Place, *, tracing: bool = False) -> History:
    """One history, from its beginning to its end."""
    place.reset()
    world = World(plan, place.real, tracing=tracing)
    cast = Cast(world, place)
    watch(world, cast)
    stuck: list[str] = []
    with simulated(world):
        try:
            world.baton.run(cast.direct)
        except Stuck as error:
            stuck = [f"stuck: {error}"]
    wrong = [*stuck, *judge(world, cast)]
    return History(plan, wrong, world.fates.met, world.told, world.baton.steps, world.baton.now)


def shrink(
    failed: History, place: Place, tries: int, kind: str = "", tell: Callable[[str], None] = lambda _: None
) -> History:
    """A history with fewer misfortunes, incidents and events that fails in one of the same ways.

    tries  histories that it may take
    kind   text in the kinds of violation that are meant; "" for all
    """
    best, wanted = failed, {each for each in failed.kinds if kind in each}
    parts = 2
    while parts <= max(2, len(best.met)) and tries > 0:
        atoms = best.met
        size = -(-len(atoms) // parts)
        for first in range(0, len(atoms), size):
            tries -= 1
            found = run(best.plan.leaving_out(atoms[first : first + size]), place)
            if found.kinds & wanted:
                best, parts = found, max(2, parts - 1)
                tell(f"{len(best.met)} left")
                break
            if tries <= 0:
                break
        else:
            if parts >= len(best.met):
                break
            parts = min(len(best.met), parts * 2)
    return best
