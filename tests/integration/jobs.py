"""One job: a target, an integration, and everything pushed so far; routed and delivered in the test's own process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from tests.integration.timeouts import let_timeouts_pass
from tests.model import Model, profiles
from workers import outcomes
from workers.control.drain import drain
from workers.settings import load, revision

if TYPE_CHECKING:
    from tests.installation import Installation
    from tests.targets import TargetDatabase
    from workers.control.drain import DrainReport
    from workers.runtime import Runtime


class Job:
    """One target, one integration, and everything pushed so far."""

    def __init__(self, installation: Installation, target: TargetDatabase) -> None:
        self.installation = installation
        self.target = target
        self.model = Model()
        self.configure()
        self.runtime: Runtime = installation.runtime()

    def configure(self, **changes: Any) -> None:
        """Applies the integration, with changes as `TargetDatabase.integration` takes them."""
        self.installation.configure(self.target.connector() + self.target.integration(**changes))
        revision.publish(self.installation.redis, self.installation.keys, load(self.installation.file))

    def push(self, *events: dict[str, Any]) -> None:
        """Pushes events, and lets them happen to the model."""
        self.model.apply(events)
        self.installation.producer.push(events)

    def drain(self, seconds: float = 30) -> DrainReport:
        """Routes and delivers until nothing is due, waiting for timeouts; what is held is not waited for."""
        report = drain(self.runtime, seconds)
        while self.installation.backlog() and not report.failed and self.hold() is None:
            self.let_timeouts_pass()
            report = drain(self.runtime, seconds)
        return report

    def hold(self) -> str | None:
        """Our sentence of what holds the integration."""
        found = self.installation.redis.hget(self.installation.keys.integration("members"), "hold")
        return None if found is None else found.decode()

    def let_timeouts_pass(self) -> None:
        """Waits until what is pushed or routed waits for a batch's timeout no longer."""
        let_timeouts_pass(self.installation.redis, self.installation.keys)

    def ends_right(self) -> None:
        """The tables are what the events describe."""
        self.drain()
        assert self.target.members() == self.model.members
        assert self.target.names() == self.model.names

    def set_aside(self) -> dict[str, str]:
        """The ledger's quarantine, once the drainer has written it: profile and code."""
        with self.installation.ledger.reading() as connection:
            found = connection.execute(text("SELECT profile, code FROM quarantine")).all()
        return {each.profile: each.code for each in found}

    def quarantined(self) -> list[outcomes.Quarantined]:
        """What the ledger's quarantine was sent, before the drainer takes it."""
        return [record for record in self._outcomes() if isinstance(record, outcomes.Quarantined)]

    def tries(self) -> list[outcomes.Delivery]:
        """What came of each try, before the drainer takes it."""
        return [record for record in self._outcomes() if isinstance(record, outcomes.Delivery)]

    def _outcomes(self) -> list[outcomes.Record]:
        rows = self.installation.redis.xrange(self.installation.keys.outcomes)
        return [outcomes.decode(fields[b"r"]) for _, fields in rows]


def add(segment: int, *keys: object) -> dict[str, Any]:
    return {"type": "add", "segment": {"id": segment}, "profiles": profiles(*keys)}


def remove(segment: int, *keys: object) -> dict[str, Any]:
    return {"type": "remove", "segment": {"id": segment}, "profiles": profiles(*keys)}


def clear(segment: int) -> dict[str, Any]:
    return {"type": "clear", "segment": {"id": segment}}


def upsert(segment: int, name: str) -> dict[str, Any]:
    return {"type": "segment_upsert", "segment": {"id": segment, "name": name}}


def delete(segment: int) -> dict[str, Any]:
    return {"type": "segment_delete", "segment": {"id": segment}}
