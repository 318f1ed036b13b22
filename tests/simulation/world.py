"""One history: the baton, the Redis, the targets, the broker, the clock, and what befalls each call to them."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import redis

from tests.simulation.baton import Baton, Died
from tests.simulation.clocks import EPOCH
from tests.simulation.fates import BROKER, LEDGER, REDIS, TARGET, Fates
from tests.simulation.target import SimulatedTarget

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.plans import Plan
    from tests.simulation.store import RealRedis

MOST_STEPS = 60_000
TIMEOUT_SECONDS = (0.3, 5.0, 15.0)
"""What a caller waits before it learns that its call failed."""
STALL_SECONDS = (0.02, 0.2, 3.0, 12.0, 31.0, 45.0)
SLOW_SECONDS = (5.0, 20.0, 35.0)
EXPIRE_EVERY = 5.0
ON_ITS_WAY = 0.2
"""How often others act between what a command did and the moment in which its caller has the answer."""
QUIET = ("tick", "renew", "read", "TIME")
"""Calls that make nothing due: after any other, the pulse looks again."""


class World:
    """Everything outside the product's code.

    offset    seconds that Redis's clock is ahead of true time
    accepted  what every executed push has put into the intake: (its ids, its events), in order
    messages  the broker's queues
    watchers  called after each call to Redis with its name: they look, and make no call themselves
    wrong     violations that were seen while it went on
    repeats   who sent a command twice, and from when to when that kept it
    is_mended whether targets refuse nothing any more, and no event is deadly to read
    """

    def __init__(self, plan: Plan, real: RealRedis, *, tracing: bool = False) -> None:
        self.plan = plan
        self.real = real
        self.baton = Baton(plan.seed, MOST_STEPS)
        self.fates = Fates(plan.seed, plan.rates, plan.without)
        self.offset = 0.0
        self.accepted: list[tuple[list[str], list[dict[str, Any]]]] = []
        self.pushing: dict[str, list[dict[str, Any]]] = {}
        self.messages: dict[str, list[Any]] = {}
        self.watchers: list[Callable[[str, Any], None]] = []
        self.wrong: list[str] = []
        self.told: list[str] = []
        self.repeats: list[tuple[str, float, float]] = []
        self.deaths = 0
        self.targets = self._targets()
        self.lost: list[dict[str, Any]] = []
        self.failovers = 0
        self.stirred = False
        self.is_mended = False
        self._replicated = 0
        self._tracing = tracing
        self._expired = 0.0

    def _targets(self) -> dict[str, SimulatedTarget]:
        """Two connectors to one database."""
        refused, endless = set(self.plan.refused), set(self.plan.endless)
        first = SimulatedTarget(self, "a", refuses=refused, endless=endless, transactions=count(1))
        second = SimulatedTarget(self, "b", first.rows, first.journal, first.positions, first.locks, first.refuses,
                                 first.endless, transactions=first.transactions)  # fmt: skip
        return {"a": first, "b": second}

    @property
    def is_calm(self) -> bool:
        """Whether nothing is to go wrong any more."""
        return not self.fates.storm

    def clock_us(self) -> int:
        """Redis's clock, Unix microseconds."""
        return round((EPOCH + self.baton.now + self.offset) * 1e6)

    def tell(self, text: str) -> None:
        """Notes something for whoever reads this history."""
        if self._tracing:
            who = self.baton.current.name
            self.told.append(f"{self.baton.now:10.4f} {who:<24} {text}")

    def mark_replica(self) -> None:
        """The replica has everything up to now."""
        self._replicated = len(self.accepted)

    def failed_over(self) -> None:
        """What was accepted since may be lost, or may have been delivered."""
        self.lost += [event for _, events in self.accepted[self._replicated :] for event in events]
        self.failovers += 1

    def mend(self) -> None:
        """Nothing is at fault any more but killers, and what no time-out lets through."""
        self.targets["a"].refuses.clear()
        self.is_mended = True

    def violation(self, text: str) -> None:
        """Notes something that must not happen."""
        if text not in self.wrong:
            self.wrong.append(text)
            self.tell(f"VIOLATION {text}")

    def befall(self, what: str, call: Callable[[], Any], repeatable: bool) -> Any:
        """A call to Redis, or what befalls it."""
        actor = self.baton.current
        actor.calls += 1
        fate = self._redis_fate(actor.name, actor.calls)
        self.baton.step()
        if fate:
            self.tell(f"redis {what}: {fate}")
        self.before(fate)
        if fate == "lost":
            self.baton.sleep(self._draw(TIMEOUT_SECONDS))
            raise redis.TimeoutError("simulated: not sent")
        reply = self._send(what, call)
        if self.baton.random.random() < ON_ITS_WAY:
            self.baton.step()
        if fate == "twice" and repeatable:
            reply = self._repeated(what, call)
        if fate == "unanswered":
            self.baton.sleep(self._draw(TIMEOUT_SECONDS))
            raise redis.TimeoutError("simulated: no answer")
        self.after(fate)
        return reply

    def _repeated(self, what: str, call: Callable[[], Any]) -> Any:
        pause = self._draw(STALL_SECONDS[:3])
        self.repeats.append((self.baton.current.name, self.baton.now, self.baton.now + pause))
        self.baton.sleep(pause)
        return self._send(what, call)

    def _redis_fate(self, actor: str, call: int) -> str:
        if self.plan.is_spared(actor):
            return ""
        fates = REDIS[:2] if actor.startswith("producer") else REDIS
        return self.fates.draw(actor, call, "redis", fates)

    def _send(self, what: str, call: Callable[[], Any]) -> Any:
        if self.baton.now - self._expired > EXPIRE_EVERY:
            self._expired = self.baton.now
            self.real.expire(self.clock_us() // 1000)
        try:
            reply = call()
        except redis.RedisError as error:
            self.tell(f"redis {what} -> {type(error).__name__}: {error}")
            raise
        if self._tracing and what != "INFO":
            self.tell(f"redis {what} -> {_short(reply)}")
        if what == "push" and reply and reply[0] != b"full":
            self.accepted.append(([each.decode() for each in reply], self.pushing[self.baton.current.name]))
        if what not in QUIET:
            self.stirred = True
        for watcher in self.watchers:
            watcher(what, reply)
        return reply

    def target_fate(self, what: str) -> str:
        """A step, and what befalls this call to a target; what comes before it is done with."""
        actor = self.baton.current
        actor.calls += 1
        fate = self.fates.draw(actor.name, actor.calls, "target", TARGET)
        self.baton.step()
        self.tell(f"target {what} {fate}")
        self.before(fate)
        if fate == "slow":
            self.baton.sleep(self._draw(SLOW_SECONDS))
        return fate

    def ledger_fate(self) -> str:
        """A step, and what befalls this call to the ledger; what comes before it is done with."""
        actor = self.baton.current
        actor.calls += 1
        fate = self.fates.draw(actor.name, actor.calls, "ledger", LEDGER)
        self.baton.step()
        self.tell(f"ledger {fate}")
        self.before(fate)
        if fate == "slow":
            self.baton.sleep(self._draw(SLOW_SECONDS))
        return fate

    def send(self, queue: str, message: Any) -> None:
        """Gives a message to the broker."""
        actor = self.baton.current
        actor.calls += 1
        fate = self.fates.draw(actor.name, actor.calls, "broker", BROKER)
        for _ in range({"lost": 0, "twice": 2}.get(fate, 1)):
            self.messages.setdefault(queue, []).append(message)

    def before(self, fate: str) -> None:
        """What befalls a caller before its call."""
        if fate == "dies":
            self.die()
        if fate == "stalled":
            self.baton.sleep(self._draw(STALL_SECONDS))

    def after(self, fate: str) -> None:
        """What befalls a caller after its call."""
        if fate == "dies after":
            self.die()
        if fate == "stalled after":
            self.baton.sleep(self._draw(STALL_SECONDS))

    def die(self) -> None:
        """The process of whoever has the baton ends."""
        process = self.baton.current.process
        self.tell(f"{process} dies")
        self.deaths += 1
        self.baton.kill(process)
        raise Died

    def _draw(self, among: tuple[float, ...]) -> float:
        return self.baton.random.choice(among)


def _short(reply: object) -> str:
    text = repr(reply)
    return text if len(text) < 160 else f"{text[:157]}..."
