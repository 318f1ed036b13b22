"""Who acts in a history: workers, a pulse, beat, producers, people, and what happens to servers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from tests.simulation import adapter, readings
from workers.connectors.contract import POSITION

if TYPE_CHECKING:
    from tests.simulation.adapter import Place, Process
    from tests.simulation.plans import Incident
    from tests.simulation.world import World

PULSE_SECONDS = 5.0
BEAT_SECONDS = 5.0
SETTLE_SECONDS = 1100.0
"""Within which everything must be delivered once nothing goes wrong any more; a connector that is held probes itself
every 300 s, and what kills its process is closed in on by a dozen deaths of 30 s each."""
LOOK_SECONDS = 1.0
FLAPS = 8
FLAP_SECONDS = (0.02, 0.5, 3.0, 20.0)
PATIENCE = 40
"""Times that a producer whose push was refused pushes again."""


class Cast:
    """Everybody who acts in a history, and how it goes."""

    def __init__(self, world: World, place: Place) -> None:
        self.world = world
        self.place = place
        self.baton = world.baton
        self.settings: dict[str, Any] = {}
        self.dropped = False
        self._going_on = 0
        self._stopped = False
        self.unsettled: readings.Waiting | None = None

    def direct(self) -> None:
        """The whole history: a storm, then quiet until everything has settled, or should have."""
        plan = self.world.plan
        self._process().publish(adapter.settings_of(self.world, self.place))
        for number in range(plan.workers):
            serves = adapter.queues(number, plan.workers)
            self._host(f"worker-{number}", partial(self._work, serves))
        self._host("pulse", self._pulse)
        self._host("beat", self._beat)
        for name in sorted({producer for producer, _, _ in plan.events}):
            self._begin(name, partial(self._produce, name))
        for incident in plan.incidents:
            self._begin(f"person-{incident.number}", partial(self._incident, incident))
        # What is wrong already need not be waited for.
        if self.baton.wait(lambda: bool(self.world.wrong), plan.storm_s):
            return
        self._heal()
        self.baton.wait(lambda: self._going_on == 0 or bool(self.world.wrong), SETTLE_SECONDS)
        if self._settle() and plan.retries_at_end:
            self._retry_everything()

    def _retry_everything(self) -> None:
        self.world.mend()
        for _ in range(PATIENCE):
            try:
                self._process().retry()
            except adapter.EXPECTED as error:  # a limit is reached: the others later
                self.world.tell(f"{type(error).__name__}: {error}")
                self.baton.sleep(LOOK_SECONDS)
            else:
                break
        self._settle()

    def _heal(self) -> None:
        self.world.tell("heals")
        self.world.fates.storm = False
        self.world.real.has_room(yes=True)
        for target in self.world.targets.values():
            target.away = target.wrong_password = target.missing = False
        process = self._process()
        for key in ("main", "other"):
            if key in self._known():
                process.resume(key)

    def _known(self) -> set[str]:
        return readings.integrations(self.world.real.peek())

    def _settle(self) -> bool:
        """Waits until nothing waits any more; whether it came to that."""
        ends = self.baton.now + SETTLE_SECONDS
        while self.baton.now < ends and not self.world.wrong:
            found = readings.waiting(self.world.real.peek())
            if found.is_nothing or self._needs_a_person(found):
                return True
            if "sim refused" in found.holds:
                self._do_mend()
            self.baton.sleep(LOOK_SECONDS)
        self.unsettled = readings.waiting(self.world.real.peek())
        return False

    def _needs_a_person(self, found: readings.Waiting) -> bool:
        """Whether what waits is held, and says so, as is promised.

        Behind an operation that no time-out lets through, or at a position that a Redis without its tail has lost the
        way to. What the storm has held, its next probe lets go.
        """
        lost_its_way = self.world.failovers and self.world.plan.settings.exactly_once
        causes = ("sim timeout",) * bool(self.world.plan.endless) + (POSITION,) * bool(lost_its_way)
        held = [lane.partition("'hold': ")[2][1:].partition(":")[0] for lane in found.lanes.values()]
        return set(held) <= set(causes) and not (found.intake or found.outcomes)

    def _process(self) -> Process:
        return adapter.start(self.world, self.place)

    def _begin(self, name: str, work: Any) -> None:
        self._going_on += 1

        def live() -> None:
            work()
            self._going_on -= 1

        self.baton.spawn(name, live, name)

    def _host(self, name: str, work: Any) -> None:
        """Starts a process, and another whenever it has died."""

        def live() -> None:
            life = 0
            while True:
                life += 1
                process = f"{name}.{life}"
                self.baton.spawn(process, work, process)
                self.baton.wait(partial(self._is_dead, process))
                self.baton.sleep(1.0)

        self.baton.spawn(f"host-{name}", live, f"host-{name}")

    def _is_dead(self, process: str) -> bool:
        return not self.baton.alive(process)

    def _work(self, serves: tuple[str, ...]) -> None:
        process, messages = self._process(), self.world.messages

        def mine() -> list[str]:
            return [queue for queue, waiting in messages.items() if waiting and queue.startswith(serves)]

        while True:
            self.baton.wait(lambda: bool(mine()))
            if full := sorted(mine()):
                queue = self.baton.random.choice(full)
                process.serve(queue, messages[queue].pop(0))

    def _pulse(self) -> None:
        self._wake("pulse", PULSE_SECONDS)

    def _beat(self) -> None:
        self._wake("beat", BEAT_SECONDS)

    def _wake(self, who: str, longest: float) -> None:
        process = self._process()
        while True:
            try:
                pause = process.wake(who)
            except adapter.EXPECTED as error:
                self.world.tell(f"{who}: {error}")
                process, pause = self._process(), longest
            if who == "pulse":
                self.world.stirred = False
                self.baton.sleep(0.02)
                self.baton.wait(lambda: self.world.stirred, min(pause, longest))
            else:
                self.baton.sleep(longest)

    def _produce(self, name: str) -> None:
        producer = adapter.producer(self.world)
        for who, at, event in self.world.plan.events:
            if who == name and self.world.fates.happens(f"event {event['at']}"):
                self.baton.sleep(max(0.0, at - self.baton.now))
                self._push(name, producer, event)

    def _push(self, name: str, producer: Any, event: dict[str, Any]) -> None:
        """Pushes until it is accepted; each time under other names, since a lost answer may have been a yes."""
        for number in range(PATIENCE):
            named = _renamed(event, number) if number else event
            self.world.pushing[name] = [named]
            try:
                producer.push([named])
            except adapter.PUSH_FAILED as error:
                self.world.tell(f"push: {error}")
                self.baton.sleep(1.0 + number)
            else:
                return

    def _incident(self, incident: Incident) -> None:
        self.baton.sleep(max(0.0, incident.at - self.baton.now))
        if self.world.is_calm or not self.world.fates.happens(f"incident {incident.number} {incident.what}"):
            return
        self.world.tell(f"incident {incident.what}")
        try:
            getattr(self, f"_do_{incident.what.replace(' ', '_')}")()
        except adapter.EXPECTED as error:
            self.world.tell(f"{incident.what}: {type(error).__name__}: {error}")

    def _apply(self, **changes: Any) -> None:
        self.settings |= changes
        self._process().publish(adapter.settings_of(self.world, self.place, **self.settings))

    def _do_apply(self) -> None:
        chance, before = self.baton.random, self.world.plan.settings
        sizes = (1,) if before.size == 1 else (2, 3, 4, 8, 30)
        self._apply(size=chance.choice(sizes), timeout_s=chance.choice((0.2, 2.0)), clear=chance.random() < 0.7)

    def _do_move(self) -> None:
        self._apply(connector=self.baton.random.choice("ab"))

    def _do_pause(self) -> None:
        process = self._process()
        process.pause("main")
        self.baton.sleep(self.baton.random.choice((1.0, 20.0)))
        process.resume("main")

    def _do_retry(self) -> None:
        self._process().retry()

    def _do_drop_entries(self) -> None:
        self._process().drop_entries()

    def _do_mend(self) -> None:
        self.world.mend()

    def _do_drop_integration(self) -> None:
        self.dropped = True
        self.settings["other"] = False
        process = self._process()
        for _ in range(PATIENCE):
            try:
                process.drop_integration(adapter.settings_of(self.world, self.place, **self.settings), "other")
            except adapter.EXPECTED as error:  # it says what is still being delivered, and to run it again
                self.world.tell(f"{type(error).__name__}: {error}")
                self.baton.sleep(LOOK_SECONDS)
            else:
                return

    def _do_clock_back(self) -> None:
        self.world.offset -= self.baton.random.choice((2.0, 60.0, 3600.0))

    def _do_clock_ahead(self) -> None:
        self.world.offset += self.baton.random.choice((2.0, 60.0, 3600.0))

    def _do_busy_hour(self) -> None:
        self.world.offset -= 3600.0
        readings.busy_hour(self.world.real.peek())

    def _do_full(self) -> None:
        self.world.real.has_room(yes=False)
        self.baton.sleep(self.baton.random.choice((0.5, 5.0, 20.0)))
        self.world.real.has_room(yes=True)

    def _do_fail_over(self) -> None:
        self._lose(self.baton.random.choice((0.01, 0.1, 1.0)))

    def _do_lose_a_tail(self) -> None:
        """Of seconds, in which a lane is delivered, settled, and gone."""
        self._lose(self.baton.random.choice((1.0, 3.0, 10.0)))

    def _lose(self, seconds: float) -> None:
        self.world.real.replicate()
        self.world.mark_replica()
        self.baton.sleep(seconds)
        self.world.real.fail_over()
        self.world.failed_over()

    def _do_password(self) -> None:
        """Also as after an outage: a target that comes back with another password."""
        target = self.world.targets[self.baton.random.choice("aaab")]
        target.wrong_password = True
        if self.baton.random.random() < 0.5:
            target.away = True
            self.baton.sleep(15.0)
            target.away = False
        self.baton.sleep(self.baton.random.choice((40.0, 70.0)))
        target.wrong_password = False

    def _do_away(self) -> None:
        self._for_a_while("away", (1.0, 10.0, 40.0))

    def _do_missing(self) -> None:
        self._for_a_while("missing", (1.0, 70.0))

    def _do_flap(self) -> None:
        """Tables that are missing, back, and missing again, while somebody looks whose fault it is."""
        for _ in range(FLAPS):
            self._for_a_while("missing", FLAP_SECONDS)
            self.baton.sleep(self.baton.random.choice(FLAP_SECONDS))

    def _for_a_while(self, what: str, seconds: tuple[float, ...]) -> None:
        target = self.world.targets[self.baton.random.choice("ab")]
        setattr(target, what, True)
        self.baton.sleep(self.baton.random.choice(seconds))
        setattr(target, what, False)

    def _do_kill(self) -> None:
        alive = [name for name in self.baton.processes if name.startswith("worker-")]
        if alive:
            victim = self.baton.random.choice(alive)
            self.world.tell(f"{victim} is killed")
            self.world.deaths += 1
            self.baton.kill(victim)


def _renamed(event: dict[str, Any], number: int) -> dict[str, Any]:
    """The same event under other names."""
    named = event | {"at": event["at"].replace("2020-", f"{2020 + number}-")}
    if "profiles" in event:
        named["profiles"] = [profile | {"op": f"{profile['op']}t{number}"} for profile in event["profiles"]]
    return named
