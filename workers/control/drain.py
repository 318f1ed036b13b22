"""Routes and delivers in this process, without Celery, until nothing is due (`segsync drain`).

The pulse turns what is due into wake-ups; here the same look at all due times is acted on at once. So a Redis that is
so full that no worker can start still drains (rule 32), and a debugger can step through all of it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workers.delivery.turn import Failed, Lacking, NothingDue
from workers.lanes.answers import first_of
from workers.lanes.clock import redis_ms
from workers.lanes.lease import RESYNC, ROUTE
from workers.ledger.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Collection

    from workers.integrations import Integration
    from workers.lanes.messages import Wake
    from workers.runtime import Runtime

TURN_SECONDS = 2.0
"""What one wake-up may take, as in the tasks."""
PAUSE_SECONDS = 0.1
"""Between two looks while others hold all permits or the routing."""
HEADS = 1_000
"""Due lanes of one set that are looked at for one that has not failed here."""
MOST_CAUSES = 20
"""Different causes that are told; each further one is counted alone."""
COMPACT_SECONDS = 60.0
RESCORE_SECONDS = 60.0
LAST_OUTCOMES_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class DrainReport:
    """What one `drain` did.

    events   moved from the intake into the lanes
    batches  delivered
    failed   tries that failed; their lanes wait for their retry time, which is not waited for
    causes   of the first failures, each once, as "integration/segment: code: reason"
    ledger   why outcomes could not be written to the ledger, or ""; they stay in Redis
    """

    events: int = 0
    batches: int = 0
    failed: int = 0
    causes: tuple[str, ...] = ()
    ledger: str = ""


def drain(runtime: Runtime, seconds: float | None = None) -> DrainReport:
    """Routes and delivers until nothing is due, or for `seconds`, and writes the outcomes to the ledger.

    Due is what a worker would do at once: a batch that waits for its timeout, a lane that waits for its retry time
    and what is paused or held are left; of these, lanes that have waited for long are compacted. Workers may be at
    work beside it. Raises NothingApplied, redis.RedisError.
    """
    return _Drain(runtime, seconds).run()


@dataclass(slots=True)
class _Drain:
    runtime: Runtime
    seconds: float | None
    events: int = 0
    batches: int = 0
    failed: int = 0
    ledger: str = ""
    causes: dict[tuple[str, str, str], str] = field(default_factory=dict)
    failed_lanes: set[tuple[str, str]] = field(default_factory=set)
    unserved: set[str] = field(default_factory=set)

    def run(self) -> DrainReport:
        ends = None if self.seconds is None else time.monotonic() + self.seconds
        self.runtime.rescore(RESCORE_SECONDS)
        while ends is None or time.monotonic() < ends:
            wakes = self.runtime.tick("task").wakes
            for wake in wakes:
                self._do(wake)
            if not self._more_is_due():
                break
            if not wakes:
                time.sleep(PAUSE_SECONDS)
        self.runtime.compact(COMPACT_SECONDS)
        self._write_outcomes(LAST_OUTCOMES_SECONDS)
        return DrainReport(self.events, self.batches, self.failed, tuple(self.causes.values()), self.ledger)

    def _do(self, wake: Wake) -> None:
        """What a worker would do on this wake-up."""
        kind, _, connector = wake.queue.partition(".")
        if kind == "deliver":
            self._deliver(connector, wake)
        elif kind == "route":
            self.events += self.runtime.route(wake.token, TURN_SECONDS)
        elif kind == RESYNC:
            self.runtime.resync(wake.token, TURN_SECONDS)
        else:
            self._write_outcomes(TURN_SECONDS)

    def _deliver(self, connector: str, wake: Wake) -> None:
        result = self.runtime.deliver(connector, wake.token, TURN_SECONDS)
        if isinstance(result, Lacking):
            self.unserved.add(connector)
            self.failed += 1
            self.causes.setdefault((connector, "", result.reason), str(result))
            return
        if not isinstance(result, NothingDue):
            self.runtime.lanes.give_back(wake.queue, wake.token)
        if isinstance(result, Failed):
            self._note(result)
        self.batches += result.batches

    def _note(self, failure: Failed) -> None:
        self.failed += 1
        self.failed_lanes.add((failure.integration, failure.segment))
        if len(self.causes) < MOST_CAUSES:
            self.causes.setdefault((failure.integration, failure.code, failure.reason), str(failure))

    def _write_outcomes(self, seconds: float) -> None:
        """As far as the ledger lets it: a dead one stops no delivery."""
        try:
            self.runtime.drain_outcomes(seconds)
            self.ledger = ""
        except LedgerError as error:
            self.ledger = str(error)

    def _more_is_due(self) -> bool:
        """Whether anything is due, besides what has failed here and has come round again."""
        redis, keys = self.runtime.redis, self.runtime.keys
        if redis.xlen(keys.events) and not self.runtime.lanes.rests(ROUTE):
            return True
        now = redis_ms(redis)
        if first_of(redis, keys.runs, 1, up_to=now) and not self.runtime.lanes.rests(RESYNC):
            return True
        found = _open_integrations(self.runtime, now, self.unserved)
        return any(self._set_is_due(integration, now) for integration in found)

    def _set_is_due(self, integration: str, now: int) -> bool:
        keys = self.runtime.keys
        for name in (keys.full(integration), keys.timed(integration)):
            heads = first_of(self.runtime.redis, name, HEADS, up_to=now)
            if any((integration, segment) not in self.failed_lanes for segment in heads):
                return True
        return False


def _open_integrations(runtime: Runtime, now: int, without: Collection[str]) -> list[str]:
    """The applied integrations that are neither paused nor held, whose window is open and whose connectors are there.

    without  connectors that cannot be served here
    """
    applied = runtime.applied.settings.integrations.values()
    keys = runtime.keys
    integrations = [each for each in applied if each.connector not in without and _is_open(each, now)]
    pipe = runtime.redis.pipeline(transaction=False)
    for each in integrations:
        pipe.hmget(keys.integration(each.key), "active", "paused", "hold_until")
        pipe.hmget(keys.connector(each.connector), "hold_until", "open_until")
    answers = pipe.execute()
    found = []
    for each, (active, paused, *held), connector in zip(integrations, answers[::2], answers[1::2], strict=True):
        waits = max(float(until or 0) for until in (*held, *connector))
        if active == b"1" and paused is None and waits <= now:
            found.append(each.key)
    return found


def _is_open(integration: Integration, now: int) -> bool:
    return integration.window is None or integration.window.opens_ms(now) <= now
