"""What is read of the product's state: its keys in Redis and its ledger. With adapter.py all that knows the product."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.simulation.plans import NAMESPACE
from workers.lanes.keys import Keys

if TYPE_CHECKING:
    from pathlib import Path

KEYS = Keys(NAMESPACE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the quarantine as the ledger has it."""

    integration: str | None
    segment: str | None
    event_type: str | None
    code: str
    state: str
    note: str
    payload: bytes
    event_us: int | None


def quarantine(folder: Path) -> list[Entry]:
    """All entries."""
    with sqlite3.connect(folder / "ledger.db") as connection:
        rows = connection.execute(
            "SELECT integration, segment, event_type, code, state, note, payload, event_us FROM quarantine ORDER BY id"
        ).fetchall()
    connection.close()
    return [Entry(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in Redis.

    lanes  why each lane still owes something: its fields
    holds  why integrations are held: codes of what they wait for someone to mend
    """

    intake: int
    outcomes: int
    backlogs: dict[str, int]
    full: dict[str, str]
    lanes: dict[str, str]
    holds: set[str]

    @property
    def is_nothing(self) -> bool:
        """Whether all is done."""
        return not (self.intake or self.outcomes or self.lanes)


def waiting(client: Any) -> Waiting:
    """A look at what waits; no step. In two round trips: histories look a hundred times."""
    pipe = client.pipeline(transaction=False)
    pipe.smembers(KEYS.integrations).keys(f"{NAMESPACE}:lane:*").hgetall(KEYS.full_marks)
    pipe.xlen(KEYS.events).xlen(KEYS.outcomes)
    members, names, marks, intake, outcomes = pipe.execute()
    keys = [key.decode() for key in members]
    for key in keys:
        pipe.hmget(KEYS.integration(key), "backlog", "hold_code")
    for name in names:
        pipe.hgetall(name)
    found = pipe.execute()
    backlogs = {key: int(backlog or 0) for key, (backlog, _) in zip(keys, found, strict=False)}
    held = {code.decode() for _, code in found[: len(keys)] if code}
    lanes = {}
    for name, hash_ in zip(names, found[len(keys) :], strict=True):
        # What is set aside is packed: no text.
        fields = {k.decode(): v.decode(errors="replace") for k, v in hash_.items()}
        if int(fields.get("count", 0)) > 0:
            lanes[name.decode().removeprefix(f"{NAMESPACE}:lane:")] = str(fields)
    full = {k.decode(): v.decode() for k, v in marks.items()}
    return Waiting(intake, outcomes, backlogs, full, lanes, held)


def integrations(client: Any) -> set[str]:
    """Those of the applied configuration."""
    names = {key.decode() for key in client.smembers(KEYS.integrations)}
    return {name for name in names if not client.hexists(KEYS.integration(name), "orphaned")}


def oldest(client: Any) -> tuple[int | None, int | None]:
    """When the oldest event of the intake, and the oldest operation of a lane, came in: Unix milliseconds."""
    events = client.xrange(KEYS.events, count=1)
    pipe = client.pipeline(transaction=False)
    for name in client.keys(f"{NAMESPACE}:lane:*"):
        pipe.hget(name, "head")
    heads = [int(head or 0) for head in pipe.execute()]
    return int(events[0][0].partition(b"-")[0]) if events else None, min(heads, default=None)


def holds(client: Any) -> dict[str, bool]:
    """Which connectors and integrations are held."""
    places = {f"connector {key}": KEYS.connector(key) for key in "ab"} | {"integration main": KEYS.integration("main")}
    pipe = client.pipeline(transaction=False)
    for key in places.values():
        pipe.hexists(key, "hold_until")
    return dict(zip(places, pipe.execute(), strict=True))


def busy_hour(client: Any) -> None:
    """As if a busy hour had passed on a clock that was set back: the intake's counter is nearly used up."""
    script = """
    if redis.call('EXISTS', KEYS[1]) == 0 then return end
    local info = redis.call('XINFO', 'STREAM', KEYS[1])
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then
        redis.call('XSETID', KEYS[1], string.match(info[i + 1], '%d+') .. '-1048570')
      end
    end
    """
    client.eval(script, 1, KEYS.events)
