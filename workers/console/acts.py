"""Who did what: in the console's log, and on its way to the ledger (`segsync audit`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workers.control.acting import Actor, record
from workers.log import CONSOLE_ACT, tell

if TYPE_CHECKING:
    from redis import Redis

    from workers.console.routes import Act
    from workers.console.visit import Visit
    from workers.lanes.keys import Keys


@dataclass(frozen=True, slots=True)
class KeptActs:
    """Writes each act down before it is done, and why where nothing came of it."""

    redis: Redis
    keys: Keys

    def begin(self, visit: Visit, act: Act) -> None:
        """Before it is done. redis.RedisError."""
        self._record(visit, act)

    def write(self, visit: Visit, act: Act, outcome: str) -> None:
        """After it: one line, and a record of what was refused or failed."""
        tell(CONSOLE_ACT, by=visit.viewer.name, act=act.name, on=subject(visit, act), outcome=outcome)
        if outcome != DONE:
            self._record(visit, act, outcome)

    def _record(self, visit: Visit, act: Act, failed: str = "") -> None:
        client = visit.request.client
        who = Actor(visit.viewer.name, "console", client.host if client else "")
        on, reason = subject(visit, act), visit.field("reason")
        record(self.redis, self.keys, who, act.name, on, reason=reason, failed=failed)


DONE = "done"
"""What is said of an act that was done."""


def subject(visit: Visit, act: Act) -> str:
    """What it is done to, as the path or the form names it."""
    if act.told is not None:
        return act.told(visit)
    return visit.path.get(act.on) or ", ".join(visit.form.get(act.on, ()))
