"""What is looked at while a history goes on: holds, logins, and work that leads nowhere."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from tests.simulation import readings

if TYPE_CHECKING:
    from tests.simulation.people import Cast
    from tests.simulation.world import World

LOGINS = 6
LOGINS_SECONDS = 50.0
"""A wrong password is tried every five minutes, by each of the few processes that try at once."""
REFUSALS = 100
REFUSALS_SECONDS = 5.0
"""Askings for a lease that is another's: more than these is a process that spins."""
LATE_LOOK_SECONDS = 1.0
LATE_INTAKE_MS = 4_000
LATE_LANE_MS = 15_000
ROUTER = "worker-0"
"""Whose processes route, where there are more than two workers; what their other threads repeat holds up no event."""


def watch(world: World, cast: Cast) -> None:
    """Looks after calls from now on."""
    del cast
    world.watchers += [_Holds(world).look, _Spins(world).look, _Logins(world).look, _Late(world).look]


class _Holds:
    """A hold has a cause in what was tried, and is lifted by what shows that the cause is gone, or by a person."""

    LOOKS = ("settle", "release", "circuit")

    def __init__(self, world: World) -> None:
        self._world = world
        self._held: dict[str, bool] = {}
        self._failovers = 0

    def look(self, what: str, _: Any) -> None:
        # What a person does, and a Redis that is lost with what it was told last, lifts it as well.
        if what == "PIPELINE" or self._failovers != self._world.failovers:
            self._held, self._failovers = {}, self._world.failovers
        if what not in self.LOOKS:
            return
        held = readings.holds(self._world.real.peek())
        for place, now in held.items():
            before = self._held.get(place, now)
            if now and not before:
                self._set(place)
            if before and not now:
                self._lifted(place, what)
        self._held = held

    def _set(self, place: str) -> None:
        kind, _, key = place.partition(" ")
        if kind == "connector" and not self._world.targets[key].refused_logins:
            self._world.violation("a connector is held that has refused nobody")

    def _lifted(self, place: str, what: str) -> None:
        kind, _, key = place.partition(" ")
        if kind == "connector" and self._world.targets[key].wrong_password:
            self._world.violation(f"a connector's hold is lifted by {what} while its password is still refused")


class _Spins:
    """While another has a lease, or seems to, nobody asks for it more often than a few times a second."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._refused: deque[float] = deque(maxlen=REFUSALS)

    def look(self, what: str, reply: Any) -> None:
        if what == "lease" and reply[0] == b"busy":
            now = self._world.baton.now
            self._refused.append(now)
            if len(self._refused) == REFUSALS and now - self._refused[0] < REFUSALS_SECONDS:
                self._world.violation("a lease is asked for again and again while it is another's")


class _Logins:
    """What is applied may have brought the password, so each process that serves the connector tries once more."""

    def __init__(self, world: World) -> None:
        self._world = world
        applied = sum(each.what in ("apply", "move") for each in world.plan.incidents)
        self._most = LOGINS + applied * world.plan.settings.parallelism

    def look(self, what: str, _: Any) -> None:
        if what != "circuit":
            return
        for key, target in self._world.targets.items():
            recent = target.refused_logins[-self._most :]
            if len(recent) == self._most and recent[-1] - recent[0] < LOGINS_SECONDS:
                self._world.violation(f"a refused password is tried again and again: connector {key}")


class _Late:
    """What nothing is wrong with but a slow ledger, or a command that was sent twice, is done in time."""

    HARMLESS = frozenset({"repeats", "ledger"})

    def __init__(self, world: World) -> None:
        plan = world.plan
        self._world = world
        self._next = 0.0
        self._looks = (
            set(plan.groups) <= self.HARMLESS
            and not plan.incidents
            and plan.workers > 2
            and not (plan.endless or plan.killers or plan.deadly or plan.refused or plan.settings.backlog)
            and not (plan.settings.rate or plan.settings.window)
        )

    def look(self, what: str, _: Any) -> None:
        if not self._looks or what != "tick" or self._world.baton.now < self._next or self._world.is_calm:
            return
        self._next = self._world.baton.now + LATE_LOOK_SECONDS
        now_ms = self._world.clock_us() // 1000
        intake, lanes = readings.oldest(self._world.real.peek())
        if intake is not None and now_ms - intake > LATE_INTAKE_MS + self._repeating_ms(now_ms - intake):
            self._world.violation("an event waits to be routed though nobody but the ledger is slow")
        # What waited for its router may wait for its deliverer, too.
        if lanes is not None and now_ms - lanes > LATE_LANE_MS + self._world.plan.settings.timeout_s * 1000:
            self._world.violation("an operation waits long after its time though commands were only repeated")

    def _repeating_ms(self, waited_ms: float) -> float:
        """How much of the last so many milliseconds the router spent on commands that were sent twice."""
        now = self._world.baton.now
        since = now - waited_ms / 1000
        repeats = [each for each in self._world.repeats if each[0].rpartition(".")[0] == ROUTER]
        return sum(max(0.0, min(ended, now) - max(begun, since)) for _, begun, ended in repeats) * 1000
